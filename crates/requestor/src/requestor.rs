//! Concurrent queries over one UDP socket.
//!
//! One task receives, and hands each datagram to the query with its transaction-id; each query runs its own
//! [`Transaction`] in the caller's task. So a dropped query costs nothing further, and a slow one delays no
//! other. Transaction-ids are unique among the pending and the recently ended queries, which tells a late
//! answer from a foreign one.

use std::collections::{HashMap, VecDeque};
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use ipnet::Ipv6Net;
use lqd_wire::{Message, MessageType, RELAY_HOPS_MAX, RelayHeader, SERVER_PORT, TransactionId};
use tokio::net::UdpSocket;
use tokio::sync::{OnceCell, Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use crate::lookup::links_to_follow;
use crate::retransmission::RAND_MAX;
use crate::transaction::{Exchange, Expected, Step, Transaction};
use crate::{
    Duid, Error, Event, IgnoreReason, Lookup, LookupError, NegativeCache, Observer, Plan, Query, RelayPath,
    Target, Timers, socket,
};

/// Longest UDP payload, plus one octet to notice a longer one.
const DATAGRAM_LEN_MAX: usize = 65_536;

/// Datagrams queued for one query's task; a server sends one.
const MAILBOX_LEN: usize = 64;

/// Most pending queries; further ones wait. Far below 2^24, so that a free transaction-id is found soon.
const IN_FLIGHT_MAX: usize = 4096;

/// Number of ended queries whose ids are remembered.
const ENDED_MAX: usize = 4096;

/// Pause after the socket failed to receive, so that a lasting error does not spin.
const RECEIVE_ERROR_PAUSE: Duration = Duration::from_millis(10);

/// Settings of a requestor. The defaults are the RFC's.
#[derive(Clone, Default)]
pub struct Settings {
    /// Local address; default `::` and a port chosen by the system. Port 547 is refused (RFC 5007 §4.2.2).
    pub local: Option<SocketAddrV6>,
    /// Index of the interface for queries to groups ([`crate::interface_index`]); default: the system's
    /// choice.
    pub interface: Option<u32>,
    /// Retransmission (RFC 5007 §4.1.4).
    pub timers: Timers,
    /// Simulated relay agents; none by default.
    pub relays: RelayPath,
    /// Accept answers from addresses that were not queried, for servers that answer from another of their
    /// addresses.
    pub any_source: bool,
    /// Networks outside of which no address is queried (RFC 5007 §5); empty for no limit.
    pub access_networks: Vec<Ipv6Net>,
    /// Lifetime and capacity of the cache of queries without binding (RFC 5007 §5); none by default.
    pub negative_cache: Option<(Duration, usize)>,
    /// Callback for everything that is sent and received.
    pub observer: Option<Observer>,
}

/// A DHCPv6 leasequery requestor (RFC 5007 §4.3). Clones share the socket.
#[derive(Clone)]
pub struct Requestor(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    receiver: AbortHandle,
    own: Duid,
    settings: Settings,
    negative_cache: Option<Mutex<NegativeCache>>,
    lookups: Mutex<PendingLookups>,
    in_flight: Semaphore,
}

/// State shared by the receiving task and the queries.
struct Shared {
    socket: UdpSocket,
    mailboxes: Mutex<Mailboxes>,
    observer: Option<Observer>,
}

/// Mailboxes of the pending queries, and the ids of ended ones.
#[derive(Default)]
struct Mailboxes {
    open: HashMap<TransactionId, mpsc::Sender<Received>>,
    ended: VecDeque<TransactionId>,
}

/// A datagram for one query.
struct Received {
    from: SocketAddrV6,
    octets: Vec<u8>,
    at: Instant,
    wall: SystemTime,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.receiver.abort();
    }
}

