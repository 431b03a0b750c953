//! SIGHUP and SIGTERM.

use std::time::Duration;

use libtest_mimic::{Failed, Trial};

use super::{
    KEA_CONFIG, assert_reply, await_reply, by_address, fixture, held_by, held_by_nobody, lease,
    not_configured,
};
use crate::support::lqd::PATIENCE;
use crate::support::{Lqd, Need, Requestor, Until, trial};

const ADDRESS: &str = "2001:db8:1::1";

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("cli::signals::new_configuration", new_configuration),
        Trial::test("cli::signals::broken_configuration", broken_configuration),
        Trial::test("cli::signals::another_lease_file", another_lease_file),
    ];
    for (back_end, needs) in [("uring", &[Need::IoUring][..]), ("mmsg", &[])] {
        let run = move || terminate_under_load(back_end);
        trials.push(trial(format!("cli::signals::terminate_under_load::{back_end}"), needs, run));
    }
    trials
}

/// SIGHUP: the new configuration holds, without a restart.
fn new_configuration() -> Result<(), Failed> {
    let fixture = fixture();
    let mut lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    let in_new_subnet = by_address("2001:db8:2::1");
    assert_reply(&requestor, &in_new_subnet, &not_configured());
    let more = KEA_CONFIG.replace("// @SUBNETS@", "{ \"id\": 2, \"subnet\": \"2001:db8:2::/64\" },");
    fixture.write_kea_config(&more);
    lqd.signal("HUP");
    await_reply(&requestor, &in_new_subnet, &held_by_nobody());
    assert_reply(&requestor, &by_address(ADDRESS), &held_by("01", ADDRESS));
    assert!(lqd.is_running());
    fixture.write_kea_config(KEA_CONFIG);
    lqd.signal("HUP");
    await_reply(&requestor, &in_new_subnet, &not_configured());
    Ok(())
}

/// SIGHUP with another lease file: its leases take the place of the old ones, and the next SIGHUP is obeyed, too. One
/// that cannot be loaded changes nothing.
fn another_lease_file() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    let other = fixture.directory().join("other.csv");
    let elsewhere = KEA_CONFIG.replace("@LEASES@", &other.display().to_string());

    let before = lqd.line_count();
    fixture.write_kea_config(&elsewhere);
    lqd.signal("HUP");
    lqd.await_line(before, |line| line.contains("not taken over") && line.contains("other.csv"));
    assert_reply(&requestor, &by_address(ADDRESS), &held_by("01", ADDRESS));

    let header = crate::support::fixture::LEASES_HEADER;
    std::fs::write(&other, format!("{header}\n{}", fixture.rows(&lease("77", "77"))))?;
    lqd.signal("HUP");
    let theirs = "2001:db8:1::77";
    await_reply(&requestor, &by_address(theirs), &held_by("77", theirs));
    assert_reply(&requestor, &by_address(ADDRESS), &held_by_nobody());

    let in_new_subnet = by_address("2001:db8:2::1");
    assert_reply(&requestor, &in_new_subnet, &not_configured());
    let more = elsewhere.replace("// @SUBNETS@", "{ \"id\": 2, \"subnet\": \"2001:db8:2::/64\" },");
    fixture.write_kea_config(&more);
    lqd.signal("HUP");
    await_reply(&requestor, &in_new_subnet, &held_by_nobody());
    Ok(())
}

/// SIGHUP with a configuration that cannot be used: refused with its reason, and the old one stays.
fn broken_configuration() -> Result<(), Failed> {
    let fixture = fixture();
    let mut lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    for broken in ["{ \"Dhcp6\": ", "{ \"Dhcp6\": { \"subnet6\": [ { \"id\": 1, \"subnet\": \"here\" } ] } }"]
    {
        let before = lqd.line_count();
        fixture.write_kea_config(broken);
        lqd.signal("HUP");
        lqd.await_line(before, |line| line.contains("not taken over") && line.contains("kea-dhcp6.conf"));
        assert_reply(&requestor, &by_address(ADDRESS), &held_by("01", ADDRESS));
        assert!(lqd.is_running());
    }
    Ok(())
}

/// SIGTERM in the middle of a flood: exit status 0, and every reply that came is a right one, none twice.
fn terminate_under_load(back_end: &str) -> Result<(), Failed> {
    const IN_FLIGHT: usize = 64;
    const BEFORE_SIGNAL: usize = 2_000;
    let fixture = fixture();
    let lqd = Lqd::start(&[fixture.flags(), vec!["--io".into(), back_end.into()]].concat());
    let requestor = Requestor::new(lqd.address);
    let (query, wanted) = (by_address(ADDRESS), held_by("01", ADDRESS).example());
    let with_id = |message: &[u8], id: usize| {
        let mut message = message.to_vec();
        message[1..4].copy_from_slice(&(id as u32).to_be_bytes()[1..]);
        message
    };
    let (mut sent, mut replies, until) = (0, 0, Until::patience());
    let mut pending = Vec::new();
    while !until.is_over() {
        while pending.len() < IN_FLIGHT {
            requestor.send(&with_id(&query, sent));
            pending.push(sent);
            sent += 1;
        }
        // Before the signal every query is answered; after it, silence is the end.
        let wait = if replies < BEFORE_SIGNAL { PATIENCE } else { Duration::from_secs(1) };
        let Some((reply, _)) = requestor.receive(wait) else { break };
        let found = pending.iter().position(|&id| reply == with_id(&wanted, id));
        let position = found.ok_or_else(|| format!("not the reply to any open query: {reply:02x?}"))?;
        pending.swap_remove(position);
        replies += 1;
        if replies == BEFORE_SIGNAL {
            lqd.signal("TERM");
        }
    }
    assert!(replies >= BEFORE_SIGNAL, "only {replies} replies before the signal; {}", lqd.log());
    assert_eq!(lqd.exit_code(), 0);
    Ok(())
}
