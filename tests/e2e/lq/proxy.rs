//! A server, or a proxy before one, as a thread that can lose, change, repeat or forge messages.

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::support::Requestor;

/// Answers to a query, from the query's number (0 = first) and octets.
pub type Answers = dyn FnMut(usize, &[u8]) -> Vec<Vec<u8>> + Send;

/// A listening thread; drop ends it.
pub struct Proxy {
    /// Address at which it listens.
    pub address: SocketAddrV6,
    /// All queries received so far.
    pub queries: Arc<Mutex<Vec<Vec<u8>>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts a server that answers each query with the result of `answers`.
    pub fn start(mut answers: Box<Answers>) -> Self {
        let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).expect("a port of the loopback");
        socket.set_read_timeout(Some(Duration::from_millis(20))).expect("the wait is not zero");
        let SocketAddr::V6(address) = socket.local_addr().expect("it is bound") else { unreachable!() };
        let queries = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let ended = Arc::<AtomicBool>::default();
        let (shared, flag) = (Arc::clone(&queries), Arc::clone(&ended));
        let thread = thread::spawn(move || {
            let mut buffer = vec![0; 65_535];
            let mut number = 0;
            while !flag.load(Ordering::Relaxed) {
                let Ok((len, from)) = socket.recv_from(&mut buffer) else { continue };
                shared.lock().expect("no panic while held").push(buffer[..len].to_vec());
                for answer in answers(number, &buffer[..len]) {
                    socket.send_to(&answer, from).expect("the answer leaves");
                }
                number += 1;
            }
        });
        Self { address, queries, ended, thread: Some(thread) }
    }

    /// Starts a proxy for this server; `change` maps the query's number and the answer to the octets sent
    /// back.
    pub fn before(
        server: SocketAddrV6,
        mut change: impl FnMut(usize, &[u8], Vec<u8>) -> Vec<Vec<u8>> + Send + 'static,
    ) -> Self {
        let requestor = Requestor::new(server);
        Self::start(Box::new(move |number, query| {
            let (answer, _) = requestor.ask(query).expect("the server answers");
            change(number, query, answer)
        }))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let joined = thread.join();
            assert!(joined.is_ok() || thread::panicking(), "the proxy panicked");
        }
    }
}