impl Requestor {
    /// Opens the socket. `own` is the requestor's DUID, which should never change
    /// ([`crate::load_or_create`]).
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O and time.
    pub fn bind(own: Duid, settings: Settings) -> Result<Self, Error> {
        let local = settings.local.unwrap_or(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0));
        // Checked here, since the error would otherwise be silence from every server.
        if local.port() == SERVER_PORT {
            return Err(Error::ServerPort);
        }
        let socket = socket::open(local, settings.interface)
            .map_err(|source| Error::Bind { address: local, source })?;
        let shared =
            Arc::new(Shared { socket, mailboxes: Mutex::default(), observer: settings.observer.clone() });
        let receiver = tokio::spawn(receive(Arc::clone(&shared))).abort_handle();
        let negative_cache =
            settings.negative_cache.map(|(ttl, capacity)| Mutex::new(NegativeCache::new(ttl, capacity)));
        let in_flight = Semaphore::new(IN_FLIGHT_MAX);
        let lookups = Mutex::default();
        Ok(Self(Arc::new(Inner { shared, receiver, own, settings, negative_cache, lookups, in_flight })))
    }

    /// The local address.
    pub fn local_address(&self) -> std::io::Result<SocketAddr> {
        self.0.shared.socket.local_addr()
    }

    /// Queries, follows the links that the client is on (RFC 5007 §4.3.3), and merges the answers of all
    /// servers (§4.3.4).
    pub async fn ask(&self, query: &Query, plan: &Plan) -> Result<Lookup, Error> {
        if let Target::Address(address) = query.target {
            let networks = &self.0.settings.access_networks;
            if !networks.is_empty() && !networks.iter().any(|network| network.contains(&address)) {
                return Err(Error::OutsideAccessNetworks(address));
            }
        }
        if let Some(outcome) = self.known(query, plan) {
            return Ok(Lookup::cached(query.clone(), outcome));
        }
        // RFC 5007 §5: equal queries at the same time are sent once and share the result.
        let shared = PendingLookup::join(&self.0, query, plan);
        shared.lookup.get_or_try_init(|| self.look_up(query, plan)).await.cloned()
    }

    /// Does the same as [`Self::ask`], whatever other queries are pending.
    async fn look_up(&self, query: &Query, plan: &Plan) -> Result<Lookup, Error> {
        let exchange = self.exchange(query, plan).await?;
        let links = links_to_follow(&exchange);
        let mut exchanges = vec![exchange];
        exchanges.extend(self.follow(query, links).await?);
        let lookup = Lookup::conclude(query.clone(), exchanges);
        // Cached with the plan: other servers may know more.
        self.remember(&lookup, plan);
        Ok(lookup)
    }

    /// Sends one query for each link to the servers that named it, all at once; results are in the links'
    /// order.
    async fn follow(
        &self,
        query: &Query,
        links: Vec<(Ipv6Addr, Vec<SocketAddrV6>)>,
    ) -> Result<Vec<Exchange>, Error> {
        let mut tasks = JoinSet::new();
        for (index, (link, servers)) in links.into_iter().enumerate() {
            let (requestor, query) = (self.clone(), query.clone().on_link(link));
            let plan = Plan::together(servers);
            tasks.spawn(async move { (index, requestor.exchange(&query, &plan).await) });
        }
        let mut exchanges = tasks.join_all().await;
        // `join_all` returns the tasks in the order of their end.
        exchanges.sort_by_key(|(index, _)| *index);
        exchanges.into_iter().map(|(_, exchange)| exchange).collect()
    }

    /// Queries once, without following links, and returns the messages unmerged.
    pub async fn exchange(&self, query: &Query, plan: &Plan) -> Result<Exchange, Error> {
        let inner = &*self.0;
        if plan.is_empty() {
            return Err(Error::NoServer);
        }
        let _permit = inner.in_flight.acquire().await; // the semaphore is never closed
        let mut mailbox = Mailbox::open(&inner.shared);
        let octets = query.encode(&inner.own, mailbox.id).map_err(|_| Error::TooLong)?;
        let octets = inner.settings.relays.wrap(octets).map_err(|_| Error::TooLong)?;
        let expected = Expected {
            transaction_id: mailbox.id,
            own: inner.own.clone(),
            relays: inner.settings.relays.clone(),
            any_source: inner.settings.any_source,
        };
        let mut transaction = Transaction::new(query.clone(), expected, plan.clone(), inner.settings.timers);
        loop {
            let now = Instant::now();
            match transaction.poll(now.into_std(), || rand::random_range(-RAND_MAX..=RAND_MAX)) {
                Step::Done => {
                    // Datagrams may have arrived while this task was not running; they count, or are traced
                    // as ignored.
                    for received in (0..MAILBOX_LEN).map_while(|_| mailbox.receiver.try_recv().ok()) {
                        self.judge(&mut transaction, mailbox.id, &received);
                    }
                    return Ok(transaction.finish(octets));
                }
                Step::Send { to, transmission } => {
                    self.send(&mut transaction, mailbox.id, &octets, to, transmission).await;
                }
                Step::Wait(until) => tokio::select! {
                    () = tokio::time::sleep_until(until.into()) => {}
                    Some(received) = mailbox.receiver.recv() => self.judge(&mut transaction, mailbox.id, &received),
                },
            }
        }
    }

    async fn send(
        &self,
        transaction: &mut Transaction,
        id: TransactionId,
        octets: &[u8],
        to: SocketAddrV6,
        transmission: u32,
    ) {
        let shared = &self.0.shared;
        let transmissions_max = self.0.settings.timers.transmissions_max;
        match socket::send(&shared.socket, octets, to).await {
            Ok(()) => shared.tell(&Event::Sent { to, id, transmission, transmissions_max, octets }),
            Err(error) => {
                let text = error.to_string();
                shared.tell(&Event::NotSent { to, id, error: &text });
                // A passing error, such as a full buffer, is left to the retransmission.
                if !socket::may_pass(&error) {
                    transaction.send_failed(to, &text);
                }
            }
        }
    }

    fn judge(&self, transaction: &mut Transaction, id: TransactionId, received: &Received) {
        let Received { from, octets, at, wall } = received;
        let judged = transaction.receive(*from, octets, at.into_std(), *wall).map(|_| ());
        match &judged {
            Ok(()) => self.0.shared.tell(&Event::Accepted { from: *from, id, octets }),
            Err(reason) => self.0.shared.tell(&Event::Ignored { from: *from, reason, octets }),
        }
    }

    fn known(&self, query: &Query, plan: &Plan) -> Option<Result<(), LookupError>> {
        let now = Instant::now().into_std();
        lock(self.0.negative_cache.as_ref()?).get(query, plan, now)
    }

    fn remember(&self, lookup: &Lookup, plan: &Plan) {
        let Some(cache) = &self.0.negative_cache else { return };
        // A result that changed from nothing to bindings must not stay in the cache.
        let (mut cache, now) = (lock(cache), Instant::now().into_std());
        match &lookup.outcome {
            Ok(clients) if !clients.is_empty() => cache.remove(&lookup.query, plan),
            outcome => cache.insert(&lookup.query, plan, outcome.as_ref().map(|_| ()), now),
        }
    }
}

