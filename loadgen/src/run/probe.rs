//! One query before the load: a target that is not there is told in seconds, not after the run.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::{Duration, Instant};

use lqd_wire::TransactionId;

use super::reply::Reply;
use super::transport::{Batch, Transport, Udp};
use crate::fault::Fault;
use crate::query::{Encoder, Subject};

const TRIES: u32 = 3;
/// An id that the load does not start with.
const ID: TransactionId = TransactionId([0xff, 0xff, 0xff]);

/// Waits until the target has answered a query for a free address, in whatever way.
pub(super) fn probe(target: SocketAddrV6, encoder: &Encoder, timeout: Duration) -> Result<(), Fault> {
    let failed = |step| {
        move |source: io::Error| match source.kind() {
            io::ErrorKind::ConnectionRefused => Fault::Refused(target),
            _ => Fault::Socket { target, step, source },
        }
    };
    let mut udp = Udp::connect(target).map_err(failed("connecting"))?;
    let mut batch = Batch::new(Encoder::LEN_MAX);
    batch
        .push(|w| encoder.write(w, ID, Subject::Address, Ipv6Addr::LOCALHOST, &[]))
        .expect("a batch has room for a query at its longest");
    for _ in 0..TRIES {
        udp.send(&batch).map_err(failed("sending a query"))?;
        let until = Instant::now() + timeout;
        let mut answered = false;
        while !answered && Instant::now() < until {
            let wait = until.saturating_duration_since(Instant::now());
            udp.receive(wait, |octets| answered |= Reply::parse(octets).is_some())
                .map_err(failed("waiting for an answer"))?;
        }
        if answered {
            return Ok(());
        }
    }
    Err(Fault::Silent { target, tries: TRIES, timeout })
}
