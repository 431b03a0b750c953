//! The port itself: routes, methods, limits, Unix sockets, and what it says while the server starts.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use super::{Watched, admin_address, fixture};
use crate::support::http::{ask, connect, get, get_unix};
use crate::support::{Fixture, Lqd, Need, Until, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("admin::port::routes", routes),
        Trial::test("admin::port::large_requests", large_requests),
        Trial::test("admin::port::many_connections", many_connections),
        Trial::test("admin::port::idle_connections_shut_nobody_out", idle_connections_shut_nobody_out),
        Trial::test("admin::port::unix_socket", unix_socket),
        trial("admin::port::unready_while_starting", &[Need::Perl], unready_while_starting),
        Trial::test("admin::port::off_by_default", off_by_default),
    ]
}

fn routes() -> Result<(), Failed> {
    let fixture = fixture();
    let watched = Watched::start(&fixture, &[]);
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
        let response = get(watched.admin, path);
        assert_eq!((response.status, response.field("content-type")), (status, Some(content_type)), "{path}");
        assert_eq!(response.field("cache-control"), Some("no-store"), "{path}");
        let head = ask(connect(watched.admin), "HEAD", path);
        assert_eq!((head.status, head.body.as_str()), (status, ""), "HEAD {path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let response = ask(connect(watched.admin), method, "/metrics");
        assert_eq!((response.status, response.field("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    Ok(())
}

/// What is longer than any request is refused, not collected.
fn large_requests() -> Result<(), Failed> {
    let fixture = fixture();
    let watched = Watched::start(&fixture, &[]);
    let long_field = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(17 << 10));
    let many_fields = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: x\r\n".repeat(65));
    let long_path = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(17 << 10));
    for request in [long_field, many_fields, long_path, "\0\r\n\r\n".to_owned()] {
        let mut stream = connect(watched.admin);
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        // Octets that the server did not read make the kernel reset the connection; that, too, is a refusal.
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(refused, "{request:.40}… is answered {answer:.60}");
    }
    assert_eq!(get(watched.admin, "/healthz").status, 200);
    Ok(())
}

/// Connections that only lie there take up the port's places, and no others.
fn many_connections() -> Result<(), Failed> {
    let fixture = fixture();
    let socket = fixture.directory().join("admin.sock");
    let watched = Watched::start(&fixture, &["--admin", &format!("unix:{}", socket.display())]);
    let idle: Vec<_> = (0..40).map(|_| connect(watched.admin)).collect();
    assert_eq!(get_unix(&socket, "/healthz").body, "alive\n", "the Unix socket has places of its own");
    drop(idle);
    assert_eq!(get(watched.admin, "/healthz").body, "alive\n", "places are given back");
    Ok(())
}

/// More connections than could time out, 32 every 10 s, while the test waits: requests are answered, those that came
/// last stay open, and one of them that asks is not the next to be closed.
fn idle_connections_shut_nobody_out() -> Result<(), Failed> {
    let fixture = fixture();
    let watched = Watched::start(&fixture, &[]);
    let mut early: Vec<_> = (0..400).map(|_| connect(watched.admin)).collect();
    assert_eq!(get(watched.admin, "/readyz").status, 200);
    let mut keep = connect(watched.admin);
    let mut ask_on = || -> Result<(), Failed> {
        keep.write_all(b"GET /readyz HTTP/1.1\r\nHost: lqd\r\n\r\n")?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"ready\n") {
            let mut octet = [0];
            keep.read_exact(&mut octet)?;
            answer.extend(octet);
        }
        Ok(())
    };
    for _ in 0..10 {
        ask_on()?;
        early.extend((0..20).map(|_| connect(watched.admin)));
        // Accepted behind these.
        assert_eq!(get(watched.admin, "/readyz").status, 200);
    }
    ask_on()?;
    assert_eq!(get(watched.admin, "/readyz").status, 200);
    Ok(())
}

fn unix_socket() -> Result<(), Failed> {
    let fixture = fixture();
    let socket = fixture.directory().join("admin.sock");
    let flag = format!("unix:{}", socket.display());
    drop(UnixListener::bind(&socket)?); // what a server leaves that was killed
    let flags = || {
        let mut flags = fixture.flags();
        flags.extend(["--admin".to_owned(), flag.clone()]);
        flags
    };
    let lqd = Lqd::start(&flags());
    assert_eq!(get_unix(&socket, "/readyz").status, 200);
    assert_eq!(fs::metadata(&socket)?.permissions().mode() & 0o777, 0o660);

    let second = Lqd::start(&flags());
    assert!(second.line_with("admin port is in use").is_some(), "it serves all the same");
    assert_eq!(first_listener(&socket), lqd.address.to_string(), "the socket is still the first one's");
    assert_eq!(lqd.stop(), 0);
    second.await_line(0, |line| line.contains(&format!("admin port address={flag}")));
    assert_eq!(first_listener(&socket), second.address.to_string(), "it went over");
    assert_eq!(second.stop(), 0);
    assert!(!socket.exists(), "removed at the end");

    let nowhere = fixture.directory().join("missing/admin.sock");
    let mut flags = fixture.flags();
    flags.insert(0, "serve".to_owned());
    flags.push(format!("--admin=unix:{}", nowhere.display()));
    let ended = Lqd::run(&flags);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("admin.sock: No such file or directory"), "{}", ended.stderr);
    Ok(())
}

