//! The kea-dhcp6.conf with which Kea would have assigned the leases.

use std::io::{self, Write};
use std::path::Path;

use super::plan::{AddressPlan, DELEGATED_LEN, Link, Subnet};

/// Writes the configuration.
///
/// Its `server-id` is complete, so that the server's DUID is known although Kea never ran:
/// 00:01:00:01:2f:00:00:00:02:00:5e:00:53:01.
pub(super) fn write(
    out: &mut impl Write,
    plan: &AddressPlan,
    lease_file: &Path,
    infinite: bool,
) -> io::Result<()> {
    // Escapes the path for JSON.
    let lease_file = serde_json::to_string(&lease_file.to_string_lossy())?;
    // Lifetimes of the configuration match those of the leases.
    let (valid, preferred) = if infinite { (u32::MAX, u32::MAX) } else { (172_800, 129_600) };
    write!(
        out,
        r#"// Written by `lqload make-leases`: the configuration of the leases in the file that `name` names.
{{
  "Dhcp6": {{
    "interfaces-config": {{ "interfaces": [ ] }},
    "server-id": {{
      "type": "LLT", "htype": 1, "identifier": "02005E005301", "time": 788529152, "persist": false
    }},
    "lease-database": {{ "type": "memfile", "persist": true, "name": {lease_file}, "lfc-interval": 0 }},
    "store-extended-info": true,
    "valid-lifetime": {valid},
    "preferred-lifetime": {preferred},
"#
    )?;
    // Kea wants shared networks apart from plain subnets.
    let shared = plan.links().filter(|link| link.subnets.len() > 1);
    write_list(out, "shared-networks", shared, |out, link| {
        writeln!(out, r#"      {{ "name": "link-{}","#, link.number + 1)?;
        write_list(out, "subnet6", link.subnets.into_iter(), write_subnet)?;
        write!(out, "      }}")
    })?;
    writeln!(out, ",")?;
    // Plain subnets follow, each a link of its own.
    let plain = plan.links().filter_map(|Link { subnets, .. }| match subnets[..] {
        [subnet] => Some(subnet),
        _ => None,
    });
    write_list(out, "subnet6", plain, write_subnet)?;
    writeln!(out, "  }}\n}}")
}

fn write_list<T, W: Write>(
    out: &mut W,
    key: &str,
    items: impl Iterator<Item = T>,
    mut write_item: impl FnMut(&mut W, T) -> io::Result<()>,
) -> io::Result<()> {
    write!(out, r#"    "{key}": ["#)?;
    for (position, item) in items.enumerate() {
        writeln!(out, "{}", if position == 0 { "" } else { "," })?;
        // JSON allows no comma behind the last item.
        write_item(out, item)?;
    }
    writeln!(out, "\n    ]")
}

fn write_subnet(out: &mut impl Write, subnet: Subnet) -> io::Result<()> {
    let Subnet { id, address, pd_pool, pd_pool_len } = subnet;
    write!(
        out,
        r#"      {{ "id": {id}, "subnet": "{address}/64", "pools": [ {{ "pool": "{address}/64" }} ],
        "pd-pools": [
          {{ "prefix": "{pd_pool}", "prefix-len": {pd_pool_len}, "delegated-len": {DELEGATED_LEN} }}
        ] }}"#
    )
}
