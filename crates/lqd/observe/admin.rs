//! The admin port: what lqd is doing, over HTTP, for Prometheus, load balancers and people. Reading only.
//!
//! ```text
//! connection  HTTP/1 within limits      scrape   all numbers at one moment, from workers, feed and index
//! census      leases by link, counted   metrics  a scrape as Prometheus text
//! process     CPU and memory            status   a scrape as JSON
//! ```
//! hyper parses what strangers send; its own few routes need no framework on top (axum), and std's listener would
//! mean an HTTP parser of our own. One thread with a tokio runtime of its own does all of it. Workers pin themselves
//! to CPUs; this thread is pinned nowhere, so that the scheduler runs it where there is time. It touches nothing that
//! a worker waits for.

mod connection;

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use lqd_feed::{Access, OUT_OF_REACH, is_out_of_reach};
use tokio::{runtime, time};
use tracing::{error, info, warn};

use super::census;
use super::state::ServerState;
use crate::error::ExitError;
use crate::security::AdminNeeds;
use crate::settings::AdminAddress;

/// Who may connect to a Unix socket: owner and group.
const SOCKET_MODE: u32 = 0o660;

/// How long to wait before an address that is in use is tried again.
const BIND_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Interval of looking for the first snapshot.
const SERVING_POLL_EVERY: Duration = Duration::from_millis(100);

/// The admin port; its Unix sockets vanish when it is dropped.
pub(crate) struct Admin {
    socket_files: SocketFiles,
    /// Bound, and not answered at yet.
    listeners: Vec<Listener>,
    /// In use by another process when they were tried.
    in_use: Vec<AdminAddress>,
    needs: AdminNeeds,
}

/// Unix sockets that are ours.
type SocketFiles = Arc<Mutex<Vec<PathBuf>>>;

/// The way on which somebody asks.
#[derive(Clone)]
struct Way {
    state: Arc<ServerState>,
    /// The file system says who may come here, so clients' data may be given.
    is_private: bool,
}

/// A socket that is bound.
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Admin {
    /// Binds all addresses; who connects waits until [`Admin::answer`].
    ///
    /// One that is in use is waited for, as another lqd may be about to end and leave it; that there is no port for
    /// metrics yet is no reason to leave queries unanswered.
    pub(crate) fn bind(addresses: &[AdminAddress]) -> Result<Self, ExitError> {
        let mut admin = Self {
            socket_files: SocketFiles::default(),
            listeners: Vec::new(),
            in_use: Vec::new(),
            needs: AdminNeeds::default(),
        };
        for address in addresses {
            if address.is_open() {
                warn!(%address, "the admin port can be reached from other hosts, and asks for no password");
            }
            match bind(address, &admin.socket_files) {
                Ok(listener) => admin.listeners.push(listener),
                Err(fault) if fault.kind() == io::ErrorKind::AddrInUse => {
                    warn!(%address, "the admin port is in use by another process; waiting for it to be free");
                    admin.in_use.push(address.clone());
                }
                Err(fault) => return Err(ExitError::running(format!("admin port {address}: {fault}"))),
            }
        }
        admin.needs.removes = addresses.iter().any(|address| address.path().is_some());
        admin.needs.binds = !admin.in_use.is_empty();
        Ok(admin)
    }

    /// Answers from now on, on a thread that has the rights of this one.
    pub(crate) fn answer(&mut self, state: &Arc<ServerState>) -> Result<(), ExitError> {
        let (listeners, in_use) = (std::mem::take(&mut self.listeners), std::mem::take(&mut self.in_use));
        if listeners.is_empty() && in_use.is_empty() {
            return Ok(());
        }
        let state = Arc::clone(state);
        let runtime =
            runtime::Builder::new_current_thread().enable_all().build().map_err(ExitError::running)?;
        let socket_files = Arc::clone(&self.socket_files);
        let run = move || {
            runtime.block_on(async {
                listeners.into_iter().for_each(|listener| answer_at(listener, &state));
                for address in in_use {
                    tokio::spawn(wait_for(address, Arc::clone(&state), Arc::clone(&socket_files)));
                }
                keep_census(&state).await;
            });
        };
        thread::Builder::new().name("lqd-admin".to_owned()).spawn(run).map_err(ExitError::running)?;
        Ok(())
    }

    /// What it still has to do from its start to its end.
    pub(crate) fn needs(&self) -> AdminNeeds {
        self.needs
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        for path in self.socket_files.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            // Whoever removed it first has done this work.
            let _ = fs::remove_file(path);
        }
    }
}

fn bind(address: &AdminAddress, socket_files: &SocketFiles) -> io::Result<Listener> {
    match address {
        AdminAddress::Tcp(socket) => {
            let listener = TcpListener::bind(socket)?;
            listener.set_nonblocking(true)?;
            info!(address = %listener.local_addr()?, "admin port");
            Ok(Listener::Tcp(listener))
        }
        AdminAddress::Unix(path) => {
            remove_left_over(path)?;
            let listener = UnixListener::bind(path)?;
            socket_files.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
            fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
            listener.set_nonblocking(true)?;
            info!(%address, "admin port");
            Ok(Listener::Unix(listener))
        }
    }
}

/// Answers at an address as soon as it is free.
async fn wait_for(address: AdminAddress, state: Arc<ServerState>, socket_files: SocketFiles) {
    loop {
        time::sleep(BIND_AGAIN_AFTER).await;
        match bind(&address, &socket_files) {
            Ok(listener) => return answer_at(listener, &state),
            Err(fault) if fault.kind() == io::ErrorKind::AddrInUse => {}
            Err(fault) => {
                let out_of_reach = |path: &Path| is_out_of_reach(path, fault.kind(), Access::Socket);
                let advice = address.path().is_some_and(|path| out_of_reach(path)).then_some(OUT_OF_REACH);
                return error!(%address, %fault, advice, "admin port cannot be bound");
            }
        }
    }
}

/// Repeats the census from the first snapshot on.
async fn keep_census(state: &ServerState) {
    let store = loop {
        match state.serving.get() {
            Some(serving) => break &serving.store,
            None => time::sleep(SERVING_POLL_EVERY).await,
        }
    };
    let Some(reader) = store.reader() else {
        // There is room for more readers than there can be workers.
        return std::future::pending().await;
    };
    census::repeat(reader, |census| state.census.store(Some(Arc::new(census)))).await;
}

/// Removes the socket of a process that ended without doing so; one that somebody listens at stays.
fn remove_left_over(path: &Path) -> io::Result<()> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    let refused = |fault: io::Error| fault.kind() == io::ErrorKind::ConnectionRefused;
    if is_socket && UnixStream::connect(path).is_err_and(refused) {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// Answers at a listener, on the runtime's thread.
fn answer_at(listener: Listener, state: &Arc<ServerState>) {
    if let Err(fault) = spawn(listener, Arc::clone(state)) {
        error!(%fault, "admin port does not answer");
    }
}

fn spawn(listener: Listener, state: Arc<ServerState>) -> io::Result<()> {
    match listener {
        Listener::Tcp(listener) => {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let way = Way { state, is_private: false };
            tokio::spawn(connection::accept(way, async move || Ok(listener.accept().await?.0)));
        }
        Listener::Unix(listener) => {
            let listener = tokio::net::UnixListener::from_std(listener)?;
            let way = Way { state, is_private: true };
            tokio::spawn(connection::accept(way, async move || Ok(listener.accept().await?.0)));
        }
    }
    Ok(())
}
