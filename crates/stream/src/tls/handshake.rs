//! The handshake of one connection, and the reason of its failure.

use std::io;
use std::time::Duration;

use rustls::{CertificateError, Error};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;

use super::TlsConfig;
use crate::counters::Handshake;
use crate::peer::PeerCertificate;

/// Longest time of a handshake, which is no longer than that of a frame either.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A handshake that failed; its text names the cause.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct HandshakeError {
    /// Kind of the failure.
    pub result: Handshake,
    reason: String,
}

impl HandshakeError {
    pub(crate) fn timeout() -> Self {
        Self { result: Handshake::Timeout, reason: "the peer did not complete it in time".to_owned() }
    }

    fn of(error: &io::Error) -> Self {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
        Self { result: cause.map_or(Handshake::Failed, of_cause), reason: error.to_string() }
    }
}

/// Returns the kind of a failure.
fn of_cause(error: &Error) -> Handshake {
    use CertificateError as Certificate;
    match error {
        Error::NoCertificatesPresented => Handshake::NoCertificate,
        // A CA of the same name with another key shows as a bad signature.
        Error::InvalidCertificate(Certificate::UnknownIssuer | Certificate::BadSignature) => {
            Handshake::UnknownCa
        }
        Error::InvalidCertificate(
            Certificate::Expired
            | Certificate::ExpiredContext { .. }
            | Certificate::NotValidYet
            | Certificate::NotValidYetContext { .. },
        ) => Handshake::Expired,
        Error::AlertReceived(_) => Handshake::RefusedByPeer,
        _ => Handshake::Failed,
    }
}

/// Encrypts a stream; returns it with the peer's certificate.
pub(crate) async fn shake<T: AsyncRead + AsyncWrite + Unpin>(
    config: &TlsConfig,
    stream: T,
) -> Result<(TlsStream<T>, PeerCertificate), HandshakeError> {
    let stream = config.acceptor.accept(stream).await.map_err(|error| HandshakeError::of(&error))?;
    let peer = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let peer = peer.and_then(|certificate| PeerCertificate::read(certificate)).ok_or_else(|| {
        let reason = "the names of the peer's certificate cannot be read".to_owned();
        HandshakeError { result: Handshake::Failed, reason }
    })?;
    Ok((stream, peer))
}
