//! Connections of a follower over tokio.

use std::convert::Infallible;
use std::net::SocketAddrV6;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Event, FollowError, Follower, State};
use crate::bulk::{self, Connection, Message, Outcome, Query};
use crate::{Duid, Status};

/// ACTIVE_LQ_RCV_TIMEOUT (RFC 7653 §6.4).
pub const RECEIVE_TIMEOUT: Duration = Duration::from_secs(120);

/// ACTIVE_LQ_IDLE_TIMEOUT, the shortest time between two attempts (RFC 7653 §8.1).
pub const RETRY_INTERVAL: Duration = Duration::from_secs(60);

/// Longest time for which the sink does not learn new counts while bindings change.
const COUNTS_INTERVAL: Duration = Duration::from_secs(1);

/// Messages of a bulk answer that wait. Beyond, the server is not read.
const QUEUE_LEN: usize = 32;

/// Settings of following.
#[derive(Clone)]
pub struct Settings {
    /// The server.
    pub server: SocketAddrV6,
    /// DUID of this requestor.
    pub own: Duid,
    /// Settings of both connections; the timeout is that of the bulk connection.
    pub connection: bulk::Settings,
    /// Longest time without a message of the active connection.
    pub receive_timeout: Duration,
    /// Time between the end of a connection and the next attempt.
    pub retry: Duration,
}

/// The reason why following ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndError<E> {
    /// The sink's error.
    #[error("{0}")]
    Sink(E),
    /// The table cannot hold the bindings.
    #[error("{0}")]
    Follow(#[from] FollowError),
    /// A refusal before the table was ever complete: no time would change it.
    #[error("{server} refuses the query: {}", crate::error::status_text(.status))]
    Refused {
        /// The server.
        server: SocketAddrV6,
        /// The status.
        status: Status,
    },
    /// A failure of the first connection that an operator has to fix.
    #[error("{0}")]
    Connection(bulk::Error),
}

/// The end of one connection.
enum Lost {
    Connection(bulk::Error),
    /// LEASEQUERY-REPLY or LEASEQUERY-DONE that ends the query.
    Ended(Outcome, Option<Status>),
    Closed,
}

impl Lost {
    fn reason(&self) -> String {
        match self {
            Self::Connection(error) => error.to_string(),
            Self::Ended(_, Some(status)) => format!("ended by {}", crate::error::status_text(status)),
            Self::Ended(_, None) => "ended by the server without a status".to_owned(),
            Self::Closed => "the server closed the connection".to_owned(),
        }
    }
}

/// Messages of a bulk query, which runs in a task of its own.
type Arrivals = mpsc::Receiver<Result<Message, bulk::Error>>;

/// Follows a server for ever: connects, queries, and connects again after the end of a connection.
///
/// The sink gets each event at once, with the reason of a state that is an interruption, and the state again
/// within a second after changes.
///
/// # Errors
/// Those of the sink and of the table; a refusal or wrong certificate before the table was complete.
pub async fn follow<E>(
    follower: &mut Follower,
    settings: &Settings,
    mut sink: impl FnMut(&Follower, Event, Option<&str>) -> Result<(), E>,
) -> Result<Infallible, EndError<E>> {
    let mut was_live = false;
    loop {
        let lost =
            Attempt { settings, follower: &mut *follower, was_live: &mut was_live }.run(&mut sink).await?;
        if !was_live {
            match &lost {
                Lost::Ended(Outcome::Refused, Some(status)) => {
                    return Err(EndError::Refused { server: settings.server, status: status.clone() });
                }
                Lost::Connection(
                    bulk::Error::Tls { .. } | bulk::Error::Bind { .. } | bulk::Error::TooLong,
                ) => {
                    let Lost::Connection(error) = lost else { continue };
                    return Err(EndError::Connection(error));
                }
                _ => {}
            }
        }
        follower.disconnected();
        drain(follower, &mut sink, Some(&lost.reason())).map_err(EndError::Sink)?;
        tokio::time::sleep(settings.retry).await;
    }
}

/// One active connection, and the bulk queries beside it.
struct Attempt<'a> {
    settings: &'a Settings,
    follower: &'a mut Follower,
    was_live: &'a mut bool,
}

