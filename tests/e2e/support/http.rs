//! A minimal HTTP client for the admin port: one request per connection, the response read to its end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::lqd::{PATIENCE, Until};

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Status line and header fields, unparsed.
    pub header: String,
    /// Everything after the header.
    pub body: String,
}

impl Response {
    /// Returns the value of a header field; `name` is case-insensitive.
    pub fn field(&self, name: &str) -> Option<&str> {
        let line = |line: &'_ str| {
            line.split_once(": ").filter(|(field, _)| field.eq_ignore_ascii_case(name)).is_some()
        };
        self.header.lines().find(|one| line(one)).and_then(|line| Some(line.split_once(": ")?.1))
    }
}

/// Sends GET over TCP.
///
/// # Panics
/// If there is no response.
pub fn get(address: SocketAddr, path: &str) -> Response {
    ask(connect(address), "GET", path)
}

/// Sends GET over a Unix socket.
///
/// # Panics
/// If there is no response.
pub fn get_unix(socket: &Path, path: &str) -> Response {
    let stream = UnixStream::connect(socket).expect("lqd listens at the Unix socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("the wait is not zero");
    ask(stream, "GET", path)
}

/// Polls `/readyz` over a Unix socket until `accepts` returns true.
///
/// # Panics
/// With the last response, if that does not happen in time.
pub fn await_readyz(socket: &Path, accepts: impl Fn(&Response) -> bool) {
    let until = Until::patience();
    loop {
        let response = get_unix(socket, "/readyz");
        if accepts(&response) {
            return;
        }
        assert!(until.pending(), "/readyz does not change; the last response was {response:?}");
    }
}

/// Opens a connection with a read timeout.
///
/// # Panics
/// If lqd does not listen there.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("lqd listens at the admin port");
    stream.set_read_timeout(Some(PATIENCE)).expect("the wait is not zero");
    stream
}

/// Sends one request with any method, and returns the response.
///
/// # Panics
/// If there is no response.
pub fn ask(mut stream: impl Read + Write, method: &str, path: &str) -> Response {
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: lqd\r\nConnection: close\r\n\r\n").expect("it is sent");
    read(stream)
}

/// Reads the response to a request that was sent.
///
/// # Panics
/// If there is none, or it is not HTTP.
pub fn read(mut stream: impl Read) -> Response {
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets).expect("the response ends");
    let text = String::from_utf8(octets).expect("the response is UTF-8");
    let (header, body) = text.split_once("\r\n\r\n").expect("a header, then the body");
    let status = header.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status code");
    Response { status, header: header.to_owned(), body: body.to_owned() }
}
