//! A query before the load, so that an absent target is reported in seconds, not after the run.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::{Duration, Instant};

use lqd_wire::TransactionId;

use super::reply::{self, Reply};
use super::transport::{self, Batch, Transport};
use crate::error::Error;
use crate::query::{Encoder, Query, Subject};

const TRIES: u32 = 3;
/// A transaction-id that the load does not start with.
const ID: TransactionId = TransactionId([0xff, 0xff, 0xff]);

/// Waits until the target has answered a query for a free address, in whatever way, or has echoed it.
pub(super) fn probe(
    target: SocketAddrV6,
    encoder: &Encoder,
    timeout: Duration,
    echo: bool,
) -> Result<(), Error> {
    let failed = |step| {
        move |source: io::Error| match source.kind() {
            io::ErrorKind::ConnectionRefused => Error::Refused(target),
            _ => Error::Socket { target, step, source },
        }
    };
    let mut transport = Transport::connect(target, None).map_err(transport::connect_error(target))?;
    let mut batch = Batch::new(Encoder::LEN_MAX);
    // A free address: the reply is short, and no client is in it.
    let query = Query { subject: Subject::Address, relayed: false, lease: 0, client: 0, salt: 0 };
    batch
        .push(|w| encoder.write_for(w, ID, query, Ipv6Addr::LOCALHOST, &[]))
        .expect("a batch has room for a query at its longest");
    for _ in 0..TRIES {
        // A refusal shows here only at the second try, as ICMPv6 takes its time.
        transport.send(&batch).map_err(failed("sending a query"))?;
        let until = Instant::now() + timeout;
        let mut answered = false;
        while !answered && Instant::now() < until {
            let wait = until.saturating_duration_since(Instant::now());
            let received = transport.receive(wait, |octets| {
                let is_echo = || reply::transaction_id(octets) == Some(ID);
                // Any reply proves the server, even a refusal.
                answered |= if echo { is_echo() } else { Reply::parse(octets).is_some() };
            });
            // Answers that do not parse are skipped until the time is over.
            received.map_err(failed("waiting for an answer"))?;
        }
        if answered {
            return Ok(());
        }
    }
    // Servers drop what they do not allow, so silence is the likeliest misconfiguration.
    Err(Error::Silent { target, tries: TRIES, timeout })
}
