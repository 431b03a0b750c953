//! The admin port: metrics, status and health over HTTP, read only.
//!
//! hyper parses requests; six routes need no framework such as axum on top of it. One thread with a tokio
//! runtime does all of it, not pinned to a CPU, and touches no data that a worker waits for.

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

/// Mode of Unix sockets: owner and group may connect.
const SOCKET_MODE: u32 = 0o660;

/// Interval of attempts to bind an address that is in use.
const BIND_EVERY: Duration = Duration::from_secs(1);

/// Interval of looking for the first snapshot.
const SERVING_POLL_EVERY: Duration = Duration::from_millis(100);

/// The admin port; dropping it removes its Unix sockets.
pub(crate) struct Admin {
    socket_files: SocketFiles,
    /// Bound addresses that are not answered yet.
    listeners: Vec<Listener>,
    /// Addresses that another process uses.
    in_use: Vec<AdminAddress>,
    needs: AdminNeeds,
}

/// Paths of the Unix sockets to remove.
type SocketFiles = Arc<Mutex<Vec<PathBuf>>>;

/// Context of a request.
#[derive(Clone)]
struct Context {
    state: Arc<ServerState>,
    /// The file system restricts access to this listener, so it may show clients' data.
    is_private: bool,
}

/// A bound socket.
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Admin {
    /// Binds all addresses; connections wait until [`Admin::answer`].
    ///
    /// An address that is in use is bound later, as another lqd may be about to leave it: queries must not
    /// stay unanswered for want of a metrics port.
    pub(crate) fn bind(addresses: &[AdminAddress]) -> Result<Self, ExitError> {
        let mut admin = Self {
            socket_files: SocketFiles::default(),
            listeners: Vec::new(),
            in_use: Vec::new(),
            needs: AdminNeeds::default(),
        };
        for address in addresses {
            if address.is_open() {
                warn!(%address, "admin port is reachable from other hosts without a password; bind it to a loopback address");
            }
            match bind(address, &admin.socket_files) {
                Ok(listener) => admin.listeners.push(listener),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    warn!(%address, "admin port is in use by another process; waiting until it is free");
                    admin.in_use.push(address.clone());
                }
                Err(error) => return Err(ExitError::running(format!("admin port {address}: {error}"))),
            }
        }
        admin.needs.removes = addresses.iter().any(|address| address.path().is_some());
        admin.needs.binds = !admin.in_use.is_empty();
        Ok(admin)
    }

    /// Answers requests from now on, on a thread with the rights of this one.
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

    /// Returns the system calls that it needs after the start.
    pub(crate) fn needs(&self) -> AdminNeeds {
        self.needs
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        for path in self.socket_files.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            // It may have been removed already.
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

/// Binds an address once it is free, and answers there.
async fn wait_for(address: AdminAddress, state: Arc<ServerState>, socket_files: SocketFiles) {
    loop {
        time::sleep(BIND_EVERY).await;
        match bind(&address, &socket_files) {
            Ok(listener) => return answer_at(listener, &state),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => {
                let out_of_reach = |path: &Path| is_out_of_reach(path, error.kind(), Access::Socket);
                let advice = address.path().is_some_and(|path| out_of_reach(path)).then_some(OUT_OF_REACH);
                return error!(%address, %error, advice, "admin port cannot be bound");
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

/// Removes a socket that an ended process left behind; one with a listener stays.
fn remove_left_over(path: &Path) -> io::Result<()> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    if is_socket && UnixStream::connect(path).is_err_and(refused) {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// Answers at a listener.
fn answer_at(listener: Listener, state: &Arc<ServerState>) {
    if let Err(error) = spawn(listener, Arc::clone(state)) {
        error!(%error, "admin port does not answer");
    }
}

fn spawn(listener: Listener, state: Arc<ServerState>) -> io::Result<()> {
    match listener {
        Listener::Tcp(listener) => {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let context = Context { state, is_private: false };
            tokio::spawn(connection::accept(context, async move || Ok(listener.accept().await?.0)));
        }
        Listener::Unix(listener) => {
            let listener = tokio::net::UnixListener::from_std(listener)?;
            let context = Context { state, is_private: true };
            tokio::spawn(connection::accept(context, async move || Ok(listener.accept().await?.0)));
        }
    }
    Ok(())
}
