//! Multicast and second addresses, in a network namespace of its own.

use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::process::Command;
use std::thread;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use super::sample::{duid, fixture, fixture_of, lease};
use crate::support::lqd::PROGRAM;
use crate::support::namespace::{add_address, ip};
use crate::support::{Lqd, Requestor, lq};

/// Second address beside `::1`.
const SECOND: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1);

/// Port of servers (RFC 8415 §7.2).
const SERVER_PORT: u16 = 547;

pub fn trials() -> Vec<Trial> {
    tests! {
        ;
        in namespace: servers_of_a_group_are_merged, answer_from_another_address_is_ignored,
    }
}

/// R11, R12, R15.
fn servers_of_a_group_are_merged() -> Result<(), Failed> {
    // A veth pair: servers join the group on one interface, lq sends from the other.
    ip(&["link", "add", "lq0", "type", "veth", "peer", "name", "lqd0"])?;
    for (interface, host) in [("lq0", "2"), ("lqd0", "1")] {
        ip(&["link", "set", interface, "up"])?;
        add_address(&format!("2001:db8:ffff::{host}/64"), interface)?;
    }
    let files = [
        (Ipv6Addr::LOCALHOST, fixture_of(&lease("1", "now-5000", 9000))),
        (SECOND, fixture_of(&(lease("1", "now-10", 70_000) + &lease("3", "now-10", 70_000)))),
    ];
    let servers = files.each_ref().map(|(address, fixture)| {
        let address = SocketAddrV6::new(*address, SERVER_PORT, 0, 0);
        let duid = format!("00:04:{:02x}", address.ip().octets()[0]);
        let mut command = Command::new(PROGRAM);
        command.arg("serve").args([
            "--listen",
            &address.to_string(),
            "--multicast",
            "lqd0",
            "--server-duid",
            &duid,
        ]);
        command.args(["--allow", "::/0"]).args(fixture.flags());
        Lqd::start_command(command, address)
    });
    for group in ["site", "link"] {
        let to_group = ["-i", "lq0", "--group", group, "--gather", "2s"];
        let ask = |arguments: &[&str]| lq::json(&[&to_group[..], arguments].concat());
        let answer = ask(&["duid", &duid("01")]);
        assert_eq!(answer["result"], "found", "{group}: {answer}");
        let count = |value: &Value| value.as_array().map(Vec::len);
        assert_eq!(count(&answer["answers"]), Some(2), "{group}: both have answered: {answer}");
        let client = &answer["clients"][0];
        assert_eq!(count(&client["leases"]), Some(2), "{group}: {answer}");
        assert_eq!(count(&client["superseded"]), Some(1), "{group}: {answer}");
        assert_eq!(answer["silent"], json!([]), "{group}: no server is missing");
        let silent = ["-s", "[::1]:9", "--timeout", "2s", "--retries", "0", "--or-group"];
        let in_the_end = ask(&[&silent[..], &["addr", "2001:db8:1::1"]].concat());
        assert_eq!(count(&in_the_end["answers"]), Some(2), "{group}: R15: {in_the_end}");
        let one = ask(&["--server-id", "00:04:20", "duid", &duid("01")]);
        assert_eq!(count(&one["answers"]), Some(1), "{group}: R11: {one}");
    }
    drop(servers);
    Ok(())
}

/// An answer from another address is ignored, unless a flag accepts it.
fn answer_from_another_address_is_ignored() -> Result<(), Failed> {
    second_address()?;
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let queried = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0))?;
    let answering = UdpSocket::bind((SECOND, 0))?;
    let server = queried.local_addr()?.to_string();
    let to_lqd = Requestor::new(lqd.address);
    let flags = ["-s", &server, "--timeout", "3s", "--retries", "0", "--trace", "addr", "2001:db8:1::1"];
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut buffer = [0; 1024];
            for _ in 0..2 {
                let (len, from) = queried.recv_from(&mut buffer).expect("a query");
                let (answer, _) = to_lqd.ask(&buffer[..len]).expect("lqd answers");
                answering.send_to(&answer, from).expect("the answer leaves");
            }
        });
        let strict = lq::run(&flags);
        assert_eq!(strict.code, Some(4), "{strict:?}");
        assert!(strict.stderr.contains("from an address that was not queried"), "{strict:?}");
        assert!(
            strict.stdout.contains("from an address that was not queried"),
            "the page tells it too: {strict:?}"
        );
        let lax = lq::run(&[&flags[..], &["--any-source"]].concat());
        assert_eq!(lax.code, Some(0), "{lax:?}");
    });
    Ok(())
}

fn second_address() -> Result<(), Failed> {
    add_address(&format!("{SECOND}/128"), "lo")
}
