//! `lqload flood`: datagrams that a server should get rid of cheaply, at a steady rate, judged by nothing but what
//! they cost it.
//!
//! Nothing is expected back, so there is no window to keep: datagrams go out by the clock, and what does come back
//! is counted, for how much a server amplifies.
#![allow(rustdoc::broken_intra_doc_links, reason = "these are help texts: [::1] is an address")]

mod datagrams;

use std::net::SocketAddrV6;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lqd_net::{Requestor, RequestorOptions};

use crate::fault::Fault;
use crate::run::{Rate, cpu, duration, target};
use datagrams::{Datagrams, Kind};

/// Most datagrams that are handed to the kernel at once.
const BATCH_MAX: usize = 64;
/// Between two batches.
const TICK: Duration = Duration::from_micros(500);
/// For what is under way at the end.
const SETTLE: Duration = Duration::from_millis(200);

/// Send datagrams that no server should spend much on, and say what each costs.
///
/// From one source port, by the clock, whatever comes back. To see the costs, give --server-pid, a rate that the
/// server holds, and compare with `lqload run --echo` on the floor.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Address and port of the server, as in [2001:db8::1]:547.
    #[arg(long, value_name = "[ADDR]:PORT", value_parser = target)]
    target: SocketAddrV6,
    /// What to send.
    #[arg(long, value_enum, default_value_t = Kind::Garbage)]
    kind: Kind,
    /// Lease file of Kea from which the queries' clients are; the one with most leases for --kind largest.
    #[arg(long, value_name = "FILE")]
    leases: Vec<PathBuf>,
    /// Levels of RELAY-FORW around a query, for --kind relayed.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u8).range(1..=64))]
    levels: u8,
    /// Datagrams a second.
    #[arg(long, value_name = "RATE", default_value = "20k")]
    rate: Rate,
    /// How long.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    duration: Duration,
    /// Process of the server, on this host: report its CPU time per datagram.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
}

/// What was sent, and what it brought.
#[derive(Default)]
struct Count {
    sent: u64,
    sent_octets: u64,
    refused: u64,
    answers: u64,
    answer_octets: u64,
}

/// Floods, and prints the count.
pub(crate) fn flood(options: &Options) -> Result<(), Fault> {
    if options.rate.is_ramp() {
        return Err(Fault::Ramp);
    }
    let mut datagrams = Datagrams::new(options.kind, options.levels, &options.leases)?;
    let connected = Requestor::connect(
        options.target,
        RequestorOptions { receive_buffer: 8 << 20, send_buffer: 8 << 20, gso: None, gro: false },
    );
    let mut requestor = connected.map_err(|source| Fault::Connect { target: options.target, source })?;
    let before = options.server_pid.map(cpu::of_process).transpose()?;
    let mut count = Count::default();
    send_by_the_clock(options, &mut requestor, &mut datagrams, &mut count);
    let after = options.server_pid.map(cpu::of_process).transpose()?;
    report(&count, after.zip(before).map(|(after, before)| after - before));
    Ok(())
}

fn send_by_the_clock(
    options: &Options,
    requestor: &mut Requestor,
    datagrams: &mut Datagrams,
    count: &mut Count,
) {
    let start = Instant::now();
    while start.elapsed() < options.duration {
        let due = (start.elapsed().as_secs_f64() * options.rate.max()) as u64;
        let missing = due.saturating_sub(count.sent + count.refused);
        let (octets, ends) = datagrams.next(BATCH_MAX.min(missing as usize));
        match requestor.send(octets, ends) {
            Ok(sent) => {
                count.sent += sent as u64;
                count.sent_octets += sent.checked_sub(1).map_or(0, |last| ends[last] as u64);
            }
            // Such as a port unreachable of before.
            Err(_) => count.refused += ends.len() as u64,
        }
        let wait = if missing > BATCH_MAX as u64 { Duration::ZERO } else { TICK };
        receive(requestor, wait, count);
    }
    let settled = Instant::now() + SETTLE;
    while Instant::now() < settled {
        receive(requestor, TICK, count);
    }
}

fn receive(requestor: &mut Requestor, wait: Duration, count: &mut Count) {
    let Count { answers, answer_octets, .. } = count;
    // An error is a port unreachable, which the count of answers shows.
    let _ = requestor.receive(wait, |octets| {
        *answers += 1;
        *answer_octets += octets.len() as u64;
    });
}

fn report(count: &Count, server_cpu: Option<Duration>) {
    let Count { sent, sent_octets, refused, answers, answer_octets } = *count;
    let each = |octets: u64, count: u64| octets as f64 / count.max(1) as f64;
    println!("sent       {sent} datagrams of {:.0} octets", each(sent_octets, sent));
    println!("refused    {refused}");
    println!("answers    {answers} of {:.0} octets", each(answer_octets, answers));
    println!("amplified  {:.2} times in octets", each(answer_octets, sent_octets));
    if let Some(cpu) = server_cpu {
        println!(
            "server     {:.2} µs of CPU for each datagram",
            cpu.as_secs_f64() * 1e6 / sent.max(1) as f64
        );
    }
}
