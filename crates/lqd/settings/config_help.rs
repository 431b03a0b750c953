//! Long help of `--config`: the format of the file, and the keys of its tables.

use lqd_answer::QueryKind;

/// Text with a placeholder for the line of `query-types`.
const TEXT: &str = r#"Configuration file (TOML) whose keys are the flags below.

Keys are the flags without dashes in front; those that may be
repeated take a list: listen = ["[::1]:547", "[2001:db8::1]:547"].
A flag overrides the key; a repeated one replaces the whole list.
Relative paths in the file start from the file's folder.
Several Kea servers, each with its own name, replace --kea-config,
--kea-leases and --link-address:
  [[source]]
  name = "kea-a"
  kea-config = "/etc/kea-a/kea-dhcp6.conf"
  kea-leases = "/var/lib/kea-a/kea-leases6.csv"   optional
  link-address = ["7=2001:db8:7::1"]              optional
Access rules at its end, each for the requestors of one prefix:
  [[access]]
  prefix = "2001:db8:1::/48"   the only required key
  allow = true                 or false
  deny = "drop"                or "not-allowed"
  {QUERY_TYPES}
  relayed = "drop"             or "answer"
  sensitive-options = [39]     instead of --sensitive-option
  max-reply = 1232             octets
  rate = 1000                  for each address, with burst = 5000
  prefix-rate = 9000           for the prefix, with prefix-burst
  restricted-requestor = true  or false
  active = false               no active leasequery; or true
  relay-addresses = ["2001:db8:9::/64"]  their addresses in relay data
  certificates = ["dns:bng1.example.net"]  theirs over TLS; also
                                 uri:, ip:, and sha256: of the key
Only the rule of the longest prefix applies. Keys that it omits have
the value of the flag, never of a shorter prefix; allow is true if
the whole prefix is in --allow, else false; rate and burst belong
together; by default no prefix-rate, and all query-types.
Default: no file."#;

/// Returns the text of `--help`, at most 70 columns wide.
pub(super) fn text() -> String {
    TEXT.replace("{QUERY_TYPES}", &query_types())
}

/// Returns the line of `query-types`: an example, and the other values.
fn query_types() -> String {
    let names: Vec<_> = QueryKind::ALL.iter().map(|kind| format!("\"{}\"", kind.setting())).collect();
    let (first, others) = names.split_first().expect("one kind at least");
    let example = format!("query-types = [{first}]");
    // One more line for what does not fit into 70 columns.
    let (here, below) = others.split_at(others.len().min(2));
    format!("{example:<28} and {},\n{:33}{}", here.join(", "), "", below.join(", "))
}
