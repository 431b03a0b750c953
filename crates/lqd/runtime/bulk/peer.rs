//! Requestors over TLS: names of their certificates, checked against the access rule of their address.

use std::cell::Cell;
use std::net::SocketAddrV6;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lqd_answer::Engine;
use lqd_stream::{HandshakeError, PeerCertificate};
use lqd_wire::hex::Hex;
use tracing::warn;

/// Shortest interval between two log lines of a thread about refused requestors.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// Longest part of a certificate's names in a log line, in characters.
const LOGGED_NAMES_LEN: usize = 300;

/// A requestor with a certificate that its access rule names.
#[derive(Debug)]
pub(super) struct Peer {
    names: Vec<String>,
    /// The name that the access rule has.
    pub(super) listed: Arc<str>,
}

impl Peer {
    /// Returns the peer, if the access rule of its address names its certificate.
    pub(super) fn admit(
        engine: &Engine,
        source: SocketAddrV6,
        certificate: &PeerCertificate,
    ) -> Option<Self> {
        let names = names(certificate);
        let listed = engine.certificate_name(*source.ip(), &names)?.into();
        Some(Self { names, listed })
    }

    /// Returns whether the access rule still does.
    pub(super) fn is_listed(&self, engine: &Engine, source: SocketAddrV6) -> bool {
        engine.certificate_name(*source.ip(), &self.names).is_some()
    }
}

/// Returns all names as access rules write them.
fn names(certificate: &PeerCertificate) -> Vec<String> {
    let key = format!("sha256:{}", Hex::undivided(&certificate.key_sha256));
    certificate.names.iter().cloned().chain([key]).collect()
}

/// Log of refused requestors, limited, as anyone may cause a line.
#[derive(Debug, Default)]
pub(super) struct RefusalLog {
    logged: Cell<Option<Instant>>,
    /// Refusals since then.
    skipped: Cell<u64>,
}

impl RefusalLog {
    /// Logs a failed handshake.
    pub(super) fn failed(&self, source: SocketAddrV6, error: &HandshakeError) {
        self.log(|skipped| {
            let result = error.result.name();
            warn!(requestor = %source, result, skipped, "TLS handshake failed: {error}");
        });
    }

    /// Logs a certificate that the access rule does not name.
    pub(super) fn not_listed(&self, source: SocketAddrV6, certificate: &PeerCertificate) {
        self.log(|skipped| {
            // Whoever got a certificate chose them.
            let names = names(certificate).join(" ").escape_debug().take(LOGGED_NAMES_LEN).collect::<String>();
            warn!(
                requestor = %source,
                names,
                skipped,
                "TLS requestor refused: its access rule does not name its certificate; add one of the names to certificates"
            );
        });
    }

    fn log(&self, line: impl FnOnce(u64)) {
        if self.logged.get().is_some_and(|at| at.elapsed() < LOG_EVERY) {
            self.skipped.set(self.skipped.get() + 1);
        } else {
            self.logged.set(Some(Instant::now()));
            line(self.skipped.take());
        }
    }
}
