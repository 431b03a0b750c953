//! The command line as an operator meets it: start-up and its errors, settings, signals, and a lease file that changes.

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

/// The network and three leases.
pub fn fixture() -> Fixture {
    Fixture::new(KEA_CONFIG, THREE_LEASES)
}

/// A row of client `client` on 2001:db8:1::`host`, in the notation of [`Fixture::rows`].
pub fn lease(host: &str, client: &str) -> String {
    format!(
        "2001:db8:1::{host},00:03:00:01:02:00:00:00:00:{client},4294967295,4102444800,1,4294967295,0,1,128,0,0,,,0,,1,0,0"
    )
}

/// A query for the holder of an address.
pub fn by_address(address: &str) -> Vec<u8> {
    octets(&format!("0e c00001  $me  002c 002d 01 ::  0005 0018 {address} $zero"))
}

/// The reply to [`by_address`] where that client holds this address alone.
pub fn held_by(client: &str, address: &str) -> Pattern {
    Pattern::parse(&format!("0f c00001  $me $server  002d 0032  $c{client}  0005 0018 {address} $inf  $clt0"))
}

/// The reply to [`by_address`] where nobody holds it, though it is on a link.
pub fn held_by_nobody() -> Pattern {
    Pattern::parse("0f c00001  $me $server")
}

/// The reply to [`by_address`] where it is not known who holds it: its row cannot be read, or the leases are incomplete.
pub fn unreadable() -> Pattern {
    Pattern::parse("0f c00001  $me $server  000d { 0001 text }")
}

/// The reply to [`by_address`] where no link has it.
fn not_configured() -> Pattern {
    Pattern::parse("0f c00001  $me $server  000d { 0009 text }")
}

/// Asks until the reply is this one: how a change that the server must notice by itself is awaited.
///
/// # Panics
/// If it never is.
pub fn await_reply(requestor: &Requestor, query: &[u8], wanted: &Pattern) {
    let until = Until::patience();
    loop {
        let reply = reply_if_any(requestor, query).unwrap_or_default();
        if wanted.matches(&reply, &(0..=0)) {
            return;
        }
        let shown = crate::support::display::side_by_side(&wanted.example(), &reply);
        assert!(until.pending(), "the awaited reply did not come\n{shown}");
    }
}

/// The reply to a query; `None` if the one to a query that is always answered, asked behind it, comes instead.
///
/// While a file is loaded anew, there is silence about leases that are not known.
pub fn reply_if_any(requestor: &Requestor, query: &[u8]) -> Option<Vec<u8>> {
    let nowhere = octets("0e c00002  $me  002c 002d 01 ::  0005 0018 2001:db8:ffff::1 $zero");
    requestor.send(query);
    let (first, _) = requestor.ask(&nowhere).expect("what is not configured is answered");
    if first.get(1..4) == nowhere.get(1..4) {
        return None;
    }
    requestor.receive(PATIENCE).expect("both are answered");
    Some(first)
}

/// Asks once; the reply must be this one.
///
/// # Panics
/// If it is not.
pub fn assert_reply(requestor: &Requestor, query: &[u8], wanted: &Pattern) {
    let (reply, _) = requestor.ask(query).expect("every query is answered");
    let shown = || crate::support::display::side_by_side(&wanted.example(), &reply);
    assert!(wanted.matches(&reply, &(0..=0)), "wrong reply\n{}", shown());
}
