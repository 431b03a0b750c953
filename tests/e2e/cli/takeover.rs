//! Takeover of the port by a new server, and reloads, while queries arrive at full rate: none is lost,
//! answered wrongly, or answered twice.

use std::collections::BTreeSet;
use std::net::SocketAddrV6;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use libtest_mimic::{Failed, Trial};

use super::{KEA_CONFIG, by_address, fixture, held_by};
use crate::support::lqd::{PATIENCE, PROGRAM, free_port};
use crate::support::octets::Pattern;
use crate::support::{BACK_ENDS, Fixture, Lqd, Requestor, Until, trial};

/// Number of servers that replace one another.
const GENERATIONS: usize = 5;
/// Number of requestors, each on its own port, so that queries reach every worker.
const REQUESTORS: usize = 4;
/// Outstanding queries of each requestor.
const IN_FLIGHT: usize = 64;
/// Number of answers between two events.
const PACE: usize = 2_000;

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (back_end, needs) in BACK_ENDS {
        for listen in ["[::1]", "[::]"] {
            let name = format!("cli::takeover::rolling_restart::{back_end}::{listen}");
            trials.push(trial(name, needs, move || rolling_restart(back_end, listen)));
        }
        let name = format!("cli::takeover::broken_configuration::{back_end}");
        trials.push(trial(name, needs, move || broken_configuration(back_end)));
    }
    trials
}

/// Starts a new process beside the old one, then ends the old one by SIGTERM, several times.
fn rolling_restart(back_end: &str, listen: &str) -> Result<(), Failed> {
    let fixture = fixture();
    let address = SocketAddrV6::new("::1".parse()?, free_port(), 0, 0);
    let start = || {
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--workers", "2", "--io", back_end]).args(fixture.flags());
        command.arg("--listen").arg(format!("{listen}:{}", address.port()));
        Lqd::start_command(command, address)
    };
    let mut lqd = start();
    let flood = Flood::default();
    flood.during(address, || {
        for _ in 0..GENERATIONS {
            flood.await_answers(PACE);
            let old = std::mem::replace(&mut lqd, start());
            flood.await_answers(PACE);
            // Kea's configuration stores no relay data, the only warning to expect.
            assert!(old.line_with("WARN").is_none_or(|line| line.contains("relay data")), "{}", old.log());
            assert_eq!(old.stop(), 0);
        }
    });
    Ok(())
}

/// SIGHUP with unusable files, then with good ones, repeatedly.
fn broken_configuration(back_end: &str) -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&[fixture.flags(), vec!["--io".into(), back_end.into()]].concat());
    let broken: [(&str, &[&str]); 3] = [
        ("{ \"Dhcp6\": ", &["configuration rejected", "kea-dhcp6.conf:1:", "fix it"]),
        (&KEA_CONFIG.replace("2001:db8:1::/64", "2001:db8:1::/164"), &["configuration rejected", "/164"]),
        (
            &KEA_CONFIG.replace("@LEASES@", "/nonexistent/kea-leases6.csv"),
            &["configuration rejected", "/nonexistent"],
        ),
    ];
    let flood = Flood::default();
    flood.during(lqd.address, || {
        for (text, wanted) in broken {
            reload_and_await(&lqd, &fixture, text, wanted);
            flood.await_answers(PACE);
            reload_and_await(&lqd, &fixture, KEA_CONFIG, &["configuration applied"]);
            flood.await_answers(PACE);
        }
    });
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// Reloads with this configuration; a log line with all of `wanted` must follow.
fn reload_and_await(lqd: &Lqd, fixture: &Fixture, kea_config: &str, wanted: &[&str]) {
    let before = lqd.line_count();
    fixture.write_kea_config(kea_config);
    lqd.signal("HUP");
    lqd.await_line(before, |line| wanted.iter().all(|part| line.contains(part)));
}

/// Requestors at full rate, for the leases of clients 01, 02 and 03.
#[derive(Default)]
struct Flood {
    answers: AtomicUsize,
    over: AtomicBool,
}

impl Flood {
    /// Sends queries while `work` runs.
    ///
    /// # Panics
    /// If a query is not answered in time, wrongly, or twice.
    fn during(&self, server: SocketAddrV6, work: impl FnOnce()) {
        thread::scope(|scope| {
            let requestors: Vec<_> = (0..REQUESTORS).map(|_| scope.spawn(|| self.ask(server))).collect();
            // A panic in `work` must not leave the requestors running.
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            self.over.store(true, Ordering::Relaxed);
            for requestor in requestors {
                requestor.join().expect("a requestor fails");
            }
            done.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        });
    }

    /// Waits for `count` more answers.
    fn await_answers(&self, count: usize) {
        let (wanted, until) = (self.answers.load(Ordering::Relaxed) + count, Until::patience());
        while self.answers.load(Ordering::Relaxed) < wanted {
            assert!(until.pending(), "the flood is not answered");
        }
    }

    fn ask(&self, server: SocketAddrV6) {
        let requestor = Requestor::new(server);
        let questions: Vec<(Vec<u8>, Pattern)> = ["1", "2", "3"]
            .map(|host| {
                let address = format!("2001:db8:1::{host}");
                (by_address(&address), held_by(&format!("0{host}"), &address))
            })
            .into();
        let mut waiting = BTreeSet::new();
        let mut next = 0_u32;
        loop {
            while waiting.len() < IN_FLIGHT && !self.over.load(Ordering::Relaxed) {
                let mut query = questions[next as usize % questions.len()].0.clone();
                query[1..4].copy_from_slice(&next.to_be_bytes()[1..]);
                requestor.send(&query);
                waiting.insert(next);
                next += 1;
            }
            // Every query must be answered, so the end is an empty set, not silence.
            if waiting.is_empty() {
                return;
            }
            let (mut reply, _) = requestor
                .receive(PATIENCE)
                .unwrap_or_else(|| panic!("{} queries are unanswered", waiting.len()));
            let id = u32::from_be_bytes([0, reply[1], reply[2], reply[3]]);
            assert!(waiting.remove(&id), "reply {id} is repeated or was not asked for");
            let (query, wanted) = &questions[id as usize % questions.len()];
            reply[1..4].copy_from_slice(&query[1..4]);
            assert!(wanted.matches(&reply, &(0..=0)), "a wrong reply: {reply:02x?}");
            self.answers.fetch_add(1, Ordering::Relaxed);
        }
    }
}
