//! A row of Kea's lease file, as far as queries and the check of their answers need it.
//!
//! This reader and its hexadecimal parser are independent of lqd's on purpose: a tool that judges a server
//! must not share the server's mistakes.

use std::net::Ipv6Addr;

use memchr::memchr;

use super::{Lease, LeaseKind, NEVER};

/// Columns of every schema, which identify a lease file (`csv_lease_file6.cc`).
const COLUMNS: [&str; 12] = [
    "address",
    "duid",
    "valid_lifetime",
    "expire",
    "subnet_id",
    "pref_lifetime",
    "lease_type",
    "iaid",
    "prefix_len",
    "fqdn_fwd",
    "fqdn_rev",
    "hostname",
];

/// Columns of a row up to `state`, the last one needed; hwaddr lies between.
const COLUMNS_WITH_STATE: usize = COLUMNS.len() + 2;

/// The content of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeaseRow {
    pub(crate) lease: Lease,
    /// Whether the lease is assigned; otherwise the row removes the lease at its address.
    pub(crate) assigned: bool,
}

/// A file that is not a lease file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderError {
    #[error("it is empty")]
    Empty,
    #[error("column {position} is {name:?}, not {expected:?}")]
    OtherColumn { position: usize, name: String, expected: &'static str },
    #[error("the first line ends before column {position} ({expected:?})")]
    MissingColumn { position: usize, expected: &'static str },
}

/// An unreadable row, by the column that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct RowError(&'static str);

/// Checks that a header line is that of a lease file.
pub(super) fn check_header(line: &[u8]) -> Result<(), HeaderError> {
    let mut names = line.split(|&octet| octet == b',');
    // Later columns may differ by version, and are not needed.
    for (position, expected) in COLUMNS.into_iter().enumerate() {
        match names.next() {
            Some(name) if name == expected.as_bytes() => {}
            Some(name) => {
                // The file may be anything: only a short part of it is shown.
                let name: String = String::from_utf8_lossy(name).chars().take(40).collect();
                return Err(HeaderError::OtherColumn { position: position + 1, name, expected });
            }
            None => return Err(HeaderError::MissingColumn { position: position + 1, expected }),
        }
    }
    Ok(())
}

/// Parses a row, and its DUID into `duid`; an error names the unreadable column.
pub(crate) fn parse(line: &[u8], duid: &mut Vec<u8>) -> Result<LeaseRow, RowError> {
    let mut values: [&[u8]; COLUMNS_WITH_STATE] = [&[]; COLUMNS_WITH_STATE];
    let mut rest = Some(line);
    for (position, value) in values.iter_mut().enumerate() {
        let Some(octets) = rest else {
            // Schemas before `state` end after hostname: their leases are assigned.
            if position < COLUMNS.len() {
                return Err(RowError("a missing column"));
            }
            break;
        };
        let end = memchr(b',', octets);
        *value = &octets[..end.unwrap_or(octets.len())];
        rest = end.map(|end| &octets[end + 1..]);
    }
    // Columns in between are not checked: only leases matter here.
    let [address, duid_text, valid, expire, subnet_id, preferred, lease_type, _, prefix_len, .., state] =
        values;
    let address = parsed::<Ipv6Addr>(address).ok_or(RowError("address"))?;
    let valid = number::<u32>(valid).ok_or(RowError("valid_lifetime"))?;
    let expire = number::<u64>(expire).ok_or(RowError("expire"))?;
    let kind = match lease_type {
        // IA_NA and IA_TA are reported alike.
        b"0" | b"1" => LeaseKind::Address,
        b"2" => LeaseKind::Prefix(
            number::<u8>(prefix_len).filter(|&len| len <= 128).ok_or(RowError("prefix_len"))?,
        ),
        _ => return Err(RowError("lease_type")),
    };
    // Kea removes a lease by a row with lifetime 0; states other than 0 are declined, expired and the like.
    let assigned = valid > 0 && matches!(state, b"0" | b"");
    // Rows that remove a lease may lack a DUID.
    if !unhex(duid_text, duid) && assigned {
        return Err(RowError("duid"));
    }
    let preferred = number::<u32>(preferred).ok_or(RowError("pref_lifetime"))?;
    let subnet_id = number(subnet_id).ok_or(RowError("subnet_id"))?;
    // Kea writes cltt + valid lifetime, modulo 2^32 or not if that is infinite. A lease that expired before
    // 1970 + valid lifetime is just as expired with a shorter one.
    let valid =
        if valid == NEVER { valid } else { u32::try_from(expire).map_or(valid, |expire| valid.min(expire)) };
    // Wraps back what Kea's sum wrapped for infinite lifetimes.
    let cltt = (expire as u32).wrapping_sub(valid);
    // Servers return a prefix without host bits.
    let address = first_of(address, kind);
    Ok(LeaseRow { lease: Lease { kind, address, cltt, valid, preferred, subnet_id }, assigned })
}

/// Returns the first address of the prefix that contains this address.
fn first_of(address: Ipv6Addr, kind: LeaseKind) -> Ipv6Addr {
    match kind {
        LeaseKind::Address => address,
        LeaseKind::Prefix(len) => {
            // A shift by 128 overflows for length 0.
            let network = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & network)
        }
    }
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    // `FromStr` accepts a sign, which the file never has.
    text.first().filter(|first| first.is_ascii_digit())?;
    parsed(text)
}

