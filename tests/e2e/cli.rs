//! The command line from the operator's side: start-up and its errors, settings, signals, changes of the
//! lease file.

mod doubt;
mod errors;
mod follow;
mod limits;
mod sandbox;
mod settings;
mod signals;
mod takeover;
mod tuning;

use libtest_mimic::Trial;

use crate::support::lqd::PATIENCE;
use crate::support::octets::{Pattern, octets};
use crate::support::{Fixture, Requestor, Until};

/// One subnet, 2001:db8:1::/64.
pub const KEA_CONFIG: &str = include_str!("../data/cli/kea-dhcp6.conf");

/// Leases of clients 01, 02 and 03 on 2001:db8:1::1, ::2 and ::3, in the notation of [`Fixture::rows`].
const THREE_LEASES: &str = "\
2001:db8:1::1,00:03:00:01:02:00:00:00:00:01,4294967295,4102444800,1,4294967295,0,1,128,0,0,,,0,,1,0,0
2001:db8:1::2,00:03:00:01:02:00:00:00:00:02,4294967295,4102444800,1,4294967295,0,1,128,0,0,,,0,,1,0,0
2001:db8:1::3,00:03:00:01:02:00:00:00:00:03,4294967295,4102444800,1,4294967295,0,1,128,0,0,,,0,,1,0,0
";

pub fn trials() -> Vec<Trial> {
    [
        errors::trials,
        doubt::trials,
        settings::trials,
        signals::trials,
        takeover::trials,
        sandbox::trials,
        follow::trials,
        limits::trials,
        tuning::trials,
    ]
    .into_iter()
    .flat_map(|trials| trials())
    .collect()
}

/// The sample network with three leases.
pub fn fixture() -> Fixture {
    Fixture::new(KEA_CONFIG, THREE_LEASES)
}

/// Returns a row of client `client` for 2001:db8:1::`host`, in the notation of [`Fixture::rows`].
pub fn lease(host: &str, client: &str) -> String {
    format!(
        "2001:db8:1::{host},00:03:00:01:02:00:00:00:00:{client},4294967295,4102444800,1,4294967295,0,1,128,0,0,,,0,,1,0,0"
    )
}

/// Adds the subnet 2001:db8:2::/64 to [`KEA_CONFIG`].
pub fn with_second_subnet(kea_config: &str) -> String {
    kea_config.replace("// @SUBNETS@", "{ \"id\": 2, \"subnet\": \"2001:db8:2::/64\" },")
}

/// Returns a query for the client with this address.
pub fn by_address(address: &str) -> Vec<u8> {
    octets(&format!("0e c00001  $me  002c 002d 01 ::  0005 0018 {address} $zero"))
}

/// Expected reply to [`by_address`] for a client that holds this address alone.
pub fn held_by(client: &str, address: &str) -> Pattern {
    Pattern::parse(&format!("0f c00001  $me $server  002d 0032  $c{client}  0005 0018 {address} $inf  $clt0"))
}

/// Expected reply to [`by_address`] for an address on a link, without lease.
pub fn no_binding() -> Pattern {
    Pattern::parse("0f c00001  $me $server")
}

/// Expected reply to [`by_address`] for an unreadable row or incomplete leases: status UnspecFail.
pub fn unspec_fail() -> Pattern {
    Pattern::parse("0f c00001  $me $server  000d { 0001 text }")
}

/// Expected reply to [`by_address`] for an address on no link.
pub fn not_configured() -> Pattern {
    Pattern::parse("0f c00001  $me $server  000d { 0009 text }")
}

/// Polls until the reply matches, for changes that the server must notice by itself.
///
/// # Panics
/// With the last reply, if that does not happen in time.
pub fn await_reply(requestor: &Requestor, query: &[u8], wanted: &Pattern) {
    let until = Until::patience();
    loop {
        let reply = reply_if_any(requestor, query).unwrap_or_default();
        if wanted.matches(&reply, &(0..=0)) {
            return;
        }
        // Both are shown, as their difference matters.
        let shown = crate::support::display::side_by_side(&wanted.example(), &reply);
        assert!(until.pending(), "the awaited reply did not come\n{shown}");
    }
}

/// Waits until client `number` holds 2001:db8:1::`number` alone.
///
/// # Panics
/// As [`await_reply`].
pub fn await_lease(requestor: &Requestor, number: &str) {
    let address = format!("2001:db8:1::{number}");
    await_reply(requestor, &by_address(&address), &held_by(number, &address));
}

/// Returns the reply to a query; `None` if the reply to a second query, sent after it, arrives instead.
///
/// Queries for unknown leases get no reply while a file is reloaded.
pub fn reply_if_any(requestor: &Requestor, query: &[u8]) -> Option<Vec<u8>> {
    let nowhere = octets("0e c00002  $me  002c 002d 01 ::  0005 0018 2001:db8:ffff::1 $zero");
    requestor.send(query);
    // Sent after the query: if its reply is the first, there is none to the query.
    let (first, _) = requestor.ask(&nowhere).expect("NotConfigured is always answered");
    if first.get(1..4) == nowhere.get(1..4) {
        return None;
    }
    // The second reply is taken, or the next query would get it.
    requestor.receive(PATIENCE).expect("both are answered");
    Some(first)
}

/// Sends one query; the reply must match.
///
/// # Panics
/// If it does not.
pub fn assert_reply(requestor: &Requestor, query: &[u8], wanted: &Pattern) {
    let (reply, _) = requestor.ask(query).expect("every query is answered");
    let shown = || crate::support::display::side_by_side(&wanted.example(), &reply);
    assert!(wanted.matches(&reply, &(0..=0)), "wrong reply\n{}", shown());
}