/// Results of the pending queries, shared by all callers with the same query.
type PendingLookups = HashMap<(Query, Plan), Arc<OnceCell<Lookup>>>;

/// A pending query; removed when the last caller that shares it has its result, or is dropped.
struct PendingLookup<'a> {
    inner: &'a Inner,
    key: (Query, Plan),
    lookup: Arc<OnceCell<Lookup>>,
}

impl<'a> PendingLookup<'a> {
    fn join(inner: &'a Inner, query: &Query, plan: &Plan) -> Self {
        let key = (query.clone(), plan.clone());
        let mut lookups = lock(&inner.lookups);
        // An initialized cell belongs to a query that has ended, whose result may be outdated.
        let lookup = match lookups.get(&key) {
            Some(lookup) if !lookup.initialized() => Arc::clone(lookup),
            _ => Arc::default(),
        };
        lookups.insert(key.clone(), Arc::clone(&lookup));
        Self { inner, key, lookup }
    }
}

impl Drop for PendingLookup<'_> {
    fn drop(&mut self) {
        let mut lookups = lock(&self.inner.lookups);
        // Two references are left: the map's and this one.
        if Arc::strong_count(&self.lookup) == 2
            && lookups.get(&self.key).is_some_and(|lookup| Arc::ptr_eq(lookup, &self.lookup))
        {
            lookups.remove(&self.key);
        }
    }
}

/// A query's registration among the pending ones, removed when dropped.
struct Mailbox<'a> {
    shared: &'a Shared,
    id: TransactionId,
    receiver: mpsc::Receiver<Received>,
}

