//! Flags that tune: the sockets have what was asked for, and the server answers as ever.

use std::process::Command;

use libtest_mimic::{Failed, Trial};

use super::{by_address, fixture};
use crate::support::{Fixture, Lqd, Requestor};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("cli::tuning::socket_buffers", socket_buffers),
        Trial::test("cli::tuning::steering_and_busy_polling", steering_and_busy_polling),
        Trial::test("cli::tuning::steering_without_cpus", steering_without_cpus),
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
