//! As much HTTP as it takes to ask the admin port: one request on a connection of its own, the answer read to its end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::lqd::PATIENCE;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header lines, as they came.
    pub header: String,
    /// Everything behind the header.
    pub body: String,
}

impl Response {
    /// The value of a header field, whatever its case.
    pub fn field(&self, name: &str) -> Option<&str> {
        let line = |line: &'_ str| {
            line.split_once(": ").filter(|(field, _)| field.eq_ignore_ascii_case(name)).is_some()
        };
        self.header.lines().find(|one| line(one)).and_then(|line| Some(line.split_once(": ")?.1))
    }
}

/// GET over TCP.
///
/// # Panics
/// If nobody answers.
pub fn get(address: SocketAddr, path: &str) -> Response {
    ask(connect(address), "GET", path)
}

/// GET over a Unix socket.
///
/// # Panics
/// If nobody answers.
pub fn get_unix(socket: &Path, path: &str) -> Response {
    let stream = UnixStream::connect(socket).expect("somebody listens at the Unix socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("the wait is not zero");
    ask(stream, "GET", path)
}

/// A connection, with a limit on how long it is read from.
///
/// # Panics
/// If nobody listens.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("somebody listens at the admin port");
    stream.set_read_timeout(Some(PATIENCE)).expect("the wait is not zero");
    stream
}

/// One request with any method.
///
/// # Panics
/// If it is not answered.
pub fn ask(mut stream: impl Read + Write, method: &str, path: &str) -> Response {
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: lqd\r\nConnection: close\r\n\r\n").expect("it is sent");
    read(stream)
}

/// The answer to what was sent.
///
/// # Panics
/// If there is none, or it is not HTTP.
pub fn read(mut stream: impl Read) -> Response {
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets).expect("the answer comes to its end");
    let text = String::from_utf8(octets).expect("the answer is UTF-8");
    let (header, body) = text.split_once("\r\n\r\n").expect("a header, then the body");
    let status = header.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status code");
    Response { status, header: header.to_owned(), body: body.to_owned() }
}
