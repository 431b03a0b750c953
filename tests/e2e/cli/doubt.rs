//! Clients that may hold a lease whose row is unreadable: no reply shows their known leases as complete.

use libtest_mimic::{Failed, Trial};

use super::{await_reply, by_address, fixture, held_by, lease, unspec_fail};
use crate::support::octets::{Pattern, octets};
use crate::support::{Fixture, Lqd, Requestor};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("cli::doubt::loaded", || doubt(true)),
        Trial::test("cli::doubt::followed", || doubt(false)),
    ]
}

fn by_client(client: &str) -> Vec<u8> {
    octets(&format!("0e c00001  $me  002c 001f 02 ::  $c{client}"))
}

/// Returns an unreadable row of client `client` for 2001:db8:1::`host`.
fn unreadable_row(host: &str, client: &str) -> String {
    format!(
        "2001:db8:1::{host},00:03:00:01:02:00:00:00:00:{client},never,4102444800,1,4294967295,0,1,128,0,0,,,0,,1,0,0\n"
    )
}

/// Queries each client: expects its only address, UnspecFail, or no binding.
fn expect(requestor: &Requestor, clients: &[(&str, Option<Pattern>)]) {
    // Bindings differ by client, so each has its own pattern.
    for (client, reply) in clients {
        let nothing = Pattern::parse("0f c00001  $me $server");
        await_reply(requestor, &by_client(client), reply.as_ref().unwrap_or(&nothing));
    }
}

/// An unreadable row makes the former holder and the client it names uncertain: they get UnspecFail, by
/// client-id and by address, until a readable row of the address follows; other clients are unaffected.
fn doubt(is_loaded: bool) -> Result<(), Failed> {
    let fixture: Fixture = fixture();
    let good = [lease("1", "01"), lease("2", "01"), lease("3", "02")].join("\n") + "\n";
    let bad = unreadable_row("1", "07");
    let header = crate::support::fixture::LEASES_HEADER;
    let at_first = if is_loaded { &bad[..] } else { "" };
    fixture.write_leases(&format!("{header}\n{}{at_first}", fixture.rows(&good)));
    let lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    if !is_loaded {
        fixture.append_leases(&bad);
    }
    let held = |client, address| Some(held_by(client, address));
    let uncertain = || Some(unspec_fail());
    for address in ["2001:db8:1::1", "2001:db8:1::2"] {
        await_reply(&requestor, &by_address(address), &unspec_fail());
    }
    expect(&requestor, &[("01", uncertain()), ("07", uncertain()), ("02", held("02", "2001:db8:1::3"))]);

    fixture.append_leases(&(lease("1", "03") + "\n"));
    await_reply(&requestor, &by_address("2001:db8:1::1"), &held_by("03", "2001:db8:1::1"));
    expect(
        &requestor,
        &[("01", held("01", "2001:db8:1::2")), ("03", held("03", "2001:db8:1::1")), ("07", None)],
    );

    // Append two rows at once: the former holder must be uncertain at every moment.
    fixture.append_leases(&[&lease("4", "05"), "\n", &unreadable_row("4", "01")].concat());
    await_reply(&requestor, &by_address("2001:db8:1::4"), &unspec_fail());
    expect(&requestor, &[("05", uncertain()), ("01", uncertain()), ("03", held("03", "2001:db8:1::1"))]);

    fixture.append_leases(
        "2001:db8:1::4,00:03:00:01:02:00:00:00:00:05,0,4102444800,1,0,0,1,128,0,0,,,0,,1,0,0\n",
    );
    await_reply(&requestor, &by_address("2001:db8:1::4"), &super::no_binding());
    expect(&requestor, &[("05", None), ("01", held("01", "2001:db8:1::2"))]);
    Ok(())
}
