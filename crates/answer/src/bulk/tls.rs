//! TLS on a connection: which message may come when (RFC 7653 §8.2, §9.1).

use lqd_wire::MessageType;

use super::BulkOutcome;

/// Use of TLS on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// A STARTTLS is answered TLSConnectionRefused (RFC 7653 §9.1).
    #[default]
    Refused,
    /// A STARTTLS as the first message begins the handshake; other messages are served without TLS.
    Offered,
    /// Any first message but a STARTTLS closes the connection.
    Required,
}

/// Progress of a connection towards TLS.
#[derive(Debug, Default)]
pub(super) struct TlsState {
    pub(super) offer: Tls,
    /// Whether an ACTIVELEASEQUERY without TLS closes the connection.
    pub(super) is_required_for_active: bool,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// No message so far.
    #[default]
    New,
    /// A message without TLS came.
    Plain,
    /// A STARTTLS came: nothing is read before the handshake.
    Starting,
    /// The handshake is done.
    Secured,
}

impl TlsState {
    /// Admits a message of this kind; returns the outcome of a STARTTLS.
    ///
    /// # Errors
    /// If the message ends the connection.
    pub(super) fn admit(&mut self, kind: MessageType) -> Result<BulkOutcome, BulkOutcome> {
        let is_first = self.stage == Stage::New;
        if is_first {
            self.stage = Stage::Plain;
        }
        let is_plain = self.stage != Stage::Secured;
        match (kind, self.offer) {
            (MessageType::STARTTLS, Tls::Refused) => {}
            (MessageType::STARTTLS, _) if is_first => {
                self.stage = Stage::Starting;
                return Ok(BulkOutcome::TlsStarted);
            }
            (MessageType::STARTTLS, _) => return Err(BulkOutcome::CloseLateTls),
            (_, Tls::Required) if is_plain => return Err(BulkOutcome::CloseWithoutTls),
            (MessageType::ACTIVELEASEQUERY, _) if is_plain && self.is_required_for_active => {
                return Err(BulkOutcome::CloseActiveWithoutTls);
            }
            _ => {}
        }
        Ok(BulkOutcome::TlsRefused)
    }

    /// Returns whether a STARTTLS was accepted and the handshake is not done.
    pub(super) fn is_starting(&self) -> bool {
        self.stage == Stage::Starting
    }

    /// Notes the end of the handshake.
    pub(super) fn secured(&mut self) {
        self.stage = Stage::Secured;
    }
}
