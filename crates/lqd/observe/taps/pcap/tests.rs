//! Captures as tshark reads them; without tshark, only checksums and lengths are tested.

use std::process::Command;
use std::time::Duration;

use lqd_answer::Outcome;

use super::*;

fn discard(octets: &[u8], outcome: Outcome) -> Discard {
    let source = "[2001:db8::7]:547".parse().unwrap();
    let at = Duration::new(1_700_000_000, 123_456_789);
    Discard::new(at, source, "2001:db8::53".parse().unwrap(), outcome, octets)
}

fn capture(discards: &[Discard]) -> Vec<u8> {
    let mut file = Vec::new();
    write_pcap(&mut file, discards, &["[2001:db8::53]:547".parse().unwrap()]).unwrap();
    file
}

/// A LEASEQUERY with a CLIENTID and nothing else, transaction a1b2c3.
const NO_QUERY: [u8; 18] = [14, 0xa1, 0xb2, 0xc3, 0, 1, 0, 10, 0, 3, 0, 1, 2, 0, 0, 0, 0, 1];

/// Returns the fields of each packet as tshark reads them, or `None` without tshark.
fn tshark(file: &[u8], fields: &[&str]) -> Option<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("discards.pcap");
    std::fs::write(&path, file).unwrap();
    let mut command = Command::new("tshark");
    command.arg("-r").arg(&path).args([
        "-n",
        "-o",
        "udp.check_checksum:TRUE",
        "-T",
        "fields",
        "-E",
        "separator=|",
    ]);
    fields.iter().for_each(|field| {
        command.args(["-e", field]);
    });
    let output = match command.env("TZ", "UTC").output() {
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => {
            assert!(std::env::var_os("LQD_TESTS_MUST_RUN").is_none(), "tshark is missing");
            return None;
        }
        output => output.unwrap(),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

#[test]
fn tshark_reads_what_was_kept_and_why() {
    let long: Vec<u8> = [&NO_QUERY[..], &[0, 13, 0x7f, 0xff], &[0x61; 3000]].concat();
    let file = capture(&[
        discard(&NO_QUERY, Outcome::DropNoQuery),
        discard(&long, Outcome::DropMalformed),
        discard(&[], Outcome::DropMalformed),
        discard(&NO_QUERY[..17], Outcome::DropMalformed),
    ]);
    let fields = [
        "frame.time_epoch",
        "ipv6.src",
        "ipv6.dst",
        "udp.srcport",
        "udp.dstport",
        "udp.length",
        "frame.cap_len",
        "frame.len",
        "udp.checksum.status",
        "frame.comment",
        "dhcpv6.msgtype",
        "dhcpv6.xid",
    ];
    let Some(packets) = tshark(&file, &fields) else { return };
    let at = "1700000000.123456789|2001:db8::7|2001:db8::53|547|547";
    assert_eq!(
        packets,
        [
            format!("{at}|26|66|66|1|drop_no_query|14|0xa1b2c3"),
            format!("{at}|3030|304|3070|2|drop_malformed|14|0xa1b2c3"),
            format!("{at}|8|48|48|1|drop_malformed||"),
            format!("{at}|25|65|65|1|drop_malformed|14|0xa1b2c3"),
        ]
    );
}

#[test]
fn no_discards_are_a_capture_too() {
    let file = capture(&[]);
    assert_eq!(file.len() % 4, 0);
    if let Some(packets) = tshark(&file, &["frame.len"]) {
        assert!(packets.is_empty(), "{packets:?}");
    }
}

#[test]
fn the_port_is_that_of_the_listen_address() {
    let of = |to: &str, listen: &[&str]| {
        let listen: Vec<_> = listen.iter().map(|socket| socket.parse().unwrap()).collect();
        port(to.parse().unwrap(), &listen)
    };
    assert_eq!(of("fd00::1", &["[fd00::2]:1", "[fd00::1]:2", "[::]:3"]), 2);
    assert_eq!(of("fd00::9", &["[fd00::2]:1", "[fd00::1]:2", "[::]:3"]), 3);
    assert_eq!(of("ff05::1:3", &["[fd00::2]:1", "[fd00::1]:2"]), 1, "a group is heard on the first port");
    assert_eq!(of("fd00::1", &[]), 547);
}
