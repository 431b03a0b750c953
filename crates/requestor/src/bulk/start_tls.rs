//! The change of a connection to TLS: STARTTLS, REPLY, handshake (RFC 7653 §8.2).

use std::io;
use std::net::SocketAddrV6;
use std::sync::Arc;

use lqd_wire::{Message, MessageType, StatusCode, TransactionId};
use rustls::CertificateError as Certificate;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::Tls;
use super::connection::Stream;
use crate::Status;
use crate::error::status_text;
use crate::reply::MessageOptions;

/// The reason why a connection is not encrypted. It is closed then: nothing is queried in plain text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A REPLY with a status, as TLSConnectionRefused.
    #[error("the server refuses TLS: {}", status_text(.0))]
    Refused(Status),
    /// The end of the connection instead of a REPLY, as of servers that do not know STARTTLS.
    #[error("the server closed the connection at STARTTLS; does it offer TLS? (RFC 7653 §8.2)")]
    Closed,
    /// Octets other than the REPLY to our STARTTLS.
    #[error("the answer to STARTTLS is not its REPLY: {0}")]
    NotReply(String),
    /// A certificate of the server that is expired, or not valid yet.
    #[error("the certificate of the server is not valid now: {0}")]
    Expired(String),
    /// A certificate of the server that no CA of ours has certified.
    #[error("the certificate of the server is not of a CA in --ca: {0}")]
    UnknownCa(String),
    /// A certificate for other names than that of the server.
    #[error(
        "the certificate of the server is for another name: {0}; --tls-name NAME names the one to expect"
    )]
    OtherName(String),
    /// An alert of the server, mostly about our certificate.
    #[error("the server refuses this TLS connection, perhaps for the certificate of --cert: {0}")]
    RefusedByServer(String),
    /// Any other failure of the handshake.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
}

impl TlsError {
    /// Whether the server does not prove its identity.
    pub fn is_of_certificate(&self) -> bool {
        matches!(self, Self::Expired(_) | Self::UnknownCa(_) | Self::OtherName(_))
    }

    /// Returns the TLS error in an error of the stream. With TLS 1.3 a server judges our certificate after
    /// our end of the handshake is done.
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        let cause = error.get_ref()?.downcast_ref::<rustls::Error>()?;
        let text = cause.to_string();
        Some(match cause {
            rustls::Error::AlertReceived(_) => Self::RefusedByServer(text),
            rustls::Error::InvalidCertificate(reason) => match reason {
                Certificate::Expired
                | Certificate::ExpiredContext { .. }
                | Certificate::NotValidYet
                | Certificate::NotValidYetContext { .. } => Self::Expired(text),
                // A CA of the same name with another key shows as a bad signature.
                Certificate::UnknownIssuer | Certificate::BadSignature => Self::UnknownCa(text),
                Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                    Self::OtherName(text)
                }
                _ => Self::Handshake(text),
            },
            _ => Self::Handshake(text),
        })
    }
}

/// Sends STARTTLS, reads the REPLY and shakes hands.
pub(super) async fn start(
    mut stream: Box<dyn Stream>,
    server: SocketAddrV6,
    tls: &Tls,
) -> Result<Box<dyn Stream>, TlsError> {
    let id: [u8; 3] = rand::random();
    let frame = [0, 4, MessageType::STARTTLS.0, id[0], id[1], id[2]];
    stream.write_all(&frame).await.map_err(|error| closed(&error))?;
    // Exactly one frame is read: octets behind it are the handshake's, so none in plain text is used.
    let len = stream.read_u16().await.map_err(|error| closed(&error))?;
    let mut message = vec![0; len.into()];
    stream.read_exact(&mut message).await.map_err(|error| closed(&error))?;
    check(&message, TransactionId(id))?;
    let name = tls.name.clone().unwrap_or_else(|| ServerName::from(std::net::IpAddr::V6(*server.ip())));
    let shaken = TlsConnector::from(Arc::clone(&tls.config)).connect(name, stream).await;
    match shaken {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(TlsError::of(&error).unwrap_or_else(|| TlsError::Handshake(error.to_string()))),
    }
}

/// Checks the REPLY: only one without an error status lets the handshake begin.
fn check(octets: &[u8], id: TransactionId) -> Result<(), TlsError> {
    let wrong = |what: String| Err(TlsError::NotReply(what));
    let Some(message) = Message::parse(octets) else { return wrong("too short for a message".to_owned()) };
    let (kind, own) = (message.kind, message.transaction_id == id);
    if kind != MessageType::REPLY {
        return wrong(format!("message type {kind:?}"));
    }
    if !own {
        return wrong(format!("transaction-id {:?}", message.transaction_id));
    }
    match MessageOptions::read(message).and_then(|top| top.status()) {
        Ok(Some(status)) if status.code != StatusCode::SUCCESS => Err(TlsError::Refused(status)),
        Ok(_) => Ok(()),
        Err(error) => wrong(error.to_string()),
    }
}

fn closed(error: &io::Error) -> TlsError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            TlsError::Closed
        }
        _ => TlsError::Handshake(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
