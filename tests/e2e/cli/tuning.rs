//! Tuning flags: the sockets get the requested options, and the server answers.

use std::net::SocketAddrV6;
use std::path::Path;
use std::process::Command;
use std::thread;

use core_affinity::CoreId;
use libtest_mimic::{Failed, Trial};

use super::{by_address, fixture};
use crate::support::http::get_unix;
use crate::support::lqd::{PROGRAM, free_port};
use crate::support::{Fixture, Lqd, Requestor, Until};

pub fn trials() -> Vec<Trial> {
    tests! {
        socket_buffers_have_requested_size,
        steering_and_busy_polling_answer,
        steering_needs_a_cpu_for_each_worker,
        steering_survives_takeover needs SteeringInGroups,
    }
}

fn start(fixture: &Fixture, flags: &[&str]) -> Lqd {
    let flags = fixture.flags().into_iter().chain(flags.iter().map(|&flag| flag.to_owned()));
    Lqd::start(&flags.collect::<Vec<_>>())
}

/// Buffers as `ss` shows them; the kernel reserves twice the requested size (socket(7)).
fn socket_buffers_have_requested_size() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = start(&fixture, &["--receive-buffer", "128KiB", "--send-buffer", "96KiB", "--workers", "1"]);
    let filter = format!("sport = :{}", lqd.address.port());
    let output = Command::new("ss").args(["-6ulnmH", &filter]).output()?;
    let shown = String::from_utf8_lossy(&output.stdout);
    for memory in ["rb262144", "tb196608"] {
        assert!(shown.contains(memory), "no {memory} in: {shown}{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// Without busy polling in the kernel, lqd logs that and serves.
fn steering_and_busy_polling_answer() -> Result<(), Failed> {
    let fixture = fixture();
    for io in ["auto", "mmsg"] {
        let lqd = start(&fixture, &["--steering", "cpu", "--busy-poll", "50", "--io", io]);
        for _ in 0..20 {
            Requestor::new(lqd.address).ask(&by_address("2001:db8:1::1")).ok_or("no reply")?;
        }
        assert_eq!(lqd.stop(), 0);
    }
    Ok(())
}

fn steering_needs_a_cpu_for_each_worker() -> Result<(), Failed> {
    let fixture = fixture();
    let flags = ["--steering", "cpu", "--cpus", "0", "--workers", "2", "--listen", "[::1]:0"];
    let flags = fixture.flags().into_iter().chain(flags.map(str::to_owned));
    let ended = Lqd::run(&std::iter::once("serve".to_owned()).chain(flags).collect::<Vec<_>>());
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("needs a CPU for each of 2 workers; lower --workers to 1"), "{ended:?}");
    Ok(())
}

/// Number of datagrams from each CPU, enough for a hash to reach both workers.
const FROM_EACH: u64 = 40;

/// After takeovers on one port, each worker still gets the datagrams that its own CPU received.
fn steering_survives_takeover() -> Result<(), Failed> {
    let fixture = fixture();
    let address = SocketAddrV6::new("::1".parse()?, free_port(), 0, 0);
    let admin = |number: usize| fixture.directory().join(format!("admin.{number}"));
    let start = |number: usize, cpus: &str| {
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--steering", "cpu", "--workers", "2", "--cpus", cpus]).args(fixture.flags());
        command.arg("--listen").arg(address.to_string());
        command.arg("--admin").arg(format!("unix:{}", admin(number).display()));
        Lqd::start_command(command, address)
    };
    let mut lqd = start(0, "0,1");
    for (number, cpus) in [(1, "1,0"), (2, "0,1")] {
        let old = std::mem::replace(&mut lqd, start(number, cpus));
        assert_eq!(old.stop(), 0);
        for (cpu, worker) in cpus.split(',').map(|cpu| cpu.parse().unwrap_or_default()).zip(0..) {
            let before = by_worker(&admin(number));
            ask_from(cpu, address);
            let mut want = before;
            want[worker] += FROM_EACH;
            // Counts appear slightly later than replies.
            let until = Until::patience();
            while by_worker(&admin(number)).iter().sum::<u64>() < want.iter().sum() && until.pending() {}
            assert_eq!(by_worker(&admin(number)), want, "server {number} on {cpus}, received on CPU {cpu}");
        }
    }
    Ok(())
}

/// Returns the number of datagrams received by each of two workers.
fn by_worker(admin: &Path) -> [u64; 2] {
    let text = get_unix(admin, "/metrics").body;
    [0, 1].map(|worker| {
        let name = format!("lqd_worker_datagrams_total{{worker=\"{worker}\"}} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&name)).expect("counted by worker");
        value.parse().expect("a number")
    })
}

/// Sends queries from new ports on that CPU: loopback receives a datagram on the CPU that sent it.
fn ask_from(cpu: usize, server: SocketAddrV6) {
    let ask = || {
        assert!(core_affinity::set_for_current(CoreId { id: cpu }), "no CPU {cpu}");
        for _ in 0..FROM_EACH {
            Requestor::new(server).ask(&by_address("2001:db8:1::1")).expect("a reply");
        }
    };
    thread::scope(|scope| scope.spawn(ask).join().expect("a requestor fails"));
}
