//! Captured discards of a running server, fetched from its admin socket and read by tshark.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use crate::conformance::{fixture, probe_query};
use crate::support::lqd::PATIENCE;
use crate::support::octets::octets;
use crate::support::{Lqd, Requestor};

pub fn trials() -> Vec<Trial> {
    tests! {
        tshark_reads_the_capture needs Tshark,
        capture_is_on_the_unix_socket_only,
    }
}

/// Returns status line and body of the admin socket's response.
fn get(socket: &Path, path: &str) -> Result<(String, Vec<u8>), Failed> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: lqd\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|octets| octets == b"\r\n\r\n").ok_or("a header")?;
    let header = String::from_utf8(answer[..end].to_vec())?;
    Ok((header.lines().next().unwrap_or_default().to_owned(), answer.split_off(end + 4)))
}

fn start(fixture: &crate::support::Fixture, more: &[&str]) -> (Lqd, std::path::PathBuf) {
    let socket = fixture.admin_socket();
    let admin = format!("unix:{}", socket.display());
    let own = ["--workers", "1", "--admin", &admin];
    let own = own.iter().chain(more).map(ToString::to_string);
    let flags: Vec<String> = fixture.flags().into_iter().chain(own).collect();
    (Lqd::start(&flags), socket)
}

fn tshark_reads_the_capture() -> Result<(), Failed> {
    let fixture = fixture();
    let (lqd, socket) = start(&fixture, &["--keep-discards", "3"]);
    let requestor = Requestor::new(lqd.address);
    let long = format!("0e d00004  $me  0063 07d0 {}*2000", "61");
    for query in ["0e d00001", "0f d00002  $me", "0e d00003  $me", &long] {
        requestor.send(&octets(query));
    }
    requestor.ask(&probe_query()).ok_or("the probe behind them is answered")?;
    let (status, file) = get(&socket, "/discards.pcap")?;
    assert_eq!(status, "HTTP/1.1 200 OK");
    let path = fixture.directory().join("discards.pcap");
    fs::write(&path, file)?;
    let server = lqd.address.port();
    let fields = [
        "ipv6.src",
        "ipv6.dst",
        "udp.srcport",
        "udp.dstport",
        "frame.len",
        "frame.cap_len",
        "frame.comment",
        "dhcpv6.msgtype",
        "dhcpv6.xid",
        "udp.checksum.status",
    ];
    let output = Command::new("tshark")
        .arg("-r")
        .arg(&path)
        .args(["-n", "-d", &format!("udp.port=={server},dhcpv6"), "-o", "udp.check_checksum:TRUE"])
        .args(["-T", "fields", "-E", "separator=|"])
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let way = format!("::1|::1|{}|{server}", requestor.local().port());
    let want = [
        format!("{way}|66|66|drop_reply|15|0xd00002|1"),
        format!("{way}|66|66|drop_no_query|14|0xd00003|1"),
        format!("{way}|2070|304|drop_no_query|14|0xd00004|2"),
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), want, "the last three of four, oldest first");
    Ok(())
}

/// The capture, which holds client data, is served on the Unix socket only, and kept only on demand.
fn capture_is_on_the_unix_socket_only() -> Result<(), Failed> {
    let fixture = fixture();
    let (lqd, socket) = start(&fixture, &["--admin", "0", "--keep-discards", "1"]);
    Requestor::new(lqd.address).ask(&probe_query()).ok_or("it answers")?;
    let line = lqd.await_line(0, |line| line.contains("admin port") && line.contains("address=["));
    let tcp = line.split_once("address=").ok_or("an address")?.1.trim().parse()?;
    assert_eq!(crate::support::http::get(tcp, "/discards.pcap").status, 403);
    assert_eq!(get(&socket, "/discards.pcap")?.0, "HTTP/1.1 200 OK");
    assert_eq!(lqd.stop(), 0);

    let (_lqd, socket) = start(&fixture, &[]);
    let (status, reason) = get(&socket, "/discards.pcap")?;
    assert_eq!(status, "HTTP/1.1 404 Not Found");
    assert_eq!(String::from_utf8(reason)?, "no discards are kept: set --keep-discards\n");
    Ok(())
}
