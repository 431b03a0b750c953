//! The conformance table against the binary over UDP, on each back end.
//!
//! Relayed rows need port 547 of `::1`, and silently denied rows a second address: those run in a network
//! namespace of their own, the others anywhere.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::process::Command;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};

use super::run::Answer;
use super::{Row, Server, Setup, check_rows, fixture, probe_query, rows};
use crate::support::fixture::seconds_since_1970;
use crate::support::lqd::{PATIENCE, PROGRAM};
use crate::support::namespace::{add_address, namespace_trial};
use crate::support::requestor::Probe;
use crate::support::{BACK_ENDS, Fixture, Lqd, Requestor, Until, all_passed, trial};

/// Port of relays and servers.
const SERVER_PORT: u16 = 547;

/// Address that [`Setup::Denied`] and [`Setup::DeniedSilently`] allow.
const ALLOWED: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1);

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (back_end, needs) in BACK_ENDS {
        for setup in Setup::ALL.into_iter().filter(|&setup| plain_rows(setup).next().is_some()) {
            // Each back end runs the rows by itself.
            let run = move || check_rows(&Udp::start(setup, back_end)?, plain_rows(setup));
            trials.push(trial(format!("conformance::udp::{back_end}::{setup:?}"), needs, run));
        }
        let run = move || check_in_namespace(back_end);
        trials.push(namespace_trial(format!("conformance::udp::{back_end}::relayed"), needs, run));
        let run = move || answers_from_the_address_asked(back_end);
        trials.push(namespace_trial(format!("conformance::udp::{back_end}::wildcard"), needs, run));
    }
    trials
}

/// Rows that need only a port of `::1`.
pub fn plain_rows(setup: Setup) -> impl Iterator<Item = &'static Row> {
    udp_rows(setup).filter(|row| !needs_namespace(row))
}

fn udp_rows(setup: Setup) -> impl Iterator<Item = &'static Row> {
    rows().filter(move |row| row.setup == setup && row.at == 0)
}

fn needs_namespace(row: &Row) -> bool {
    const RELAY_MESSAGES: [&str; 2] = ["0c", "0d"];
    row.setup == Setup::DeniedSilently || RELAY_MESSAGES.iter().any(|start| row.query.starts_with(start))
}

fn check_in_namespace(back_end: &str) -> Result<(), Failed> {
    add_address(&format!("{ALLOWED}/128"), "lo")?;
    let mut failures = Vec::new();
    for setup in Setup::ALL {
        let mut udp = Udp::start(setup, back_end)?;
        // Port 547 is the relay agent's, and needs a namespace.
        let relay = SocketAddrV6::new(Ipv6Addr::LOCALHOST, SERVER_PORT, 0, 0);
        udp.relay = Some(Requestor::bound(relay, udp.lqd.address));
        if let Err(failed) = check_rows(&udp, udp_rows(setup)) {
            failures.push(format!("set up as {setup:?}: {}", failed.message().unwrap_or_default()));
        }
    }
    all_passed(&failures)
}

/// S33: a server that listens at all addresses answers from the address of the query.
fn answers_from_the_address_asked(back_end: &str) -> Result<(), Failed> {
    let addresses = [Ipv6Addr::LOCALHOST, ALLOWED, Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 2)];
    for address in &addresses[1..] {
        add_address(&format!("{address}/128"), "lo")?;
    }
    let fixture = fixture();
    let mut command = Command::new(PROGRAM);
    command.arg("serve").args(fixture.flags()).args(["--io", back_end, "--allow", "::/0"]);
    let lqd = Lqd::start_command(command, SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, SERVER_PORT, 0, 0));
    // Each pair, as the source decides which route back is taken.
    for to in addresses {
        for source in addresses {
            let server = SocketAddrV6::new(to, SERVER_PORT, 0, 0);
            let requestor = Requestor::bound(SocketAddrV6::new(source, 0, 0, 0), server);
            let (_, from) = requestor.ask(&probe_query()).ok_or(format!("no reply from {to} to {source}"))?;
            // A reply from another address would be dropped by the requestor.
            if from != server {
                return Err(format!("asked at {server}, answered from {from}").into());
            }
        }
    }
    stop(lqd)
}

