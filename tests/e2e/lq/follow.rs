//! `lq follow` with a scripted server: octets by hand, lines of JSON, and its ends. `lq bulk` with lqd.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::bulk::server::start;
use crate::support::{Fixture, lq};

/// CLIENTID of the tests' requestor, SERVERID 0004ee, OPTION_LQ_BASE_TIME 849,052,800:
/// 2026-11-27 00:00:00 UTC.
const IDS: [u8; 21] = [0, 1, 0, 10, 0, 3, 0, 1, 2, 0, 0x5e, 0, 0x53, 0xaa, 0, 2, 0, 3, 0, 4, 0xee];
const BASE: [u8; 8] = [0, 100, 0, 4, 0x32, 0x9b, 0x84, 0x80];
const COMPLETE: [u8; 6] = [0, 13, 0, 2, 0, 13];

/// Time for a line to come, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

pub fn trials() -> Vec<Trial> {
    tests! {
        a_table_is_followed_across_a_lost_connection,
        ends_have_their_exit_status,
        usage_errors_of_follow_name_the_fix,
        bulk_answers_of_lqd_have_every_lease_of_its_file,
    }
}

/// A connection of lq whose query was read.
struct Peer {
    stream: TcpStream,
    query: Vec<u8>,
}

impl Peer {
    fn accept(listener: &TcpListener, kind: u8) -> Self {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut len = [0; 2];
        stream.read_exact(&mut len).expect("a length");
        let mut query = vec![0; u16::from_be_bytes(len).into()];
        stream.read_exact(&mut query).expect("a query");
        assert_eq!(query[0], kind, "message type");
        Self { stream, query }
    }

    fn send(&mut self, kind: u8, options: &[&[u8]]) {
        let message = [&[kind][..], &self.query[1..4], &options.concat()].concat();
        let frame = [&(message.len() as u16).to_be_bytes()[..], &message].concat();
        self.stream.write_all(&frame).expect("sent");
    }
}

/// OPTION_CLIENT_DATA of client 000400NN with 2001:db8::NN, valid for this many seconds.
fn data(n: u8, valid: u32) -> Vec<u8> {
    let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n.into()).octets();
    let valid = valid.to_be_bytes();
    let lease = [&[0, 5, 0, 24][..], &address, &valid, &valid].concat();
    let value = [&[0, 1, 0, 4, 0, 4, 0, n, 0, 46, 0, 4, 0, 0, 0, 9][..], &lease].concat();
    [&[0, 45, 0, value.len() as u8][..], &value].concat()
}

/// A running `lq follow`, and its lines.
pub(super) struct Follower {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Follower {
    fn of_peer(listener: &TcpListener) -> Result<Self, Failed> {
        Self::start(&listener.local_addr()?.to_string(), "2001:db8::", "100ms")
    }

    /// Starts it for the bindings on a link, with this time between two connections.
    pub(super) fn start(server: &str, link: &str, interval: &str) -> Result<Self, Failed> {
        let arguments = ["-s", server, "follow", "--link", link, "--retry-interval", interval];
        let mut command = lq::command(&arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null()).spawn()?;
        let output = BufReader::new(child.stdout.take().ok_or("a pipe")?);
        let (sender, lines) = mpsc::channel();
        // It ends with the output, or with the test.
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Ok(Self { child, lines })
    }

    /// Reads the next line.
    pub(super) fn line(&mut self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).expect("a line in time");
        let line: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(line["schema"], 1, "{line}");
        line
    }

    /// Waits for its end; returns its exit status and its errors.
    fn ended(&mut self) -> Result<(Option<i32>, String), Failed> {
        let mut text = String::new();
        self.child.stderr.take().ok_or("a pipe")?.read_to_string(&mut text)?;
        Ok((self.child.wait()?.code(), text))
    }

