//! A scripted server on loopback: both connections, their ends, and the time between them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::bulk::Target;
use crate::tests::octets;

const OWN: [u8; 4] = [0, 4, 0xaa, 0xbb];
const IDS: &str = "0001 0004 0004aabb 0002 0003 0004ee";
const DATA: &str = "002d 002b 0001 0003 0004cc 002e 0004 00000009
                    0005 0018 20010db8000000000000000000000001 00000064 000000c8";
/// OPTION_LQ_BASE_TIME 100.
const BASE: &str = "0064 0004 00000064";
const SHORT: Duration = Duration::from_millis(300);

/// A connection whose query was read.
struct Peer {
    stream: TcpStream,
    query: Vec<u8>,
}

impl Peer {
    async fn accept(listener: &TcpListener) -> Self {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let len = stream.read_u16().await.expect("a length");
        let mut query = vec![0; len.into()];
        stream.read_exact(&mut query).await.expect("a query");
        Self { stream, query }
    }

    async fn send(&mut self, kind: u8, options: &str) {
        let message = [&[kind][..], &self.query[1..4], &octets(options)].concat();
        let frame = [&(message.len() as u16).to_be_bytes()[..], &message].concat();
        self.stream.write_all(&frame).await.expect("sent");
    }

    /// Whether the query ends with OPTION_LQ_START_TIME 100.
    fn resumes(&self) -> bool {
        self.query.ends_with(&octets("0065 0004 00000064"))
    }
}

/// Words of events, as they come.
type Log = Arc<Mutex<Vec<String>>>;

/// Follows a server on loopback in a task of its own.
async fn start(receive_timeout: Duration) -> (TcpListener, Log, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("[::1]:0").await.expect("a listener");
    let Ok(SocketAddr::V6(server)) = listener.local_addr() else { panic!("an IPv6 address") };
    let own = Duid::new(OWN).expect("a DUID");
    let connection = bulk::Settings::default();
    let settings = Settings { server, own, connection, receive_timeout, retry: SHORT };
    let log = Log::default();
    let sink = Arc::clone(&log);
    let task = tokio::spawn(async move {
        let link = "2001:db8::".parse().expect("an address");
        let mut follower = Follower::new(Query::new(Target::Link(link)), 100);
        let ended = follow(&mut follower, &settings, |_, event, reason| {
            let word = match event {
                Event::State(state) => format!("{} {}", state.code(), reason.unwrap_or_default()),
                Event::Put { .. } => "put".to_owned(),
                Event::Remove { .. } => "remove".to_owned(),
                Event::Deviations(_) => return Ok(()),
            };
            sink.lock().expect("a log").push(word);
            Ok::<(), std::convert::Infallible>(())
        });
        match ended.await {
            Err(error) => error.to_string(),
        }
    });
    (listener, log, task)
}

/// Waits until the log has this word.
async fn until(log: &Log, word: &str) {
    while !log.lock().expect("a log").iter().any(|line| line.starts_with(word)) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// AR14: RFC 7653 §8.1, §9.4.
#[tokio::test]
async fn a_lost_connection_is_resumed_after_the_interval() {
    let (listener, log, task) = start(RECEIVE_TIMEOUT).await;
    let mut active = Peer::accept(&listener).await;
    assert!(active.query[0] == 22 && !active.resumes(), "{:?}", active.query);
    active.send(15, &format!("{IDS} {BASE}")).await;
    let mut bulk = Peer::accept(&listener).await;
    assert_eq!(bulk.query[0], 14, "on a connection of its own");
    bulk.send(15, &format!("{IDS} {BASE} {DATA}")).await;
    bulk.send(16, BASE).await;
    until(&log, "live").await;
    let before = Instant::now();
    drop(active);
    let mut again = Peer::accept(&listener).await;
    assert!(before.elapsed() >= SHORT, "{:?}", before.elapsed());
    assert!(again.query[0] == 22 && again.resumes(), "{:?}", again.query);
    again.send(15, &format!("{IDS} {BASE}")).await;
    until(&log, "catching-up").await;
    again.send(17, &format!("{BASE} 000d 0002 000d")).await;
    let after =
        |log: &[String]| log.iter().skip_while(|line| *line != "catching-up ").any(|line| line == "live ");
    while !after(&log.lock().expect("a log")) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(
        log.lock()
            .expect("a log")
            .iter()
            .any(|line| line == "lost the server closed the connection" || line.starts_with("lost [::1]"))
    );
    task.abort();
}

/// AR15: RFC 7653 §8.4: any message re-arms the timeout, that of the bulk connection does not.
#[tokio::test]
async fn a_silent_server_is_left() {
    // Long enough for a reply on a loaded machine.
    let (listener, log, task) = start(Duration::from_secs(3)).await;
    let mut active = Peer::accept(&listener).await;
    active.send(15, &format!("{IDS} {BASE}")).await;
    let mut bulk = Peer::accept(&listener).await;
    assert_eq!(bulk.query[0], 14, "LEASEQUERY");
    bulk.send(15, &format!("{IDS} {BASE} {DATA}")).await;
    let sender = tokio::spawn(async move {
        let data = octets(&format!("{BASE} {DATA}"));
        let message = [&[17][..], &bulk.query[1..4], &data].concat();
        let frame = [&(message.len() as u16).to_be_bytes()[..], &message].concat();
        // Until the requestor closes the connection.
        while bulk.stream.write_all(&frame).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    until(&log, "lost ").await;
    let log = log.lock().expect("a log").clone();
    assert!(log.iter().any(|line| line.contains("sent no whole message for 3 s")), "{log:?}");
    // The bulk connection was closed with the active one, before any other.
    sender.await.expect("the sender ends");
    task.abort();
}

/// AR12.
#[tokio::test]
async fn a_refusal_at_the_beginning_ends_it() {
    let (listener, _, task) = start(RECEIVE_TIMEOUT).await;
    let mut active = Peer::accept(&listener).await;
    active.send(15, &format!("{IDS} {BASE} 000d 0004 000e 6e6f")).await;
    let error = task.await.expect("it ends");
    assert!(error.contains("refuses the query: NotSupported(14) \"no\""), "{error}");
}

#[tokio::test]
async fn a_failed_bulk_query_is_told_and_repeated() {
    let (listener, log, task) = start(RECEIVE_TIMEOUT).await;
    let mut active = Peer::accept(&listener).await;
    active.send(15, &format!("{IDS} {BASE}")).await;
    let mut bulk = Peer::accept(&listener).await;
    bulk.send(15, &format!("{IDS} {BASE} {DATA}")).await;
    bulk.send(16, &format!("{BASE} 000d 0002 000b")).await;
    until(&log, "filling bulk query: Terminated, QueryTerminated(11)").await;
    let mut bulk = Peer::accept(&listener).await;
    bulk.send(15, &format!("{IDS} {BASE}")).await;
    until(&log, "remove").await;
    until(&log, "live").await;
    task.abort();
}