impl Attempt<'_> {
    async fn run<E>(
        self,
        sink: &mut impl FnMut(&Follower, Event, Option<&str>) -> Result<(), E>,
    ) -> Result<Lost, EndError<E>> {
        let Self { settings, follower, was_live } = self;
        let mut active = match open(settings, settings.receive_timeout).await {
            Ok(active) => active,
            Err(error) => return Ok(Lost::Connection(error)),
        };
        let query = follower.connected();
        if let Err(error) = active.follow(&query).await {
            return Ok(Lost::Connection(error));
        }
        drain(follower, sink, None).map_err(EndError::Sink)?;
        let (mut arrivals, mut bulk_from) = (None::<Arrivals>, Instant::now());
        let mut deadline = Instant::now() + settings.receive_timeout;
        let mut counts_at = None::<Instant>;
        loop {
            let is_in_doubt = follower.has_doubts();
            if arrivals.is_none() && (is_in_doubt || Instant::now() >= bulk_from) {
                arrivals = follower.next_bulk().map(|query| fetch(settings, query));
                // Only what was begun delays the next one: at first the active reply is still to come.
                if arrivals.is_some() && !is_in_doubt {
                    bulk_from = Instant::now() + settings.retry;
                }
            }
            let later = Instant::now() + settings.receive_timeout;
            let failure = tokio::select! {
                message = receive(&mut active, deadline, settings.receive_timeout) => {
                    let message = match message {
                        Ok(message) => message,
                        Err(lost) => return Ok(lost),
                    };
                    deadline = Instant::now() + settings.receive_timeout;
                    follower.take_active(&message, SystemTime::now())?;
                    if let Some(end) = message.completion {
                        drain(follower, sink, None).map_err(EndError::Sink)?;
                        return Ok(Lost::Ended(end.outcome, message.status));
                    }
                    None
                }
                arrival = next(&mut arrivals) => take_arrival(follower, arrival)?,
                () = sleep_until(bulk_from), if arrivals.is_none() && follower.needs_bulk() => None,
                () = sleep_until(counts_at.unwrap_or(later)), if counts_at.is_some() => {
                    counts_at = None;
                    let state = Event::State(follower.state());
                    sink(follower, state, None).map_err(EndError::Sink)?;
                    None
                }
            };
            if !follower.awaits_bulk() {
                arrivals = None;
            }
            if let Some(reason) = failure {
                bulk_from = Instant::now() + settings.retry;
                let reason = format!("bulk query: {reason}");
                let state = Event::State(follower.state());
                sink(follower, state, Some(&reason)).map_err(EndError::Sink)?;
            }
            if drain(follower, sink, None).map_err(EndError::Sink)? {
                counts_at = counts_at.or(Some(Instant::now() + COUNTS_INTERVAL));
            }
            *was_live |= follower.state() == State::Live;
        }
    }
}

/// Waits for the next message of the active connection.
async fn receive(active: &mut Connection, deadline: Instant, after: Duration) -> Result<Message, Lost> {
    match timeout_at(deadline, active.next()).await {
        Ok(Ok(Some(message))) => Ok(message),
        Ok(Ok(None)) => Err(Lost::Closed),
        Ok(Err(error)) => Err(Lost::Connection(error)),
        Err(_) => Err(Lost::Connection(active.silent(after))),
    }
}

/// Takes a message of the bulk connection, or its end; returns the reason of a failure.
fn take_arrival(
    follower: &mut Follower,
    arrival: Option<Result<Message, bulk::Error>>,
) -> Result<Option<String>, FollowError> {
    let reason = match arrival {
        Some(Ok(message)) => {
            follower.take_bulk(&message, SystemTime::now())?;
            let end = message.completion.filter(|end| !end.is_whole() && follower.needs_bulk());
            return Ok(end.map(|end| bulk_end(end.outcome, message.status.as_ref())));
        }
        Some(Err(error)) => error.to_string(),
        None => "the answer broke off".to_owned(),
    };
    follower.bulk_failed();
    Ok(Some(reason))
}

fn bulk_end(outcome: Outcome, status: Option<&Status>) -> String {
    match status {
        Some(status) => format!("{outcome:?}, {}", crate::error::status_text(status)),
        None => format!("{outcome:?}, not every binding came"),
    }
}

/// Passes all events on; returns whether a binding changed.
fn drain<E>(
    follower: &mut Follower,
    sink: &mut impl FnMut(&Follower, Event, Option<&str>) -> Result<(), E>,
    reason: Option<&str>,
) -> Result<bool, E> {
    let mut is_changed = false;
    while let Some(event) = follower.next_event() {
        is_changed |= matches!(event, Event::Put { .. } | Event::Remove { .. });
        let reason = reason.filter(|_| matches!(event, Event::State(_)));
        sink(follower, event, reason)?;
    }
    Ok(is_changed)
}

async fn open(settings: &Settings, timeout: Duration) -> Result<Connection, bulk::Error> {
    let connection = bulk::Settings { timeout, ..settings.connection.clone() };
    Connection::open(settings.server, settings.own.clone(), connection).await
}

/// Sends a bulk query on a connection of its own (RFC 7653 §9.4).
fn fetch(settings: &Settings, query: Query) -> Arrivals {
    let (sender, arrivals) = mpsc::channel(QUEUE_LEN);
    let settings = settings.clone();
    tokio::spawn(async move {
        if let Err(error) = fetch_all(&settings, &query, &sender).await {
            let _ = sender.send(Err(error)).await;
        }
    });
    arrivals
}

async fn fetch_all(
    settings: &Settings,
    query: &Query,
    sender: &mpsc::Sender<Result<Message, bulk::Error>>,
) -> Result<(), bulk::Error> {
    let mut connection = open(settings, settings.connection.timeout).await?;
    connection.ask(query).await?;
    while let Some(message) = connection.next().await? {
        let is_last = message.completion.is_some();
        // The receiver is gone after the end of the active connection.
        if sender.send(Ok(message)).await.is_err() || is_last {
            break;
        }
    }
    Ok(())
}

/// The next message of the bulk query; for ever without one.
async fn next(arrivals: &mut Option<Arrivals>) -> Option<Result<Message, bulk::Error>> {
    match arrivals {
        Some(arrivals) => arrivals.recv().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
