//! `lq bulk` with a scripted server: octets by hand, a long answer in bounded memory, and every way to fail.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::support::lqd::Ended;
use crate::support::{Lqd, lq};

/// CLIENTID of the tests' requestor and SERVERID 0004ee.
const IDS: [u8; 21] = [0, 1, 0, 10, 0, 3, 0, 1, 2, 0, 0x5e, 0, 0x53, 0xaa, 0, 2, 0, 3, 0, 4, 0xee];

/// Most memory that an answer of any length may take, in KiB.
const MEMORY_MAX_KIB: u64 = 32 << 10;

pub fn trials() -> Vec<Trial> {
    tests! {
        clients_are_printed_as_they_arrive,
        a_long_answer_takes_bounded_memory,
        a_reader_that_stops_ends_lq,
        faults_of_a_server_have_their_exit_status,
        servers_are_queried_at_once_or_in_turn,
        usage_errors_of_bulk_name_the_fix,
    }
}

/// A server of one connection; the script gets it with the query's transaction-id, after the query.
struct Server {
    address: String,
    thread: JoinHandle<()>,
}

impl Server {
    fn new(script: impl FnOnce(&mut TcpStream, [u8; 3]) -> std::io::Result<()> + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).expect("a listener");
        let address = listener.local_addr().expect("an address").to_string();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut query = [0; 6];
            stream.read_exact(&mut query).expect("a query");
            let mut rest = vec![0; usize::from(u16::from_be_bytes([query[0], query[1]])) - 4];
            stream.read_exact(&mut rest).expect("its rest");
            assert_eq!(query[2], 14, "LEASEQUERY");
            // lq may have closed the connection: its exit status is what a test looks at.
            let _ = script(&mut stream, [query[3], query[4], query[5]]);
        });
        Self { address, thread }
    }

    fn join(self) {
        self.thread.join().expect("the server ends");
    }
}

/// Puts a message in its frame.
fn frame(kind: u8, id: [u8; 3], options: &[u8]) -> Vec<u8> {
    let message = [&[kind][..], &id, options].concat();
    [&(message.len() as u16).to_be_bytes()[..], &message].concat()
}

/// OPTION_CLIENT_DATA of client number `n` with 2001:db8::n, valid for 200 s, heard of 9 s ago.
fn data(n: u32) -> Vec<u8> {
    let client = [&[0, 1, 0, 6, 0, 4][..], &n.to_be_bytes()].concat();
    let address = Ipv6Addr::from(0x2001_0db8_u128 << 96 | u128::from(n)).octets();
    let lease = [&[0, 5, 0, 24][..], &address, &100_u32.to_be_bytes(), &200_u32.to_be_bytes()].concat();
    let value = [&client[..], &[0, 46, 0, 4, 0, 0, 0, 9], &lease].concat();
    [&[0, 45, 0, value.len() as u8][..], &value].concat()
}

fn reply(id: [u8; 3], options: &[u8]) -> Vec<u8> {
    frame(15, id, &[&IDS[..], options].concat())
}

/// Runs `lq bulk --link 2001:db8::` with more flags against one server.
fn ask(server: &Server, flags: &[&str]) -> Ended {
    let arguments = ["-s", &server.address, "bulk", "--link", "2001:db8::"];
    lq::run(&[&arguments[..], flags].concat())
}

/// The first client is printed while the server still waits.
fn clients_are_printed_as_they_arrive() -> Result<(), Failed> {
    let (sender, printed) = std::sync::mpsc::channel::<()>();
    let server = Server::new(move |stream, id| {
        stream.write_all(&reply(id, &data(1)))?;
        printed.recv().expect("the first line was read");
        stream.write_all(&[frame(17, id, &data(2)), frame(16, id, &[])].concat())
    });
    let arguments = ["-s", &server.address, "bulk", "--link", "2001:db8::", "--json"];
    let mut child =
        lq::command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut next =
        || -> Value { serde_json::from_str(&lines.next().expect("a line").expect("read")).expect("JSON") };
    let first = next();
    assert_eq!(first["leases"][0]["value"], "2001:db8::1", "{first}");
    assert_eq!(first["server"], "00:04:ee", "{first}");
    assert_eq!(first["client"]["duid"], "00:04:00:00:00:01", "{first}");
    sender.send(())?;
    assert_eq!(next()["leases"][0]["value"], "2001:db8::2");
    let ended = child.wait_with_output()?;
    assert_eq!(ended.status.code(), Some(0));
    let summary = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(summary.contains("2 clients, 2 bindings") && summary.contains(": complete"), "{summary}");
    server.join();
    Ok(())
}

fn a_long_answer_takes_bounded_memory() -> Result<(), Failed> {
    const BINDINGS: u32 = 100_000;
    let server = Server::new(|stream, id| {
        let mut out = BufWriter::with_capacity(1 << 16, &mut *stream);
        out.write_all(&reply(id, &data(1)))?;
        (2..=BINDINGS).try_for_each(|n| out.write_all(&frame(17, id, &data(n))))?;
        out.flush()?;
        drop(out);
        // The last message waits until the memory was read.
        stream.write_all(&frame(17, id, &[]))?;
        stream.read_to_end(&mut Vec::new()).map(|_| ())
    });
    let arguments = ["-s", &server.address, "bulk", "--link", "2001:db8::", "--json"];
    let mut child = lq::command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut output = BufReader::with_capacity(1 << 20, child.stdout.take().expect("a pipe"));
    let (mut count, mut line) = (0, Vec::new());
    while count < BINDINGS && output.read_until(b'\n', &mut line)? > 0 {
        count += 1;
        line.clear();
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    child.kill()?;
    child.wait()?;
    server.join();
    assert_eq!(count, BINDINGS);
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let peak: u64 = peak.trim().trim_end_matches(" kB").trim().parse()?;
    assert!(peak < MEMORY_MAX_KIB, "{peak} KiB");
    Ok(())
}

/// As `lq bulk … | head` does.
fn a_reader_that_stops_ends_lq() -> Result<(), Failed> {
    let server = Server::new(|stream, id| {
        stream.write_all(&reply(id, &data(1)))?;
        // Ends by an error once lq has closed the connection.
        (2..u32::MAX).try_for_each(|n| stream.write_all(&frame(17, id, &data(n))))
    });
    let arguments = ["-s", &server.address, "bulk", "--link", "2001:db8::"];
    let mut child = lq::command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    output.read_line(&mut String::new())?;
    drop(output);
    let ended = child.wait_with_output()?;
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "", "a closed pipe is no error");
    server.join();
    Ok(())
}

