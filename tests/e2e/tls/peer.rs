//! A requestor over TLS in a process of its own: Python's ssl, another implementation of TLS than lqd's.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::certificates::Issued;
use crate::bulk::server::frame;
use crate::support::hex::grouped_hex;
use crate::support::octets::{Pattern, octets};

/// STARTTLS (RFC 7653 §8.2), without options.
pub const STARTTLS: &str = "17 a00001";
/// The go-ahead (RFC 7653 §9.1): REPLY, the same transaction-id, no status.
pub const GO: &str = "message 07a00001";
/// A query of a query-type that does not exist: answered without leases.
pub const QUERY: &str = "0e b00001  $me  002c 0011 63 ::";
/// The answer: UnknownQueryType.
const ANSWER: &str = "0f b00001  $me $server  000d { 0007 text }";

/// The process, and its connection.
pub struct Peer {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Peer {
    /// Connects from `::1` to a port of `::1`.
    ///
    /// # Panics
    /// If Python or the server is missing.
    pub fn connect(port: u16) -> Self {
        let mut child = Command::new("python3")
            .args(["-c", include_str!("peer.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let to = child.stdin.take().expect("standard input is piped");
        let from = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let mut peer = Self { child, to, from };
        assert_eq!(peer.order(&format!("connect {port}")), "ok");
        peer
    }

    /// Connects, and sends STARTTLS, which the server accepts.
    ///
    /// # Panics
    /// If it does not.
    pub fn starting(port: u16) -> Self {
        let mut peer = Self::connect(port);
        peer.send(STARTTLS);
        assert_eq!(peer.receive(), GO);
        peer
    }

    /// Connects, and completes the handshake; returns the SHA-256 of the server's certificate, too.
    ///
    /// # Panics
    /// If it does not complete.
    pub fn secured(port: u16, version: &str, ca: &Path, own: &Issued) -> (Self, String) {
        let mut peer = Self::starting(port);
        let answer = peer.handshake(version, ca, Some(own));
        let digest = answer.strip_prefix(&format!("ok TLSv{version} "));
        let digest = digest.unwrap_or_else(|| panic!("TLS {version}: {answer}")).to_owned();
        (peer, digest)
    }

    /// Begins TLS; returns `ok` with version and digest, or `failed` with the reason.
    pub fn handshake(&mut self, version: &str, ca: &Path, own: Option<&Issued>) -> String {
        let path = |path: &Path| path.to_str().expect("the path is UTF-8").to_owned();
        let own =
            own.map_or("- -".to_owned(), |own| format!("{} {}", path(&own.certificate), path(&own.key)));
        self.order(&format!("tls {version} {} {own}", path(ca)))
    }

    /// Sends a message in its frame.
    ///
    /// # Panics
    /// If the process ends.
    pub fn send(&mut self, message: &str) {
        self.send_octets(&frame(&octets(message)));
    }

    /// Sends octets; those that come too late are lost.
    ///
    /// # Panics
    /// If the process ends.
    pub fn send_octets(&mut self, octets: &[u8]) {
        assert_eq!(self.order(&format!("send {}", grouped_hex(octets, usize::MAX, ""))), "ok");
    }

    /// Returns the next message in hexadecimal, or how the connection ended.
    pub fn receive(&mut self) -> String {
        self.order("receive")
    }

    /// Sends a query, and checks the answer.
    ///
    /// # Panics
    /// If there is another one, or none.
    pub fn ask(&mut self) {
        self.send(QUERY);
        self.check_answer();
    }

    /// Checks that the next message is the answer to [`QUERY`].
    ///
    /// # Panics
    /// If it is not.
    pub fn check_answer(&mut self) {
        let answer = self.receive();
        let message = answer.strip_prefix("message ").unwrap_or_else(|| panic!("an answer, not {answer}"));
        assert!(Pattern::parse(ANSWER).matches(&octets(message), &(0..=0)), "{answer}");
    }

    /// Gives a command; returns the answer.
    ///
    /// # Panics
    /// If the process ends.
    pub fn order(&mut self, command: &str) -> String {
        writeln!(self.to, "{command}").expect("python3 takes commands");
        let mut line = String::new();
        self.from.read_line(&mut line).expect("python3 answers");
        line.trim_end().to_owned()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
