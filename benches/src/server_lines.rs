//! Start-up lines of a server, for the programs that wait for it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddrV6;
use std::sync::mpsc;
use std::thread;

/// Reads the lines of a stream on a separate thread, so that the writer never blocks.
pub fn lines_of(stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // The receiver is dropped once the server is ready.
            let _ = sender.send(line);
        }
    });
    receiver
}

/// The address in a line such as `… lqd ready listen="[::1]:5000" leases=4`.
pub fn listening(line: &str) -> Option<SocketAddrV6> {
    let (_, rest) = line.split_once(" ready ")?;
    // lqd may quote the value.
    let (_, value) = rest.split_once("listen=")?;
    value.trim_start_matches('"').split(['"', ' ']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_lines_of_both_servers() {
        let address = "[::1]:40123".parse().unwrap();
        let lqd = r#"2026-11-23T15:00:00Z  INFO lqd::ready: lqd ready listen="[::1]:40123" leases=4"#;
        assert_eq!(listening(lqd), Some(address));
        let lqd = r#"2026-11-23T15:00:00Z  INFO lqd::ready: lqd ready listen=[::1]:40123 leases=4"#;
        assert_eq!(listening(lqd), Some(address));
        assert_eq!(listening("baseline ready listen=[::1]:40123"), Some(address));
        assert_eq!(listening("2026-11-23T15:00:00Z  INFO lqd: workers started workers=1"), None);
    }
}
