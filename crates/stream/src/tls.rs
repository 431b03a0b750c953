//! TLS of connections after STARTTLS: a certificate of this server, and a CA that certifies peers.
//!
//! Every peer must have a certificate. Sessions are not resumed, so each handshake checks it anew.

mod handshake;
mod pem;

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::ring::default_provider;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::TlsAcceptor;

pub use handshake::HandshakeError;
pub(crate) use handshake::{HANDSHAKE_TIMEOUT, shake};

/// A usable certificate, its key, and a CA; connections keep the one that they began with.
pub struct TlsConfig {
    pub(crate) acceptor: TlsAcceptor,
    expiry: Expiry,
}

/// Last seconds at which certificates are valid, as UNIX times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The certificate of this server, or an intermediate one of its file that ends earlier.
    pub certificate: i64,
    /// The CA that certifies peers; of several, the one that ends first.
    pub ca: i64,
}

/// A file of a [`TlsConfig`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsPart {
    /// The certificate of this server, and those between it and its CA.
    Certificate,
    /// The private key of that certificate.
    Key,
    /// The certificates of CAs that certify peers.
    Ca,
}

/// A reason why a [`TlsConfig`] cannot be made, and its fix.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct TlsError {
    /// The unusable file.
    pub part: TlsPart,
    reason: String,
}

impl TlsError {
    fn new(part: TlsPart, reason: impl Into<String>) -> Self {
        Self { part, reason: reason.into() }
    }
}

impl TlsConfig {
    /// Makes a configuration from the contents of three PEM files: a certificate with those between it and
    /// its CA, its unencrypted key (PKCS #8, PKCS #1 or SEC 1), and the CAs that certify peers.
    ///
    /// An expired certificate is accepted: the caller judges [`Self::expiry`].
    ///
    /// # Errors
    /// A file without PEM of its kind, a key of another certificate.
    pub fn new(certificate: &[u8], key: &[u8], ca: &[u8]) -> Result<Self, TlsError> {
        let provider = Arc::new(default_provider());
        let chain = pem::certificates(TlsPart::Certificate, certificate)?;
        let authorities = pem::certificates(TlsPart::Ca, ca)?;
        let expiry = Expiry {
            certificate: pem::expiry(TlsPart::Certificate, &chain)?,
            ca: pem::expiry(TlsPart::Ca, &authorities)?,
        };
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority).map_err(|error| TlsError::new(TlsPart::Ca, error.to_string()))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| TlsError::new(TlsPart::Ca, error.to_string()))?;
        let builder = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::new(TlsPart::Key, error.to_string()))?;
        let mut config = builder
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, pem::key(key)?)
            .map_err(|error| pem::of_key(&error))?;
        // A resumed session would outlive the certificate that it was made with.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self { acceptor: Arc::new(config).into(), expiry })
    }

    /// Returns when its certificates end.
    pub fn expiry(&self) -> Expiry {
        self.expiry
    }
}

impl std::fmt::Debug for TlsConfig {
    /// Leaves out the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsConfig").field("expiry", &self.expiry).finish_non_exhaustive()
    }
}