/// Where the server behind a Unix socket listens for queries.
fn first_listener(socket: &Path) -> String {
    let status: serde_json::Value = serde_json::from_str(&get_unix(socket, "/status").body).expect("JSON");
    status["listen"][0].as_str().expect("an address").to_owned()
}

/// Before the first snapshot, /readyz says 503 and why, and the others what there is to say.
fn unready_while_starting() -> Result<(), Failed> {
    let fixture = fixture();
    let held = HeldFile::hold(&fixture.leases())?;
    let lqd = Starting::spawn(&fixture)?;
    let admin = lqd.admin();
    let response = get(admin, "/readyz");
    assert_eq!(response.status, 503);
    assert_eq!(response.body, "starting: the first snapshot is not complete\n");
    assert_eq!(get(admin, "/healthz").status, 200);
    let scrape = super::Scrape::parse(&get(admin, "/metrics").body)?;
    assert_eq!(scrape.sum("lqd_ready"), 0.0);
    assert!(!scrape.has("lqd_received_datagrams_total"));
    drop(held);
    let until = Until::patience();
    while get(admin, "/readyz").status != 200 {
        assert!(until.pending(), "never ready");
    }
    Ok(())
}

/// A file that nobody else can open as long as this lives, up to the 45 seconds of /proc/sys/fs/lease-break-time:
/// who tries waits (fcntl(2), "Leases").
struct HeldFile(std::process::Child);

impl HeldFile {
    fn hold(file: &Path) -> std::io::Result<Self> {
        // 1024, 1: F_SETLEASE, F_WRLCK. The kernel tells the holder by SIGIO that somebody waits.
        const HOLD: &str = r#"
            $SIG{IO} = "IGNORE"; $| = 1;
            open(F, "+<", $ARGV[0]) && fcntl(F, 1024, 1) or die "$ARGV[0]: $!";
            print "held\n";
            <STDIN>;
        "#;
        let piped = std::process::Stdio::piped;
        let mut command = Command::new("perl");
        let mut holder = command.args(["-e", HOLD]).arg(file).stdin(piped()).stdout(piped()).spawn()?;
        let mut said = [0; 5];
        holder.stdout.take().expect("standard output is piped").read_exact(&mut said)?;
        assert_eq!(&said, b"held\n");
        Ok(Self(holder))
    }
}

impl Drop for HeldFile {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// A server that is not waited for.
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
    let open = Watched::start(&fixture, &["--admin", "[::]:0"]);
    assert!(open.lqd.line_with("can be reached from other hosts").is_some());
    assert_eq!(get(admin_address(&open.lqd), "/healthz").status, 200);
    let closed = Watched::start(&fixture, &[]);
    assert_eq!(closed.lqd.line_with("can be reached from other hosts"), None);
    Ok(())
}