impl<'a> Mailbox<'a> {
    fn open(shared: &'a Shared) -> Self {
        let (sender, receiver) = mpsc::channel(MAILBOX_LEN);
        let mut mailboxes = lock(&shared.mailboxes);
        let id = mailboxes.free_id();
        mailboxes.open.insert(id, sender);
        Self { shared, id, receiver }
    }
}

impl Drop for Mailbox<'_> {
    fn drop(&mut self) {
        let mut mailboxes = lock(&self.shared.mailboxes);
        mailboxes.open.remove(&self.id);
        mailboxes.ended.push_back(self.id);
        if mailboxes.ended.len() > ENDED_MAX {
            mailboxes.ended.pop_front();
        }
    }
}

impl Mailboxes {
    /// Returns a random id (RFC 8415 §16.1) that no query holds or held recently.
    ///
    /// At most 8,192 of 16,777,216 ids are taken, so the loop ends.
    fn free_id(&self) -> TransactionId {
        loop {
            let id = TransactionId(rand::random());
            if !self.open.contains_key(&id) && !self.ended.contains(&id) {
                return id;
            }
        }
    }
}

impl Shared {
    fn tell(&self, event: &Event<'_>) {
        if let Some(observer) = &self.observer {
            observer(event);
        }
    }

    /// Hands a datagram to the query that it may answer.
    fn deliver(&self, received: Received) {
        let (from, id) = (received.from, transaction_id(&received.octets));
        let refused = match id {
            Err(reason) => Some((reason, received)),
            Ok(id) => {
                let mailboxes = lock(&self.mailboxes);
                match mailboxes.open.get(&id) {
                    Some(mailbox) => mailbox
                        .try_send(received)
                        .err()
                        .map(|error| (IgnoreReason::Flood, error.into_inner())),
                    None if mailboxes.ended.contains(&id) => Some((IgnoreReason::Late(id), received)),
                    None => Some((IgnoreReason::OtherTransaction(id), received)),
                }
            }
        };
        if let Some((reason, received)) = refused {
            self.tell(&Event::Ignored { from, reason: &reason, octets: &received.octets });
        }
    }
}

/// Returns the transaction-id of a reply, through its relay hops.
fn transaction_id(octets: &[u8]) -> Result<TransactionId, IgnoreReason> {
    let mut octets = octets;
    for _ in 0..=RELAY_HOPS_MAX {
        match octets.first().map(|&kind| MessageType(kind)) {
            None => return Err(IgnoreReason::Empty),
            Some(MessageType::LEASEQUERY) => return Err(IgnoreReason::Leasequery),
            Some(MessageType::RELAY_REPL) => {
                let (_, mut options) = RelayHeader::parse(octets).map_err(IgnoreReason::Malformed)?;
                let message = options.find_map(|option| match option {
                    Ok((lqd_wire::OptionCode::RELAY_MSG, message)) => Some(Ok(message)),
                    Ok(_) => None,
                    Err(error) => Some(Err(IgnoreReason::Malformed(error))),
                });
                octets = message.ok_or(IgnoreReason::OtherMessage(MessageType::RELAY_REPL))??;
            }
            Some(MessageType::LEASEQUERY_REPLY) => {
                return Message::parse(octets)
                    .map(|message| message.transaction_id)
                    .ok_or(IgnoreReason::Empty);
            }
            Some(other) => return Err(IgnoreReason::OtherMessage(other)),
        }
    }
    Err(IgnoreReason::OtherRelay)
}

/// Receives until the task is aborted.
async fn receive(shared: Arc<Shared>) {
    let mut buffer = vec![0; DATAGRAM_LEN_MAX];
    loop {
        match shared.socket.recv_from(&mut buffer).await {
            Ok((len, SocketAddr::V6(from))) => {
                let octets = buffer.get(..len).unwrap_or_default().to_vec();
                shared.deliver(Received { from, octets, at: Instant::now(), wall: SystemTime::now() });
            }
            Ok((_, SocketAddr::V4(_))) => {} // unreachable: the socket is IPv6 only
            Err(error) => {
                shared.tell(&Event::ReceiveFailed { error: &error.to_string() });
                tokio::time::sleep(RECEIVE_ERROR_PAUSE).await;
            }
        }
    }
}

/// Locks a mutex, even a poisoned one: no code panics while it holds one, and each statement leaves the data
/// consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