fn parsed<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Parses `01:ab:…` of 1 to 130 octets.
fn unhex(text: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let digit = |octet: u8| char::from(octet).to_digit(16).map(|digit| digit as u8);
    for pair in text.split(|&octet| octet == b':') {
        // Kea writes two digits to an octet here, and nothing else.
        let &[high, low] = pair else { return false };
        let (Some(high), Some(low)) = (digit(high), digit(low)) else { return false };
        out.push(high << 4 | low);
    }
    // Limits of a DUID are those of RFC 8415 §11.1.
    lqd_wire::Duid::new(out).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = "2001:db8::1,00:03:aB,4000,1700004000,7,3000,0,9,128,0,0,host,,0,,,,0";

    fn read(row: &str) -> Result<(LeaseRow, Vec<u8>), RowError> {
        let mut duid = vec![9];
        parse(row.as_bytes(), &mut duid).map(|row| (row, duid))
    }

    #[test]
    fn an_address_and_a_prefix() {
        let (row, duid) = read(ROW).unwrap();
        assert_eq!(duid, [0, 3, 0xab]);
        let address = "2001:db8::1".parse().unwrap();
        let (cltt, valid, preferred) = (1_700_000_000, 4000, 3000);
        let lease = Lease { kind: LeaseKind::Address, address, cltt, valid, preferred, subnet_id: 7 };
        assert_eq!(row, LeaseRow { lease, assigned: true });
        let prefix =
            read("2001:db8:1:2ff::,00:03:ab,4294967295,5994967295,7,3000,2,9,56,0,0,").unwrap().0.lease;
        // The sum wraps in Kea's 64-bit column only if the lifetime is infinite.
        assert_eq!((prefix.kind, prefix.cltt), (LeaseKind::Prefix(56), 1_700_000_000));
        assert_eq!((prefix.expire(), prefix.deprecated()), (NEVER, 1_700_003_000));
        assert_eq!(prefix.address, "2001:db8:1:200::".parse::<Ipv6Addr>().unwrap(), "host bits are cleared");
    }

    #[test]
    fn rows_that_remove_a_lease_are_not_assigned() {
        for (what, row) in [
            ("valid lifetime 0", ROW.replace("4000,17", "0,17")),
            ("declined", ROW.replace("host,,0", "host,,1")),
            ("declined, and whose is unknown", ROW.replace("host,,0", "host,,1").replace("00:03:aB", "")),
            ("expired and reclaimed", ROW.replace("host,,0", "host,,2")),
        ] {
            assert!(!read(&row).unwrap().0.assigned, "{what}");
        }
    }

    #[test]
    fn unreadable_rows_name_the_column() {
        for (row, column) in [
            (ROW.replace("2001:db8::1", "2001:db8::g"), "address"),
            (ROW.replace("2001:db8::1", "10.0.0.1"), "address"),
            (ROW.replace("00:03:aB", "00:3:ab"), "duid"),
            (ROW.replace("00:03:aB", ""), "duid"),
            (ROW.replace("00:03:aB", &["00"; 131].join(":")), "duid"),
            (ROW.replace(",4000", ",-4000"), "valid_lifetime"),
            (ROW.replace(",4000", ",4294967296"), "valid_lifetime"),
            (ROW.replace("1700004000", "+1"), "expire"),
            (ROW.replace(",7,", ",,"), "subnet_id"),
            (ROW.replace(",3000,", ",-1,"), "pref_lifetime"),
            (ROW.replace(",0,9,", ",4,9,"), "lease_type"),
            (ROW.replace(",0,9,128", ",2,9,129"), "prefix_len"),
            ("2001:db8::1,00:03".to_owned(), "a missing column"),
            (String::new(), "a missing column"),
        ] {
            assert_eq!(read(&row).map(|_| ()), Err(RowError(column)), "{row}");
        }
    }

    #[test]
    fn headers_are_checked() {
        let all = COLUMNS.join(",");
        assert_eq!(check_header(all.as_bytes()), Ok(()));
        assert_eq!(check_header(format!("{all},hwaddr,state").as_bytes()), Ok(()));
        let missing = check_header(b"address,duid").unwrap_err().to_string();
        assert_eq!(missing, "the first line ends before column 3 (\"valid_lifetime\")");
        let other = check_header(b"address,hwaddr,client_id").unwrap_err().to_string();
        assert_eq!(other, "column 2 is \"hwaddr\", not \"duid\"");
    }
}