    /// Reads up to the next line that is this event, and, for a state, this state.
    fn until(&mut self, event: &str, state: Option<&str>) -> Value {
        loop {
            let line = self.line();
            if line["event"] == event && state.is_none_or(|state| line["state"] == state) {
                return line;
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // It has ended already, or the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Digests by Python's hashlib, from the definition in the manual.
fn a_table_is_followed_across_a_lost_connection() -> Result<(), Failed> {
    let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0))?;
    let mut follower = Follower::of_peer(&listener)?;
    let mut active = Peer::accept(&listener, 22);
    active.send(15, &[&IDS, &BASE]);
    let mut bulk = Peer::accept(&listener, 14);
    bulk.send(15, &[&IDS, &BASE, &data(1, 200)]);
    bulk.send(17, &[&BASE, &data(2, 200)]);
    bulk.send(16, &[&BASE]);
    let put = follower.until("put", None);
    assert_eq!(
        (&put["leases"][0]["value"], &put["client"]["duid"]),
        (&"2001:db8::1".into(), &"00:04:00:01".into())
    );
    assert_eq!(put["base_time"], "2026-11-27T00:00:00Z", "{put}");
    let live = follower.until("state", Some("live"));
    assert_eq!(
        (&live["bindings"], &live["digest"]),
        (&2.into(), &"63427f6a8269918c12a0e42a77eaccf5".into()),
        "{live}"
    );
    assert_eq!((&live["server"], &live["resume"]), (&"00:04:ee".into(), &"2026-11-27T00:00:00Z".into()));

    active.send(17, &[&BASE, &data(1, 0)]);
    let removed = follower.until("remove", None);
    assert_eq!((&removed["value"], &removed["reason"]), (&"2001:db8::1".into(), &"told".into()), "{removed}");
    assert_eq!(follower.until("state", Some("live"))["digest"], "b3e538921433dfb5b1bf1f96eb086fe0");

    drop(active);
    let lost = follower.until("state", Some("lost"));
    assert!(lost["reason"].is_string() && lost["bindings"] == 1, "{lost}");
    let mut again = Peer::accept(&listener, 22);
    assert!(again.query.ends_with(&[&[0, 101, 0, 4][..], &BASE[4..]].concat()), "{:02x?}", again.query);
    again.send(15, &[&IDS, &BASE]);
    follower.until("state", Some("catching-up"));
    again.send(17, &[&BASE, &data(1, 200)]);
    again.send(17, &[&BASE, &COMPLETE]);
    let live = follower.until("state", Some("live"));
    assert_eq!(
        (&live["bindings"], &live["digest"]),
        (&2.into(), &"63427f6a8269918c12a0e42a77eaccf5".into()),
        "{live}"
    );
    let id = follower.child.id().to_string();
    assert!(Command::new("kill").arg(&id).status()?.success());
    assert_eq!(follower.ended()?, (Some(0), String::new()));
    Ok(())
}

fn ends_have_their_exit_status() -> Result<(), Failed> {
    let rows: [(&[u8], i32, &str); 2] = [
        (&[0, 13, 0, 4, 0, 14, b'n', b'o'], 3, r#"refuses the query: NotSupported(14) "no""#),
        (&[0, 13, 0, 2, 0, 10], 3, "allow this requestor's address on that server"),
    ];
    for (status, code, part) in rows {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0))?;
        let mut follower = Follower::of_peer(&listener)?;
        Peer::accept(&listener, 22).send(15, &[&IDS, &BASE, status]);
        let (status, text) = follower.ended()?;
        assert!(status == Some(code) && text.contains(part), "{part}: {text}");
    }
    Ok(())
}

fn usage_errors_of_follow_name_the_fix() -> Result<(), Failed> {
    let rows: [(&[&str], &str); 6] = [
        (&["follow"], "needs one of --relay-id"),
        (&["follow", "--link", "::1", "--relay", "::1"], "--relay is for queries over UDP; follow connects"),
        (&["-s", "::1", "-s", "::2", "follow", "--link", "::1"], "follow takes one server"),
        (&["follow", "--link", "::1", "--tls"], "--cert"),
        (
            &["bulk", "--link", "::1", "--tls", "--cert", "/no/cert", "--key", "/no", "--ca", "/no"],
            "--cert /no/cert: ",
        ),
        (&["bulk", "--link", "::1", "--ca", "/no"], "--tls"),
    ];
    for (arguments, part) in rows {
        let ended = lq::run(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(part), "{arguments:?}: no `{part}` in {}", ended.stderr);
    }
    Ok(())
}

/// The lease file is the judge: an address and a prefix of each of 300 clients on one link, beside another.
fn bulk_answers_of_lqd_have_every_lease_of_its_file() -> Result<(), Failed> {
    let mut leases = String::new();
    let mut want = BTreeSet::new();
    for n in 0..300_u32 {
        let duid = format!("00:03:00:01:02:00:00:00:{:02x}:{:02x}", n >> 8, n & 0xff);
        let (address, prefix) = (format!("2001:db8:2::{:x}", n + 0x1000), format!("2001:db8:a{n:03x}::"));
        let rest = "4294967295,4102444800,2,4294967295";
        leases += &format!("{address},{duid},{rest},0,1,128,0,0,,,0,,1,0,0\n");
        leases += &format!("{prefix},{duid},{rest},2,1,56,0,0,,,0,,1,0,0\n");
        leases += &format!(
            "2001:db8:1::{:x},{duid},4294967295,4102444800,1,4294967295,0,1,128,0,0,,,0,,1,0,0\n",
            n + 1
        );
        want.insert((duid.clone(), address));
        want.insert((duid, format!("{prefix}/56")));
    }
    let network = include_str!("../../data/conformance/bulk/kea-dhcp6.conf");
    let fixture = Fixture::new(network, &leases);
    let (_lqd, bulk) = start(&fixture.flags());
    let ended = lq::run(&["-s", &bulk.to_string(), "bulk", "--link", "2001:db8:2::1", "--json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("300 clients, 600 bindings") && !ended.stderr.contains("deviates"),
        "{}",
        ended.stderr
    );
    let mut found = BTreeSet::new();
    for line in ended.stdout.lines() {
        let line: Value = serde_json::from_str(line)?;
        let client = line["client"]["duid"].as_str().ok_or("a DUID")?;
        for lease in line["leases"].as_array().ok_or("leases")? {
            let value = lease["value"].as_str().ok_or("a value")?;
            assert!(found.insert((client.to_owned(), value.to_owned())), "{value} came twice");
        }
    }
    assert_eq!(found, want);
    Ok(())
}
