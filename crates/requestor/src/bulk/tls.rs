//! Certificates of TLS connections: the requestor's own, and the CA that certifies servers.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

/// Certificates for TLS connections. Both ends have one (RFC 7653 §9.1).
#[derive(Clone)]
pub struct Tls {
    pub(super) config: Arc<ClientConfig>,
    /// The name to find in the server's certificate; `None` for its address.
    pub(super) name: Option<ServerName<'static>>,
}

/// A file of [`Tls`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsPart {
    /// The certificate of this requestor, and those between it and its CA.
    Certificate,
    /// The private key of that certificate.
    Key,
    /// The certificates of CAs that certify servers.
    Ca,
}

/// A reason why [`Tls`] cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct TlsFileError {
    /// The unusable file.
    pub part: TlsPart,
    reason: String,
}

impl Tls {
    /// Reads the contents of three PEM files: a certificate with those between it and its CA, its
    /// unencrypted key, and the CAs that certify servers.
    ///
    /// # Errors
    /// A file without PEM of its kind, a key of another certificate.
    pub fn new(certificate: &[u8], key: &[u8], ca: &[u8]) -> Result<Self, TlsFileError> {
        let chain = certificates(TlsPart::Certificate, certificate)?;
        let mut roots = RootCertStore::empty();
        for authority in certificates(TlsPart::Ca, ca)? {
            roots.add(authority).map_err(|error| file_error(TlsPart::Ca, &error))?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| file_error(TlsPart::Key, &error))?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, private_key(key)?)
            .map_err(|error| file_error(TlsPart::Key, &error))?;
        Ok(Self { config: Arc::new(config), name: None })
    }

    /// Wants this name, a DNS name or an IP address, in the server's certificate; `None` if it is neither.
    #[must_use]
    pub fn expecting(&self, name: &str) -> Option<Self> {
        let name = ServerName::try_from(name.to_owned()).ok()?;
        Some(Self { name: Some(name), ..self.clone() })
    }
}

impl fmt::Debug for Tls {
    /// Leaves out the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

fn certificates(part: TlsPart, file: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let read = CertificateDer::pem_slice_iter(file).collect::<Result<Vec<_>, _>>();
    let read = read.map_err(|error| file_error(part, &error))?;
    if read.is_empty() {
        return Err(file_error(part, "no certificate in PEM (-----BEGIN CERTIFICATE-----)"));
    }
    Ok(read)
}

fn private_key(file: &[u8]) -> Result<PrivateKeyDer<'static>, TlsFileError> {
    // The library's errors may print octets of the key.
    let reason = "no unencrypted private key in PEM (-----BEGIN PRIVATE KEY-----)";
    PrivateKeyDer::from_pem_slice(file).map_err(|_| file_error(TlsPart::Key, reason))
}

fn file_error(part: TlsPart, reason: &(impl ToString + ?Sized)) -> TlsFileError {
    TlsFileError { part, reason: reason.to_string() }
}
