//! `lqload flood`: datagrams that a server should discard cheaply, at a steady rate, to measure their cost to
//! the server.
//!
//! No answers are expected, so there is no window: datagrams leave by the clock, and answers are counted to
//! measure amplification.
#![allow(rustdoc::broken_intra_doc_links, reason = "these are help texts: [::1] is an address")]

mod datagrams;

use std::net::SocketAddrV6;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lqd_net::{ConnectedSocket, ConnectedSocketOptions};

use crate::error::Error;
use crate::run::{Rate, cpu};
use crate::value::{duration, target};
use datagrams::{DatagramKind, Datagrams};

/// Largest batch of datagrams handed to the kernel at once.
const BATCH_MAX: usize = 64;
/// Interval between two batches.
const TICK: Duration = Duration::from_micros(500);
/// Time to wait for the last answers.
const SETTLE: Duration = Duration::from_millis(200);

/// Sends datagrams that a server should spend little on, and reports their cost.
///
/// They leave from one source port at a fixed rate, whatever comes back. Give --server-pid to see the
/// server's CPU time, choose a rate that the server sustains, and compare with `lqload run --echo` against
/// the baseline.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Address and port of the server, such as [2001:db8::1]:547
    #[arg(long, value_name = "[ADDR]:PORT", value_parser = target)]
    target: SocketAddrV6,
    /// Kind of datagram to send
    #[arg(long, value_enum, default_value_t = DatagramKind::Garbage)]
    kind: DatagramKind,
    /// Lease file of Kea with the clients of the queries; required by --kind largest, which queries the
    /// client with the most leases
    #[arg(long, value_name = "FILE")]
    leases: Vec<PathBuf>,
    /// Number of relay agents around a query, for --kind relayed
    #[arg(long, value_name = "COUNT", default_value_t = 32, value_parser = clap::value_parser!(u8).range(1..=64))]
    hops: u8,
    /// Datagrams per second, such as 5000, 20k or 1.5M
    #[arg(long, value_name = "RATE", default_value = "20k")]
    rate: Rate,
    /// Time to send for, such as 5s or 1min
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    duration: Duration,
    /// Process id of the server, on this host: reports its CPU time per datagram
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
}

/// Counts of sent and received datagrams.
#[derive(Default)]
struct Count {
    sent: u64,
    sent_octets: u64,
    refused: u64,
    answers: u64,
    answer_octets: u64,
}

/// Sends the flood and prints the counts.
pub(crate) fn flood(options: &Options) -> Result<(), Error> {
    // The schedule below counts from a constant rate.
    if options.rate.is_ramp() {
        return Err(Error::Ramp);
    }
    let mut datagrams = Datagrams::new(options.kind, options.hops, &options.leases)?;
    let connected = ConnectedSocket::connect(
        // Large buffers, so that the flood is limited by the server and not by this socket.
        options.target,
        ConnectedSocketOptions { receive_buffer: 8 << 20, send_buffer: 8 << 20, gso: None, gro: false },
    );
    let mut requestor = connected.map_err(|source| Error::Connect { target: options.target, source })?;
    // Read after the leases: only the flood is measured.
    let before = options.server_pid.map(cpu::of_process).transpose()?;
    let mut count = Count::default();
    send_by_the_clock(options, &mut requestor, &mut datagrams, &mut count);
    let after = options.server_pid.map(cpu::of_process).transpose()?;
    report(&count, after.zip(before).map(|(after, before)| after - before));
    Ok(())
}

fn send_by_the_clock(
    options: &Options,
    requestor: &mut ConnectedSocket,
    datagrams: &mut Datagrams,
    count: &mut Count,
) {
    let start = Instant::now();
    while start.elapsed() < options.duration {
        // By the clock, not by sleeping: a late batch is made up for by the next ones.
        let due = (start.elapsed().as_secs_f64() * options.rate.max()) as u64;
        let missing = due.saturating_sub(count.sent + count.refused);
        // A batch is bounded, so that answers are drained in between.
        let (octets, ends) = datagrams.next(BATCH_MAX.min(missing as usize));
        match requestor.send(octets, ends) {
            Ok(sent) => {
                count.sent += sent as u64;
                // `ends` are cumulative, so the last one sent gives the octets.
                count.sent_octets += sent.checked_sub(1).map_or(0, |last| ends[last] as u64);
            }
            // Such an error belongs to an earlier datagram, for example port unreachable.
            Err(_) => count.refused += ends.len() as u64,
        }
        // Behind schedule: only drain the answers, and send again at once.
        let wait = if missing > BATCH_MAX as u64 { Duration::ZERO } else { TICK };
        receive(requestor, wait, count);
    }
    // Answers may still be queued at the server when the last datagram has left.
    let settled = Instant::now() + SETTLE;
    while Instant::now() < settled {
        receive(requestor, TICK, count);
    }
}

fn receive(requestor: &mut ConnectedSocket, wait: Duration, count: &mut Count) {
    let Count { answers, answer_octets, .. } = count;
    // An error is a port unreachable, which the count of answers shows.
    let _ = requestor.receive(wait, |octets| {
        *answers += 1;
        *answer_octets += octets.len() as u64;
    });
}

fn report(count: &Count, server_cpu: Option<Duration>) {
    let Count { sent, sent_octets, refused, answers, answer_octets } = *count;
    // Without datagrams the mean is 0, not an error.
    let each = |octets: u64, count: u64| octets as f64 / count.max(1) as f64;
    println!("sent       {sent} datagrams of {:.0} octets", each(sent_octets, sent));
    println!("refused    {refused}");
    println!("answers    {answers} of {:.0} octets", each(answer_octets, answers));
    println!("amplified  {:.2} times in octets", each(answer_octets, sent_octets));
    if let Some(cpu) = server_cpu {
        println!("server     {:.2} µs of CPU per datagram", cpu.as_secs_f64() * 1e6 / sent.max(1) as f64);
    }
}
