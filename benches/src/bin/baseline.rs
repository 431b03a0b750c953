//! The baseline: a UDP echo server on the same back ends as lqd.
//!
//! It echoes every datagram. Its cost is that of kernel and back end; the excess of lqd is lqd's own. Buffers
//! and socket options are the defaults of `lqd serve`.
#![forbid(unsafe_code)]

use std::net::SocketAddrV6;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use lqd_net::{
    Backend, Datagram, NetCounters, REPLY_LEN_MAX, Replies, Service, SocketOptions, Worker, WorkerSettings,
    listen, stop_pair,
};

/// A UDP echo server: the least that any server on this back end costs.
#[derive(Parser)]
struct Options {
    /// System calls to use.
    #[arg(long, value_enum, default_value_t = Io::Uring)]
    io: Io,
    /// Address and port to listen on; with port 0 the kernel chooses, and the line "baseline ready" names it.
    #[arg(long, value_name = "[ADDR]:PORT", default_value = "[::1]:0")]
    listen: SocketAddrV6,
    /// CPU to run on; any by default.
    #[arg(long, value_name = "NUMBER")]
    cpu: Option<usize>,
    /// Whether to coalesce datagrams (UDP_GRO, UDP_SEGMENT), as `lqd serve --gro on` does.
    #[arg(long, value_enum, default_value_t = Switch::Off)]
    gro: Switch,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Clone, Copy, ValueEnum)]
enum Io {
    /// recvmmsg and sendmmsg
    Mmsg,
    /// io_uring
    Uring,
}

struct Echo;

impl Service for Echo {
    fn serve(&mut self, batch: &[Datagram<'_>], replies: &mut Replies<'_>) {
        for datagram in batch {
            replies.send(datagram.source, datagram.local, |slot| {
                slot[..datagram.payload.len()].copy_from_slice(datagram.payload);
                datagram.payload.len()
            });
        }
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("baseline: {error}");
            ExitCode::from(2)
        }
    }
}

/// Echoes until a signal ends the process.
fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let backend = match options.io {
        Io::Mmsg => Backend::Mmsg,
        Io::Uring => Backend::Uring,
    };
    // Default options, as those of `lqd serve`.
    let socket = listen(options.listen, &SocketOptions::default())?;
    let address = socket.local_address();
    let settings = WorkerSettings {
        backend,
        cpu: options.cpu,
        // As long as the longest datagram, since an echo must not be cut.
        buffer_len: REPLY_LEN_MAX,
        coalesce: options.gro == Switch::On,
        ..WorkerSettings::default()
    };
    // The handle is never used, but without one the worker would have nothing to wait on.
    let (_stop, signal) = stop_pair()?;
    let worker = Worker::new(settings, vec![socket], signal, Arc::new(NetCounters::default()))?;
    // The line that tests and scripts wait for.
    eprintln!("baseline ready listen={address}");
    worker.run(&mut Echo)?;
    Ok(())
}
