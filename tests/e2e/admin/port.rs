//! The admin port itself: routes_and_methods, methods, limits, Unix sockets, readiness during start-up.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use super::{Monitored, admin_address, fixture};
use crate::support::http::{ask, connect, get, get_unix};
use crate::support::{Fixture, Lqd, Until};

pub fn trials() -> Vec<Trial> {
    tests! {
        routes_and_methods,
        oversized_requests_are_refused,
        idle_connections_fill_their_own_listener_only,
        idle_connections_do_not_block_requests,
        unix_socket_is_taken_over_and_removed,
        not_ready_until_first_snapshot needs Perl,
        off_by_default,
    }
}

fn routes_and_methods() -> Result<(), Failed> {
    let fixture = fixture();
    let monitored = Monitored::start(&fixture, &[]);
    for (path, status, content_type) in [
        ("/", 200, "text/html; charset=utf-8"),
        ("/healthz", 200, "text/plain; charset=utf-8"),
        ("/readyz", 200, "text/plain; charset=utf-8"),
        ("/readyz?full", 200, "text/plain; charset=utf-8"),
        ("/metrics", 200, "text/plain; version=0.0.4; charset=utf-8"),
        ("/status", 200, "application/json"),
        ("/metrics/", 404, "text/plain; charset=utf-8"),
        ("/../etc/passwd", 404, "text/plain; charset=utf-8"),
    ] {
        let response = get(monitored.admin, path);
        assert_eq!((response.status, response.field("content-type")), (status, Some(content_type)), "{path}");
        assert_eq!(response.field("cache-control"), Some("no-store"), "{path}");
        let head = ask(connect(monitored.admin), "HEAD", path);
        // HEAD has the fields of GET and no body.
        assert_eq!((head.status, head.body.as_str()), (status, ""), "HEAD {path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let response = ask(connect(monitored.admin), method, "/metrics");
        assert_eq!((response.status, response.field("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    Ok(())
}

/// Requests longer than any legitimate one are refused, not buffered.
fn oversized_requests_are_refused() -> Result<(), Failed> {
    let fixture = fixture();
    let monitored = Monitored::start(&fixture, &[]);
    // Longer than the limit for all fields, by a little.
    let long_field = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(17 << 10));
    let many_fields = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: x\r\n".repeat(65));
    let long_path = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(17 << 10));
    for request in [long_field, many_fields, long_path, "\0\r\n\r\n".to_owned()] {
        let mut stream = connect(monitored.admin);
        // The server may close before all is written.
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        // The kernel resets a connection with unread octets; a reset is a refusal, too.
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(refused, "{request:.40}… gets the answer {answer:.60}");
    }
    // The port goes on serving others.
    assert_eq!(get(monitored.admin, "/healthz").status, 200);
    Ok(())
}

/// Idle connections use up only the connection slots of their own listener.
fn idle_connections_fill_their_own_listener_only() -> Result<(), Failed> {
    let fixture = fixture();
    let socket = fixture.admin_socket();
    let monitored = Monitored::start(&fixture, &["--admin", &format!("unix:{}", socket.display())]);
    // More than one listener has slots.
    let idle: Vec<_> = (0..40).map(|_| connect(monitored.admin)).collect();
    assert_eq!(get_unix(&socket, "/healthz").body, "alive\n", "the Unix socket has slots of its own");
    // Closing frees the slots at once.
    drop(idle);
    assert_eq!(get(monitored.admin, "/healthz").body, "alive\n", "slots are freed");
    Ok(())
}

/// Opens more connections than can time out during the test (32 every 10 s): requests are answered, the
/// newest connections stay open, and one that sends a request is not the next to be closed.
fn idle_connections_do_not_block_requests() -> Result<(), Failed> {
    let fixture = fixture();
    let monitored = Monitored::start(&fixture, &[]);
    // Far more connections than slots.
    let mut early: Vec<_> = (0..400).map(|_| connect(monitored.admin)).collect();
    assert_eq!(get(monitored.admin, "/readyz").status, 200);
    let mut keep = connect(monitored.admin);
    let mut ask_on = || -> Result<(), Failed> {
        keep.write_all(b"GET /readyz HTTP/1.1\r\nHost: lqd\r\n\r\n")?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"ready\n") {
            // Octet by octet, since the answer has no end but its text.
            let mut octet = [0];
            keep.read_exact(&mut octet)?;
            answer.extend(octet);
        }
        Ok(())
    };
    for _ in 0..10 {
        ask_on()?;
        early.extend((0..20).map(|_| connect(monitored.admin)));
        // Accepted after these connections.
        assert_eq!(get(monitored.admin, "/readyz").status, 200);
    }
    ask_on()?;
    assert_eq!(get(monitored.admin, "/readyz").status, 200);
    Ok(())
}

fn unix_socket_is_taken_over_and_removed() -> Result<(), Failed> {
    let fixture = fixture();
    let socket = fixture.admin_socket();
    let flag = format!("unix:{}", socket.display());
    drop(UnixListener::bind(&socket)?); // a stale socket, as a killed server leaves it
    let flags = || {
        let mut flags = fixture.flags();
        flags.extend(["--admin".to_owned(), flag.clone()]);
        flags
    };
    let lqd = Lqd::start(&flags());
    assert_eq!(get_unix(&socket, "/readyz").status, 200);
    // Group and owner only, as the port tells of requestors.
    assert_eq!(fs::metadata(&socket)?.permissions().mode() & 0o777, 0o660);

    let second = Lqd::start(&flags());
    assert!(second.line_with("admin port is in use").is_some(), "the second server serves nevertheless");
    assert_eq!(query_address(&socket), lqd.address.to_string(), "the first server keeps the socket");
    assert_eq!(lqd.stop(), 0);
    // The second server takes the port when the first has left.
    second.await_line(0, |line| line.contains(&format!("admin port address={flag}")));
    assert_eq!(query_address(&socket), second.address.to_string(), "the second server takes the socket over");
    assert_eq!(second.stop(), 0);
    assert!(!socket.exists(), "the socket is removed at the end");

    let nowhere = fixture.directory().join("missing/admin.sock");
    let mut flags = fixture.flags();
    flags.insert(0, "serve".to_owned());
    flags.push(format!("--admin=unix:{}", nowhere.display()));
    let ended = Lqd::run(&flags);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("admin.sock: No such file or directory"), "{}", ended.stderr);
    Ok(())
}

/// Returns the query address of the server behind a Unix socket.
fn query_address(socket: &Path) -> String {
    let status: serde_json::Value = serde_json::from_str(&get_unix(socket, "/status").body).expect("JSON");
    status["listen"][0].as_str().expect("an address").to_owned()
}

/// Until the first snapshot is complete, /readyz returns 503 with the reason; other routes_and_methods work.
fn not_ready_until_first_snapshot() -> Result<(), Failed> {
    let fixture = fixture();
    let held = HeldFile::hold(&fixture.leases())?;
    let lqd = Starting::spawn(&fixture)?;
    let admin = lqd.admin();
    let response = get(admin, "/readyz");
    assert_eq!(response.status, 503);
    assert_eq!(response.body, "starting: the first snapshot is not complete\n");
    // Alive, though not ready.
    assert_eq!(get(admin, "/healthz").status, 200);
    let scrape = super::Scrape::parse(&get(admin, "/metrics").body)?;
    assert_eq!(scrape.sum("lqd_ready"), 0.0);
    assert!(!scrape.has("lqd_received_datagrams_total"));
    // Released: the load may go on.
    drop(held);
    let until = Until::patience();
    while get(admin, "/readyz").status != 200 {
        assert!(until.pending(), "lqd does not become ready");
    }
    Ok(())
}

/// A file that no other process can open while this lives, for at most the 45 seconds of
/// /proc/sys/fs/lease-break-time: `open` blocks (fcntl(2), "Leases").
struct HeldFile(std::process::Child);

impl HeldFile {
    fn hold(file: &Path) -> std::io::Result<Self> {
        // 1024, 1: F_SETLEASE, F_WRLCK. The kernel sends the holder SIGIO when another process opens the
        // file.
        const HOLD: &str = r#"
            $SIG{IO} = "IGNORE"; $| = 1;
            open(F, "+<", $ARGV[0]) && fcntl(F, 1024, 1) or die "$ARGV[0]: $!";
            print "held\n";
            <STDIN>;
        "#;
        let piped = std::process::Stdio::piped;
        let mut command = Command::new("perl");
        let mut holder = command.args(["-e", HOLD]).arg(file).stdin(piped()).stdout(piped()).spawn()?;
        let mut line = [0; 5];
        holder.stdout.take().expect("standard output is piped").read_exact(&mut line)?;
        // The line tells that the lease on the file is held.
        assert_eq!(&line, b"held\n");
        Ok(Self(holder))
    }
}

impl Drop for HeldFile {
    fn drop(&mut self) {
        // Closing standard input ends the holder.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// A server that is still starting.
struct Starting {
    child: std::process::Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Starting {
    fn spawn(fixture: &Fixture) -> std::io::Result<Self> {
        use std::io::{BufRead, BufReader};
        let mut child = Command::new(crate::support::lqd::PROGRAM)
            .args(["serve", "--listen=[::1]:0", "--admin=0"])
            .args(fixture.flags())
            .stderr(std::process::Stdio::piped())
            .spawn()?;
        let (sender, lines) = std::sync::mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().expect("standard error is piped"));
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Ok(Self { child, lines })
    }

    fn admin(&self) -> std::net::SocketAddr {
        let line = self.lines.recv_timeout(crate::support::lqd::PATIENCE).expect("a line comes");
        line.split_once("admin port address=")
            .expect("the first line names the admin port")
            .1
            .parse()
            .expect("an address")
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn off_by_default() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    assert_eq!(lqd.line_with("admin port"), None);
    let open = Monitored::start(&fixture, &["--admin", "[::]:0"]);
    assert!(open.lqd.line_with("reachable from other hosts").is_some());
    // Open to all hosts, which is allowed and warned of.
    assert_eq!(get(admin_address(&open.lqd), "/healthz").status, 200);
    let closed = Monitored::start(&fixture, &[]);
    assert_eq!(closed.lqd.line_with("reachable from other hosts"), None);
    Ok(())
}
