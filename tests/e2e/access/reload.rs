//! Reload of access rules: applied as a whole, or rejected as a whole.

use std::fs;

use libtest_mimic::{Failed, Trial};

use crate::conformance::fixture;
use crate::support::octets::{Pattern, octets};
use crate::support::{Lqd, Requestor, Until};

const QUERY: &str = "0e a00001  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero";
const ANSWER: &str = "0f a00001  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0";
const NOT_ALLOWED: &str = "0f a00001  $me $server  000d { 000a text }";

pub(crate) fn trials() -> Vec<Trial> {
    vec![Trial::test("access::reload", whole_or_not_at_all), Trial::test("access::check", check)]
}

fn reply(requestor: &Requestor) -> Result<Vec<u8>, Failed> {
    Ok(requestor.ask(&octets(QUERY)).ok_or("every query is answered")?.0)
}

fn await_reply(requestor: &Requestor, wanted: &str) -> Result<(), Failed> {
    let (pattern, until) = (Pattern::parse(wanted), Until::patience());
    // Replies of the old configuration are allowed until the new one is applied.
    while !pattern.matches(&reply(requestor)?, &(0..=0)) {
        assert!(until.pending(), "the awaited reply did not come: {wanted}");
    }
    Ok(())
}

fn whole_or_not_at_all() -> Result<(), Failed> {
    let fixture = fixture();
    let file = fixture.directory().join("lqd.toml");
    let row = |text: &str| format!("allow = ['::1']\n[[access]]\nprefix = '::1'\n{text}\n");
    fs::write(&file, row(""))?;
    let config = ["--config".to_owned(), file.display().to_string()];
    let lqd = Lqd::start(&[&fixture.flags()[..], &config].concat());
    let requestor = Requestor::new(lqd.address);
    await_reply(&requestor, ANSWER)?;

    fs::write(&file, row("allow = false"))?;
    lqd.signal("HUP");
    await_reply(&requestor, NOT_ALLOWED)?;

    // A good rule before a bad one must not be applied either.
    for (text, advice) in [
        ("[[access]]\nprefix = '::2'\nrate = 0.5", "6:8: access: rate: invalid type"),
        ("[[access]]\nprefix = '::1'", "5:10: access: prefix: ::1/128 has a rule already"),
        (
            "sensitive-options = [39, 46]",
            "4:26: access: sensitive-options: clt-time (46) belongs to every such reply (RFC 5007)",
        ),
        ("[[access]]\nprefix = '::2/64'", "5:10: access: prefix: has bits set beyond its length"),
    ] {
        let before = lqd.line_count();
        fs::write(&file, row(text))?;
        lqd.signal("HUP");
        lqd.await_line(before, |line| {
            line.contains("configuration rejected") && line.contains("lqd.toml") && line.contains(advice)
        });
        // The former configuration stays in force, whole.
        assert!(Pattern::parse(NOT_ALLOWED).matches(&reply(&requestor)?, &(0..=0)), "{text}");
    }

    fs::write(&file, row(""))?;
    lqd.signal("HUP");
    await_reply(&requestor, ANSWER)?;
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// `lqd check` prints the rights of each rule, and warns of rules that admit no requestor.
fn check() -> Result<(), Failed> {
    let fixture = fixture();
    let file = fixture.directory().join("lqd.toml");
    fs::write(
        &file,
        "allow = ['2001:db8::/32']\nrate = 10\n[[access]]\nprefix = '2001:db8:1::/48'\nquery-types = ['address']\n\
         [[access]]\nprefix = 'fd00::/8'\nprefix-rate = 5\n",
    )?;
    let config = ["check".to_owned(), "--config".to_owned(), file.display().to_string()];
    let ended = Lqd::run(&[&config[..], &fixture.flags()].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for line in [
        "answers        2001:db8:1::/48 2001:db8::/32",
        "access         2001:db8:1::/48: allowed, by address only, 10 a second for each address (burst 10)",
        "access         fd00::/8: not allowed, 10 a second for each address (burst 10), 5 a second for the prefix (burst 5)",
        "warning        access rule fd00::/8 allows no requestor, as no network of --allow contains all of it; write \
         allow = true into the rule, or allow = false if that is intended",
    ] {
        assert!(ended.stdout.lines().any(|printed| printed == line), "{line}\n{}", ended.stdout);
    }
    Ok(())
}
