//! SIGHUP and SIGTERM.

use std::time::Duration;

use libtest_mimic::{Failed, Trial};

use super::{
    KEA_CONFIG, assert_reply, await_reply, by_address, fixture, held_by, lease, no_binding, not_configured,
    with_second_subnet,
};
use crate::support::lqd::PATIENCE;
use crate::support::{BACK_ENDS, Lqd, Requestor, Until, trial};

const ADDRESS: &str = "2001:db8:1::1";

pub fn trials() -> Vec<Trial> {
    let mut trials = tests! {
        sighup_applies_a_configuration,
        sighup_rejects_a_broken_configuration,
        sighup_switches_the_lease_file,
    };
    for (back_end, needs) in BACK_ENDS {
        let run = move || terminate_under_load(back_end);
        trials.push(trial(format!("cli::signals::terminate_under_load::{back_end}"), needs, run));
    }
    trials
}

/// SIGHUP applies a new configuration without a restart.
fn sighup_applies_a_configuration() -> Result<(), Failed> {
    let fixture = fixture();
    let mut lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    let in_new_subnet = by_address("2001:db8:2::1");
    assert_reply(&requestor, &in_new_subnet, &not_configured());
    let more = with_second_subnet(KEA_CONFIG);
    fixture.write_kea_config(&more);
    lqd.signal("HUP");
    await_reply(&requestor, &in_new_subnet, &no_binding());
    assert_reply(&requestor, &by_address(ADDRESS), &held_by("01", ADDRESS));
    assert!(lqd.is_running());
    fixture.write_kea_config(KEA_CONFIG);
    lqd.signal("HUP");
    await_reply(&requestor, &in_new_subnet, &not_configured());
    Ok(())
}

/// SIGHUP with another lease file replaces all leases, and the next SIGHUP works, too; a file that cannot be
/// loaded changes nothing.
fn sighup_switches_the_lease_file() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    let other = fixture.directory().join("other.csv");
    let elsewhere = KEA_CONFIG.replace("@LEASES@", &other.display().to_string());

    let before = lqd.line_count();
    fixture.write_kea_config(&elsewhere);
    lqd.signal("HUP");
    lqd.await_line(before, |line| line.contains("configuration rejected") && line.contains("other.csv"));
    assert_reply(&requestor, &by_address(ADDRESS), &held_by("01", ADDRESS));

    std::fs::write(&other, fixture.lease_file(&lease("77", "77")))?;
    lqd.signal("HUP");
    let theirs = "2001:db8:1::77";
    await_reply(&requestor, &by_address(theirs), &held_by("77", theirs));
    assert_reply(&requestor, &by_address(ADDRESS), &no_binding());

    let in_new_subnet = by_address("2001:db8:2::1");
    assert_reply(&requestor, &in_new_subnet, &not_configured());
    let more = with_second_subnet(&elsewhere);
    fixture.write_kea_config(&more);
    lqd.signal("HUP");
    await_reply(&requestor, &in_new_subnet, &no_binding());
    Ok(())
}

/// SIGHUP with an unusable configuration is rejected with its reason; the old one stays.
fn sighup_rejects_a_broken_configuration() -> Result<(), Failed> {
    let fixture = fixture();
    let mut lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    for broken in ["{ \"Dhcp6\": ", "{ \"Dhcp6\": { \"subnet6\": [ { \"id\": 1, \"subnet\": \"here\" } ] } }"]
    {
        let before = lqd.line_count();
        fixture.write_kea_config(broken);
        lqd.signal("HUP");
        lqd.await_line(before, |line| {
            line.contains("configuration rejected") && line.contains("kea-dhcp6.conf")
        });
        assert_reply(&requestor, &by_address(ADDRESS), &held_by("01", ADDRESS));
        assert!(lqd.is_running());
    }
    Ok(())
}

/// SIGTERM during a flood: exit status 0, every reply right, none repeated.
fn terminate_under_load(back_end: &str) -> Result<(), Failed> {
    const IN_FLIGHT: usize = 64;
    const BEFORE_SIGNAL: usize = 2_000;
    let fixture = fixture();
    let lqd = Lqd::start(&[fixture.flags(), vec!["--io".into(), back_end.into()]].concat());
    let requestor = Requestor::new(lqd.address);
    let (query, wanted) = (by_address(ADDRESS), held_by("01", ADDRESS).example());
    let with_id = |message: &[u8], id: usize| {
        let mut message = message.to_vec();
        // The transaction-id tells the replies apart.
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
        // Until the signal every query must be answered; after it, silence is the end.
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
