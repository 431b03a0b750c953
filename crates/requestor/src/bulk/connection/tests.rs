//! A scripted server: sound answers, and every way to fail.

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::bulk::{Outcome, Target};
use crate::tests::octets;

const OWN: [u8; 4] = [0, 4, 0xaa, 0xbb];
const IDS: &str = "0001 0004 0004aabb 0002 0003 0004ee";
const DATA: &str = "002d 002b 0001 0003 0004cc 002e 0004 00000009
                    0005 0018 20010db8000000000000000000000001 00000064 000000c8";

/// A step of the server, after it has read the query.
#[derive(Clone)]
enum Act {
    /// Sends a message of this type with these options and the query's transaction-id, in its frame.
    Send(u8, String),
    /// The same octet by octet.
    Dribble(u8, String),
    /// Sends a message of another transaction.
    SendOther(u8),
    /// Sends these octets.
    Octets(Vec<u8>),
    /// Waits until the requestor closes the connection.
    Stall,
    /// Waits for the end of what the requestor sends.
    AwaitEnd,
}

/// Serves one connection by this script, then closes it.
async fn serve(script: Vec<Act>) -> (SocketAddrV6, JoinHandle<()>) {
    let listener = TcpListener::bind("[::1]:0").await.expect("a listener");
    let Ok(SocketAddr::V6(server)) = listener.local_addr() else { panic!("an IPv6 address") };
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("an option");
        let len = stream.read_u16().await.expect("a length");
        let mut query = vec![0; len.into()];
        stream.read_exact(&mut query).await.expect("a query");
        assert_eq!(query[0], 14);
        let frame = |kind: u8, id: &[u8], options: &str| {
            let message = [&[kind][..], id, &octets(options)].concat();
            [&(message.len() as u16).to_be_bytes()[..], &message].concat()
        };
        for act in script {
            // The requestor may have closed the connection: then the rest of the script is moot.
            let sent = match act {
                Act::Send(kind, options) => stream.write_all(&frame(kind, &query[1..4], &options)).await,
                Act::Dribble(kind, options) => {
                    for octet in frame(kind, &query[1..4], &options) {
                        stream.write_all(&[octet]).await.expect("sent");
                        tokio::task::yield_now().await;
                    }
                    Ok(())
                }
                Act::SendOther(kind) => {
                    let id = [query[1] ^ 1, query[2], query[3]];
                    stream.write_all(&frame(kind, &id, "")).await
                }
                Act::Octets(octets) => stream.write_all(&octets).await,
                Act::Stall | Act::AwaitEnd => stream.read_to_end(&mut Vec::new()).await.map(|_| ()),
            };
            let _ = sent;
        }
    });
    (server, task)
}

/// The messages of a server with this script, and how they ended.
async fn ask(script: Vec<Act>, half_close: bool) -> (Vec<Message>, Result<(), Error>) {
    let (server, task) = serve(script).await;
    let own = Duid::new(OWN).expect("a DUID");
    let mut connection = Connection::open(server, own, Settings::default()).await.expect("connected");
    let query = Query::new(Target::Link("2001:db8::".parse().expect("an address")));
    connection.ask(&query).await.expect("sent");
    if half_close {
        connection.finish_sending().await.expect("closed");
    }
    let mut messages = Vec::new();
    let ended = loop {
        match connection.next().await {
            Ok(Some(message)) => {
                let is_last = message.completion.is_some();
                messages.push(message);
                if is_last {
                    break Ok(());
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    drop(connection);
    task.await.expect("the server ends");
    (messages, ended)
}

fn reply() -> Act {
    Act::Send(15, format!("{IDS} {DATA}"))
}

fn data() -> Act {
    Act::Send(17, DATA.to_owned())
}

fn done() -> Act {
    Act::Send(16, String::new())
}

fn protocol(ended: &Result<(), Error>) -> Option<&ProtocolError> {
    match ended {
        Err(Error::Protocol { error, .. }) => Some(error),
        _ => None,
    }
}

#[tokio::test]
async fn an_answer_is_read_to_its_end() {
    let (messages, ended) = ask(vec![reply(), data(), done()], false).await;
    assert!(ended.is_ok(), "{ended:?}");
    let end = messages.last().and_then(|one| one.completion).expect("complete");
    assert_eq!((messages.len(), end.outcome, end.tally.bindings), (3, Outcome::Done, 2));
}

/// BR15.
#[tokio::test]
async fn an_answer_comes_octet_by_octet_and_after_a_half_close() {
    let script = vec![
        Act::AwaitEnd,
        Act::Dribble(15, format!("{IDS} {DATA}")),
        Act::Dribble(17, DATA.to_owned()),
        Act::Dribble(16, String::new()),
    ];
    let (messages, ended) = ask(script, true).await;
    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!(messages.len(), 3);
}

#[tokio::test]
async fn messages_of_other_queries_are_skipped() {
    let script = vec![Act::SendOther(15), reply(), Act::SendOther(17), done()];
    let (messages, ended) = ask(script, false).await;
    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!(messages.len(), 2);
}

#[tokio::test]
async fn servers_that_break_the_protocol_are_left() {
    let cut = Act::Octets(vec![0, 9, 17]);
    let rows = [
        ("closes at once", vec![], 0, ProtocolError::Closed),
        ("closes without done", vec![reply(), data()], 2, ProtocolError::Closed),
        ("closes inside a message", vec![reply(), cut], 1, ProtocolError::Cut(3)),
        ("done first", vec![done()], 0, ProtocolError::BeforeReply(lqd_wire::MessageType::LEASEQUERY_DONE)),
    ];
    for (name, script, count, error) in rows {
        let (messages, ended) = ask(script, false).await;
        assert_eq!((messages.len(), protocol(&ended)), (count, Some(&error)), "{name}");
    }
    for (name, script) in [
        ("done of another query", vec![reply(), Act::SendOther(16), data()]),
        ("second reply", vec![reply(), reply()]),
    ] {
        let (messages, ended) = ask(script, false).await;
        assert_eq!(messages.len(), 1, "{name}");
        assert!(protocol(&ended).is_some(), "{name}: {ended:?}");
    }
}

/// BR4: RFC 5460 §6.3. The clock is tokio's: it jumps to the timeout once every task waits.
#[tokio::test]
async fn a_server_that_stalls_is_left_after_the_data_timeout() {
    let (server, task) = serve(vec![Act::Octets(vec![0, 200, 15]), Act::Stall]).await;
    let own = Duid::new(OWN).expect("a DUID");
    let mut connection = Connection::open(server, own, Settings::default()).await.expect("connected");
    let query = Query::new(Target::Link("2001:db8::".parse().expect("an address")));
    connection.ask(&query).await.expect("sent");
    tokio::time::pause();
    let before = Instant::now();
    let ended = connection.next().await;
    assert!(matches!(ended, Err(Error::TimedOut { while_connecting: false, .. })), "{ended:?}");
    assert!(before.elapsed() >= DATA_TIMEOUT);
    drop(connection);
    task.await.expect("the server ends");
}

#[tokio::test]
async fn a_closed_port_is_named_with_advice() {
    let listener = TcpListener::bind("[::1]:0").await.expect("a listener");
    let Ok(SocketAddr::V6(server)) = listener.local_addr() else { panic!("an IPv6 address") };
    drop(listener);
    let own = Duid::new(OWN).expect("a DUID");
    let error = Connection::open(server, own, Settings::default()).await.err().expect("refused");
    assert!(error.to_string().contains("does the server offer bulk leasequery there?"), "{error}");
}
