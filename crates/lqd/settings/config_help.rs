//! Long help of `--config`: the form of the file, and the keys of its tables.

use lqd_answer::QueryKind;

/// The line of the key `query-types` is filled in.
const TEXT: &str = r#"Configuration file (TOML) whose keys are the flags below.

Flags are written there without dashes in front, and those that may
be repeated take a list: listen = ["[::1]:547", "[2001:db8::1]:547"].
A flag wins over the key; a repeated one replaces the whole list.
Relative paths in the file start from the file's folder.
Several Kea servers are given there in place of --kea-config,
--kea-leases and --link-address, each with a name of its own:
  [[source]]
  name = "kea-a"
  kea-config = "/etc/kea-a/kea-dhcp6.conf"
  kea-leases = "/var/lib/kea-a/kea-leases6.csv"   may be left out
  link-address = ["7=2001:db8:7::1"]              may be left out
At its end may stand what requestors of one prefix may do, as often
as needed:
  [[access]]
  prefix = "2001:db8:1::/48"   the only key that must be given
  allow = true                 or false: whether they may ask
  deny = "drop"                or "not-allowed"
  {QUERY_TYPES}
  relayed = "drop"             or "answer"
  sensitive-options = [39]     in place of --sensitive-option
  max-reply = 1232             octets
  rate = 1000                  for each address, with burst = 5000
  prefix-rate = 9000           for all of them, with prefix-burst
  restricted-requestor = true  or false
  relay-addresses = ["2001:db8:9::/64"]  theirs, in relay data
The longest prefix decides alone. Of its keys, those not given are
those of the flags, never of a shorter prefix; allow is true if the
whole prefix is in --allow, else false; rate and burst go together;
there is no prefix-rate; all query-types may be asked.
Default: no file."#;

/// The text as `--help` prints it, each line at most 70 columns.
pub(super) fn text() -> String {
    TEXT.replace("{QUERY_TYPES}", &query_types())
}

/// The example of the key `query-types`, and the other values that it takes.
fn query_types() -> String {
    let names: Vec<_> = QueryKind::ALL.iter().map(|kind| format!("\"{}\"", kind.setting())).collect();
    let (first, others) = names.split_first().expect("one kind at least");
    let example = format!("query-types = [{first}]");
    format!("{example:<28} and {}", others.join(", "))
}
