//! Flags that tune: the sockets have what was asked for, and the server answers as ever.

use std::net::SocketAddrV6;
use std::path::Path;
use std::process::Command;
use std::thread;

use core_affinity::CoreId;
use libtest_mimic::{Failed, Trial};

use super::{by_address, fixture};
use crate::support::http::get_unix;
use crate::support::lqd::{PROGRAM, free_port};
use crate::support::{Fixture, Lqd, Need, Requestor, Until, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("cli::tuning::socket_buffers", socket_buffers),
        Trial::test("cli::tuning::steering_and_busy_polling", steering_and_busy_polling),
        Trial::test("cli::tuning::steering_without_cpus", steering_without_cpus),
        trial("cli::tuning::steering_after_takeover", &[Need::SteeringInGroups], steering_after_takeover),
    ]
}

fn start(fixture: &Fixture, flags: &[&str]) -> Lqd {
    let flags = fixture.flags().into_iter().chain(flags.iter().map(|&flag| flag.to_owned()));
    Lqd::start(&flags.collect::<Vec<_>>())
}

/// As the kernel tells (`ss`, which `ip` comes with); it keeps twice what it was asked for (socket(7)).
fn socket_buffers() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = start(&fixture, &["--receive-buffer", "128KiB", "--send-buffer", "96KiB", "--workers", "1"]);
    let filter = format!("sport = :{}", lqd.address.port());
    let output = Command::new("ss").args(["-6ulnmH", &filter]).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    for memory in ["rb262144", "tb196608"] {
        assert!(said.contains(memory), "no {memory} in: {said}{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// Where the kernel has no busy polling, a line says so and all works without.
fn steering_and_busy_polling() -> Result<(), Failed> {
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

fn steering_without_cpus() -> Result<(), Failed> {
    let fixture = fixture();
    let flags = ["--steering", "cpu", "--cpus", "0", "--workers", "2", "--listen", "[::1]:0"];
    let flags = fixture.flags().into_iter().chain(flags.map(str::to_owned));
    let ended = Lqd::run(&std::iter::once("serve".to_owned()).chain(flags).collect::<Vec<_>>());
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("needs a CPU for each of 2 workers; lower --workers to 1"), "{ended:?}");
    Ok(())
}

/// Datagrams from each CPU: enough for a hash to send some to either worker.
const FROM_EACH: u64 = 40;

/// One server after the other on the same port: the last one's workers get what their own CPUs receive.
fn steering_after_takeover() -> Result<(), Failed> {
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
            let until = Until::patience();
            while by_worker(&admin(number)).iter().sum::<u64>() < want.iter().sum() && until.pending() {}
            assert_eq!(by_worker(&admin(number)), want, "server {number} on {cpus}, received on CPU {cpu}");
        }
    }
    Ok(())
}

/// What each of two workers received.
fn by_worker(admin: &Path) -> [u64; 2] {
    let text = get_unix(admin, "/metrics").body;
    [0, 1].map(|worker| {
        let name = format!("lqd_worker_datagrams_total{{worker=\"{worker}\"}} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&name)).expect("counted by worker");
        value.parse().expect("a number")
    })
}

/// Asks from new ports on that CPU: loopback receives a datagram where it was sent.
fn ask_from(cpu: usize, server: SocketAddrV6) {
    let ask = || {
        assert!(core_affinity::set_for_current(CoreId { id: cpu }), "no CPU {cpu}");
        for _ in 0..FROM_EACH {
            Requestor::new(server).ask(&by_address("2001:db8:1::1")).expect("a reply");
        }
    };
    thread::scope(|scope| scope.spawn(ask).join().expect("a requestor fails"));
}