/// A running server, with the sockets that query it.
pub struct Udp {
    /// The server.
    pub lqd: Lqd,
    /// A query that is always answered, with its reply.
    pub probe: Probe,
    fixture: Fixture,
    requestor: Requestor,
    /// Socket for probes: another one than `requestor` only where that one is never answered.
    allowed: Option<Requestor>,
    /// Port 547, if in a network namespace.
    relay: Option<Requestor>,
}

impl Udp {
    /// Starts a server for rows of this setup.
    ///
    /// # Errors
    /// It does not answer.
    pub fn start(setup: Setup, back_end: &str) -> Result<Self, Failed> {
        let fixture = fixture();
        // One worker keeps the order of queries from different sockets.
        let mut flags = vec!["--io".to_owned(), back_end.to_owned(), "--workers".to_owned(), "1".to_owned()];
        flags.extend(fixture.flags());
        flags.extend(setup.flags().iter().map(|&flag| flag.to_owned()));
        let lqd = Lqd::start(&flags);
        let requestor = Requestor::new(lqd.address);
        let allowed = (setup == Setup::DeniedSilently)
            // Denied sources get silence, so the probe needs an allowed one.
            .then(|| Requestor::bound(SocketAddrV6::new(ALLOWED, 0, 0, 0), lqd.address));
        let query = probe_query();
        let (reply, _) =
            allowed.as_ref().unwrap_or(&requestor).ask(&query).ok_or("the probe is not answered")?;
        let probe = Probe { query, reply };
        Ok(Self { lqd, fixture, requestor, allowed, relay: None, probe })
    }

    /// Keeps a datagram that is not the probe's reply; returns true once the probe's reply has arrived.
    fn sort(
        &self,
        socket: &Requestor,
        wait: Duration,
        answers: &mut Vec<(SocketAddrV6, Vec<u8>)>,
    ) -> Result<bool, String> {
        let Some((datagram, from)) = socket.receive(wait) else {
            return Ok(false);
        };
        // A reply must come from the address that was asked.
        if from != self.lqd.address {
            return Err(format!("asked at {}, answered from {from}", self.lqd.address));
        }
        if datagram == self.probe.reply {
            return Ok(true);
        }
        answers.push((socket.local(), datagram));
        Ok(false)
    }
}

impl Server for Udp {
    fn source(&self) -> SocketAddrV6 {
        self.requestor.local()
    }

    fn ask(&self, query: &[u8], _at: u32, answered: bool) -> Result<Option<Answer>, String> {
        const GLANCE: Duration = Duration::from_millis(1);
        // A reply precedes the probe's; wait a little longer, in case that this order is what is wrong.
        const GRACE: Duration = Duration::from_secs(2);
        let began = seconds_since_1970().saturating_sub(self.fixture.now + 1); // its clock may be read a tick late
        // The query goes first: one worker keeps the order.
        self.requestor.send(query);
        let prober = self.allowed.as_ref().unwrap_or(&self.requestor);
        prober.send(&self.probe.query);
        let (mut until, mut answers, mut probed) = (Until::after(PATIENCE), Vec::new(), false);
        // Ends with the probe's answer, or a little later if an answer is missing.
        while !until.is_over() && (!probed || (answered && answers.is_empty())) {
            if self.sort(prober, if probed { GLANCE } else { PATIENCE }, &mut answers)? {
                (probed, until) = (true, Until::after(GRACE));
            }
            for socket in self.relay.iter().chain(self.allowed.is_some().then_some(&self.requestor)) {
                self.sort(socket, GLANCE, &mut answers)?;
            }
        }
        if !probed {
            // The log is the only trace of a server that has stopped answering.
            return Err(format!(
                "the probe behind it is not answered; the server wrote:\n{}",
                self.lqd.log()
            ));
        }
        let elapsed = began..=seconds_since_1970() - self.fixture.now;
        match answers.len() {
            0 => Ok(None),
            1 => Ok(answers.pop().map(|(to, reply)| Answer { to, reply, elapsed })),
            // A second reply would be taken for an answer to another query.
            more => Err(format!("{more} replies to one query")),
        }
    }
}

fn stop(lqd: Lqd) -> Result<(), Failed> {
    match lqd.stop() {
        0 => Ok(()),
        code => Err(format!("SIGTERM ended the server with {code}").into()),
    }
}
