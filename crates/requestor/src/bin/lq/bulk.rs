//! `lq bulk`: one query to each server over TCP; each client is printed as it arrives.

mod printer;
mod summary;

use std::net::SocketAddrV6;
use std::time::{Instant, SystemTime};

use lqd_requestor::bulk::{
    self, Completion, Connection, DATA_TIMEOUT, Message, Query, Settings, Target, Tls,
};
use lqd_requestor::{Duid, OptionCode, TransactionId};
use tokio::sync::mpsc;

use crate::command_line::{Bulk, Options};
use crate::error::Error;
use crate::exit::Exit;
use crate::{setup, tls, trace};

pub(crate) use printer::Printer;
#[cfg(test)]
pub(crate) use printer::{block, client};
pub(crate) use summary::{Answer, exit};

/// Messages that wait to be printed. Beyond, servers are not read.
const QUEUE_LEN: usize = 32;

/// A message with its origin, or the end of a server's answer.
pub(crate) enum Arrival {
    Message { from: SocketAddrV6, message: Box<Message>, received: SystemTime },
    End { from: SocketAddrV6, error: bulk::Error },
}

/// Makes the query of the flags.
pub(crate) fn query(flags: &Bulk, options: &Options) -> Result<Query, Error> {
    refuse_udp_flags("bulk", options)?;
    let link = options.query.link.filter(|link| !link.is_unspecified());
    let target = &flags.target;
    let chosen = [
        target.relay_id.clone().map(Target::RelayId),
        target.remote_id.clone().map(Target::RemoteId),
        target.addr.map(Target::Address),
        target.duid.clone().map(Target::Client),
    ];
    let chosen = chosen.into_iter().flatten().next();
    let (target, link) = match (chosen, link) {
        (Some(target), link) => (target, link),
        // A link alone is a target of its own.
        (None, Some(link)) => (Target::Link(link), None),
        (None, None) => return Err(Error::NoBulkTarget),
    };
    if let (Some(start), Some(end)) = (flags.start_time, flags.end_time)
        && start.is_after(end)
    {
        return Err(Error::StartAfterEnd);
    }
    let base_time = flags.base_time.then_some(OptionCode::LQ_BASE_TIME);
    Ok(Query {
        target,
        link,
        requested: options.query.request.iter().copied().chain(base_time).collect(),
        start: flags.start_time,
        end: flags.end_time,
        server: options.servers.server_id.clone(),
    })
}

/// Refuses flags that would have no effect although the user counts on one.
pub(crate) fn refuse_udp_flags(command: &'static str, options: &Options) -> Result<(), Error> {
    let relay = &options.relay;
    let given = [
        ("--interface", options.servers.interface.is_some()),
        ("--or-group", options.servers.or_group),
        ("--relay", relay.link_address.is_some()),
        ("--relay-interface-id", relay.interface_id.is_some()),
        ("--any-source", options.sending.any_source),
    ];
    match given.into_iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) => Err(Error::NotOverTcp(flag, command)),
        None => Ok(()),
    }
}

/// Sends the query, prints what arrives, and returns the exit status.
pub(crate) async fn run(query: &Query, flags: &Bulk, options: &Options) -> Result<Exit, Error> {
    let tls = tls::Files::read(&flags.tls)?;
    let own = setup::own_duid(options)?;
    // Found before anything is sent.
    query.encode(&own, TransactionId([0; 3])).map_err(|_| Error::TooLong)?;
    let mut servers: Vec<Peer> = Vec::new();
    for name in &options.servers.servers {
        let address = name.resolve().await?;
        if !servers.iter().any(|server| server.address == address) {
            let tls = tls.as_ref().map(|tls| tls.of_server(Some(name))).transpose()?;
            servers.push(Peer { address, tls });
        }
    }
    if servers.is_empty() {
        let tls = tls.as_ref().map(|tls| tls.of_server(None)).transpose()?;
        servers.push(Peer { address: setup::DEFAULT_SERVER, tls });
    }
    let half_close = flags.half_close;
    let requestor = Requestor { own, query: query.clone(), half_close, settings: settings(options) };
    let stages: Vec<&[Peer]> =
        if options.servers.in_turn { servers.chunks(1).collect() } else { vec![&servers] };
    let mut printer = Printer::new(options);
    let mut answers = Vec::new();
    for stage in stages {
        answers.extend(requestor.stage(stage, &mut printer).await?);
        if answers.iter().any(Answer::is_conclusive) {
            break;
        }
    }
    // In turn, a server that failed was replaced by the one that answered.
    let conclusive = answers.iter().position(Answer::is_conclusive).filter(|_| options.servers.in_turn);
    let exit = exit(&answers[conclusive.unwrap_or(0)..]);
    // The likeliest cause: the user did not mean the server on this host.
    if exit == Exit::NoReply && options.servers.servers.is_empty() {
        trace::say(format_args!("lq: without -s the server on this host is queried; name one with -s\n"));
    }
    Ok(exit)
}