fn faults_of_a_server_have_their_exit_status() -> Result<(), Failed> {
    type Script = fn(&mut TcpStream, [u8; 3]) -> std::io::Result<()>;
    const TERMINATED: [u8; 8] = [0, 13, 0, 4, 0, 11, b'n', b'o'];
    let rows: [(&str, Script, i32, &str); 9] = [
        ("no binding", |s, id| s.write_all(&reply(id, &[])), 1, "no binding"),
        ("refused", |s, id| s.write_all(&reply(id, &TERMINATED)), 3, r#"refused, QueryTerminated(11) "no""#),
        ("closes at once", |_, _| Ok(()), 4, "no answer, the server closed the connection"),
        (
            "no done",
            |s, id| s.write_all(&reply(id, &data(1))),
            5,
            "incomplete, the server closed the connection",
        ),
        (
            "ends early",
            |s, id| s.write_all(&[reply(id, &data(1)), frame(16, id, &TERMINATED)].concat()),
            5,
            "incomplete, ended by QueryTerminated(11)",
        ),
        ("done first", |s, id| s.write_all(&frame(16, id, &[])), 3, "without LEASEQUERY-REPLY before it"),
        ("wrong transaction", |s, _| s.write_all(&frame(16, [0; 3], &[])), 3, "is of no open query"),
        ("short frame", |s, _| s.write_all(&[0, 3]), 3, "a frame of 3 octets"),
        (
            "stalls",
            |s, id| {
                s.write_all(&[reply(id, &data(1)), vec![0, 200, 17]].concat())?;
                s.read_to_end(&mut Vec::new()).map(|_| ())
            },
            5,
            "sent no whole message for 0.2 s",
        ),
    ];
    for (name, script, code, part) in rows {
        let server = Server::new(script);
        let flags: &[&str] = if name == "stalls" { &["--timeout", "200ms"] } else { &[] };
        let ended = ask(&server, flags);
        server.join();
        assert_eq!(ended.code, Some(code), "{name}: {ended:?}");
        assert!(ended.stderr.contains(part), "{name}: no `{part}` in {}", ended.stderr);
        assert_eq!(ended.stdout.contains("2001:db8::1"), code == 5, "{name}: {}", ended.stdout);
    }
    Ok(())
}

fn servers_are_queried_at_once_or_in_turn() -> Result<(), Failed> {
    let whole = |n: u32| {
        Server::new(move |stream, id| stream.write_all(&[reply(id, &data(n)), frame(16, id, &[])].concat()))
    };
    let (one, other) = (whole(1), whole(2));
    let ended = lq::run(&["-s", &one.address, "-s", &other.address, "bulk", "--link", "2001:db8::"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for (server, address) in [(&one, "2001:db8::1"), (&other, "2001:db8::2")] {
        assert!(ended.stdout.contains(address), "{ended:?}");
        assert!(ended.stdout.contains(&format!("reported by {}", server.address)), "{ended:?}");
    }
    one.join();
    other.join();
    // A port without listener, then one that answers.
    let closed = TcpListener::bind((Ipv6Addr::LOCALHOST, 0))?.local_addr()?;
    assert!(matches!(closed, SocketAddr::V6(_)));
    let closed = closed.to_string();
    for (flag, code) in [(None, 5), (Some("--in-turn"), 0)] {
        let server = whole(1);
        let mut arguments = vec!["-s", &closed, "-s", &server.address, "bulk", "--link", "2001:db8::"];
        arguments.extend(flag);
        let ended = lq::run(&arguments);
        assert_eq!(ended.code, Some(code), "{flag:?}: {ended:?}");
        assert!(ended.stderr.contains("does the server offer bulk leasequery there?"), "{ended:?}");
        server.join();
    }
    Ok(())
}

fn usage_errors_of_bulk_name_the_fix() -> Result<(), Failed> {
    let rows: [(&[&str], &str); 8] = [
        (&["bulk"], "needs one of --relay-id"),
        (&["bulk", "--relay-id", "zz"], "octets in hexadecimal"),
        (&["bulk", "--remote-id", "4491"], "must be ENTERPRISE:HEX"),
        (&["bulk", "--relay-id", "00:01", "--duid", "00:01"], "cannot be used with"),
        (&["bulk", "--link", "::1", "--start-time", "soon"], "an age such as 15m"),
        (&["bulk", "--link", "::1", "--start-time", "1m", "--end-time", "2m"], "later than --end-time"),
        (&["bulk", "--link", "::1", "--relay", "::1"], "--relay is for queries over UDP"),
        (&["-f", "-", "bulk", "--link", "::1"], "without a command"),
    ];
    for (arguments, part) in rows {
        let ended = Lqd::run_command({
            let mut command: Command = lq::command(arguments);
            command.stdin(Stdio::null());
            command
        });
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(part), "{arguments:?}: no `{part}` in {}", ended.stderr);
    }
    Ok(())
}
