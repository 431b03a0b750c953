//! `lq follow`: keeps a table equal to a server's bindings, and prints each change as a line of JSON.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{LineWriter, Stdout, Write};
use std::net::SocketAddrV6;

use lqd_requestor::bulk::{self, DATA_TIMEOUT, Query, Target};
use lqd_requestor::follow::{self, EndError, Event, Follower, Settings};
use lqd_requestor::{Deviation, TransactionId};

use crate::command_line::{Follow, Options};
use crate::error::Error;
use crate::exit::Exit;
use crate::{json, setup, tls, trace};

/// Makes the query of the flags.
pub(crate) fn query(flags: &Follow, options: &Options) -> Result<Query, Error> {
    crate::bulk::refuse_udp_flags("follow", options)?;
    if options.servers.servers.len() > 1 {
        return Err(Error::SeveralServers);
    }
    let link = options.query.link.filter(|link| !link.is_unspecified());
    let chosen = [
        flags.target.relay_id.clone().map(Target::RelayId),
        flags.target.remote_id.clone().map(Target::RemoteId),
    ];
    let (target, link) = match (chosen.into_iter().flatten().next(), link) {
        (Some(target), link) => (target, link),
        (None, Some(link)) => (Target::Link(link), None),
        (None, None) => return Err(Error::NoFollowTarget),
    };
    let (requested, server) = (options.query.request.clone(), options.servers.server_id.clone());
    Ok(Query { link, requested, server, ..Query::new(target) })
}

/// Follows until a signal, or an error that no retry would fix; returns the exit status.
pub(crate) async fn run(query: Query, flags: &Follow, options: &Options) -> Result<Exit, Error> {
    let settings = settings(flags, options).await?;
    // Found before anything is sent.
    query.encode_active(&settings.own, TransactionId([0; 3])).map_err(|_| Error::TooLong)?;
    let mut follower = Follower::new(query, flags.max_bindings);
    let output = RefCell::new(Output::new(settings.server));
    let sink = |follower: &Follower, event: Event, reason: Option<&str>| {
        output.borrow_mut().event(follower, &event, reason)
    };
    let mut terminate =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map_err(Error::Runtime)?;
    let ended = tokio::select! {
        ended = follow::follow(&mut follower, &settings, sink) => ended,
        _ = tokio::signal::ctrl_c() => return Ok(Exit::Found),
        _ = terminate.recv() => return Ok(Exit::Found),
    };
    let Err(error) = ended;
    exit(error)
}

/// Tells the error; returns its exit status.
fn exit(error: EndError<Error>) -> Result<Exit, Error> {
    let exit = match &error {
        EndError::Follow(_) => Exit::Incomplete,
        EndError::Connection(bulk::Error::Bind { .. }) => Exit::Usage,
        _ => Exit::Refused,
    };
    if let EndError::Sink(error) = error {
        return Err(error);
    }
    trace::say(format_args!("lq: {error}\n"));
    Ok(exit)
}

async fn settings(flags: &Follow, options: &Options) -> Result<Settings, Error> {
    let name = options.servers.servers.first();
    let server = match name {
        Some(name) => name.resolve().await?,
        None => setup::DEFAULT_SERVER,
    };
    let files = tls::Files::read(&flags.tls)?;
    let tls = files.map(|files| files.of_server(name)).transpose()?;
    let timeout = options.sending.timeout.unwrap_or(DATA_TIMEOUT);
    let connection = bulk::Settings { tls, timeout, ..crate::bulk::settings(options) };
    Ok(Settings {
        server,
        own: setup::own_duid(options)?,
        connection,
        receive_timeout: flags.receive_timeout,
        retry: flags.retry_interval,
    })
}

/// Lines on standard output, and deviations of the server on standard error.
struct Output {
    lines: LineWriter<Stdout>,
    from: SocketAddrV6,
    /// Deviations that were told.
    told: BTreeSet<&'static str>,
}

impl Output {
    fn new(from: SocketAddrV6) -> Self {
        Self { lines: LineWriter::new(std::io::stdout()), from, told: BTreeSet::new() }
    }

    fn event(&mut self, follower: &Follower, event: &Event, reason: Option<&str>) -> Result<(), Error> {
        if let Event::Deviations(deviations) = event {
            deviations.iter().for_each(|deviation| self.tell(deviation));
            return Ok(());
        }
        let Some(line) = json::follow::line(self.from, follower, event, reason) else { return Ok(()) };
        self.lines.write_all((line + "\n").as_bytes()).map_err(Error::Output)
    }

    /// Tells each kind of deviation once.
    fn tell(&mut self, deviation: &Deviation) {
        if self.told.insert(deviation.code()) {
            let (from, code) = (self.from, deviation.code());
            trace::say(format_args!("lq: {from} deviates from the RFCs: {code}: {deviation}\n"));
        }
    }
}
