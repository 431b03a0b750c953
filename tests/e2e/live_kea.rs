//! lqd beside a running Kea: clients come and go, and every answer must agree with Kea's own leases.
//!
//! Kea runs in a network namespace of its own behind a veth pair (`lab`); perfdhcp and a small client
//! (`client`) make leases; lqd follows the lease file from the start. After each step, [`Ledger::agree`]
//! queries lqd for every lease by address and by client-id, and for all former leases. Kea 2.2 is the oldest
//! supported version; the tests use no command that it lacks.

mod agreement;
mod answer;
mod client;
mod expiry;
mod following;
mod kea;
mod lab;
mod option_levels;
mod option_types;
mod perfdhcp;
mod plan;
mod relays;

use libtest_mimic::{Failed, Trial};

use crate::support::namespace::namespace_trial;
use crate::support::{Lqd, Need};
use agreement::Ledger;
use answer::LiveRequestor;
use kea::{Kea, Settings};
use lab::Lab;

/// A scenario: name, Kea's settings, steps.
type Scenario = (&'static str, Settings, fn(&mut Stage));

const DEFAULT: Settings = Settings { lfc_interval_s: 0, valid_s: 4000 };

const SCENARIOS: &[Scenario] = &[
    ("clients come, renew and leave", DEFAULT, following::clients_come_and_leave),
    (
        "the lease file is cleaned up every second",
        Settings { lfc_interval_s: 1, ..DEFAULT },
        following::cleanup_under_way,
    ),
    ("leases change by command", DEFAULT, following::leases_change_by_command),
    ("Kea restarts and crashes", Settings { lfc_interval_s: 1, ..DEFAULT }, following::kea_restarts),
    ("relay data equals the relays' messages", DEFAULT, relays::relay_data),
    ("leases expire at their second", Settings { valid_s: 8, ..DEFAULT }, expiry::at_its_second),
];

pub(crate) fn trials() -> Vec<Trial> {
    let scenarios = SCENARIOS.iter().map(|&(name, settings, run)| scenario(name, settings, run));
    let types = namespace_trial(
        "live_kea: options of every type equal those that Kea sends",
        &[Need::Kea],
        option_types::every_type,
    );
    let refused_sends = Trial::test("live_kea: only refused sends start perfdhcp again", || {
        perfdhcp::only_refused_sends_start_it_again();
        Ok(())
    });
    let levels = namespace_trial(
        "live_kea: options of every level equal those that Kea sends",
        &[Need::Kea],
        option_levels::every_level,
    );
    scenarios.chain([types, refused_sends, levels]).collect()
}

fn scenario(name: &str, settings: Settings, run: fn(&mut Stage)) -> Trial {
    namespace_trial(format!("live_kea: {name}"), &[Need::Kea], move || {
        if plan::lease_cmds_hook().is_none() {
            return Err(Failed::from("Kea's hook libdhcp_lease_cmds.so is not installed"));
        }
        run(&mut Stage::set(settings));
        Ok(())
    })
}

/// Environment of a scenario.
struct Stage {
    requestor: LiveRequestor,
    lqd: Lqd,
    kea: Kea,
    lab: Lab,
    ledger: Ledger,
}

impl Stage {
    fn set(settings: Settings) -> Self {
        let lab = Lab::new();
        let kea = Kea::start(&lab, settings);
        let lqd = follower(&kea);
        Self { requestor: LiveRequestor::new(lqd.address), lqd, kea, lab, ledger: Ledger::default() }
    }

    /// Waits until all answers agree with Kea's leases.
    fn agree(&mut self) -> agreement::Tally {
        self.ledger.agree(&self.kea, &self.requestor)
    }
}

/// Starts an lqd that reads Kea's configuration and follows its lease file.
fn follower(kea: &Kea) -> Lqd {
    Lqd::start(&["--kea-config".as_ref(), kea.config().as_os_str()])
}