/// Settings of a connection, without TLS.
pub(crate) fn settings(options: &Options) -> Settings {
    let sending = &options.sending;
    let any = std::net::Ipv6Addr::UNSPECIFIED;
    let local = SocketAddrV6::new(sending.source.unwrap_or(any), sending.source_port, 0, 0);
    let is_chosen = sending.source.is_some() || sending.source_port != 0;
    Settings {
        local: is_chosen.then_some(local),
        timeout: sending.timeout.unwrap_or(DATA_TIMEOUT),
        tls: None,
        observer: trace::observer(&options.output),
    }
}

/// A server to query.
#[derive(Clone)]
struct Peer {
    address: SocketAddrV6,
    tls: Option<Tls>,
}

/// The parts of every connection.
#[derive(Clone)]
struct Requestor {
    own: Duid,
    query: Query,
    half_close: bool,
    settings: Settings,
}

impl Requestor {
    /// Queries these servers at once and prints their clients as they come; returns how each one answered.
    async fn stage(&self, servers: &[Peer], printer: &mut Printer) -> Result<Vec<Answer>, Error> {
        let (sender, mut arrivals) = mpsc::channel(QUEUE_LEN);
        let mut answers: Vec<Answer> = servers.iter().map(|server| Answer::new(server.address)).collect();
        for server in servers {
            let mut requestor = self.clone();
            requestor.settings.tls.clone_from(&server.tls);
            tokio::spawn(requestor.fetch(server.address, sender.clone()));
        }
        drop(sender); // the channel ends with the last server
        let started = Instant::now();
        let mut stop = std::pin::pin!(tokio::signal::ctrl_c());
        let ended = loop {
            let arrival = match arrivals.try_recv() {
                Ok(arrival) => Some(arrival),
                Err(_) => {
                    // Printed as it arrives: nothing waits for the next message.
                    printer.flush()?;
                    tokio::select! {
                        arrival = arrivals.recv() => arrival,
                        _ = &mut stop => break Err(Error::Interrupted),
                    }
                }
            };
            let Some(arrival) = arrival else { break Ok(()) };
            if let Arrival::Message { from, message, received } = &arrival {
                printer.message(*from, message, *received)?;
            }
            if let Some(answer) = answers.iter_mut().find(|answer| answer.is_of(&arrival)) {
                answer.take(arrival);
            }
            printer.progress(&answers);
        };
        printer.flush()?;
        printer.end_progress();
        answers.iter().for_each(|answer| answer.print(started.elapsed()));
        ended.map(|()| answers)
    }

    /// Sends everything that a server answers, and its end if that is an error.
    async fn fetch(self, server: SocketAddrV6, sender: mpsc::Sender<Arrival>) {
        if let Err(error) = self.fetch_all(server, &sender).await {
            let _ = sender.send(Arrival::End { from: server, error }).await;
        }
    }

    async fn fetch_all(
        self,
        server: SocketAddrV6,
        sender: &mpsc::Sender<Arrival>,
    ) -> Result<(), bulk::Error> {
        let mut connection = Connection::open(server, self.own, self.settings).await?;
        connection.ask(&self.query).await?;
        if self.half_close {
            connection.finish_sending().await?;
        }
        while let Some(message) = connection.next().await? {
            let is_last = message.completion.is_some();
            let received = SystemTime::now();
            let arrival = Arrival::Message { from: server, message: Box::new(message), received };
            // The receiver is gone after an output error: close the connection.
            if sender.send(arrival).await.is_err() || is_last {
                break;
            }
        }
        Ok(())
    }
}

/// Whether an answer is complete.
pub(crate) fn is_whole(completion: Option<Completion>) -> bool {
    completion.is_some_and(|completion| completion.is_whole())
}
