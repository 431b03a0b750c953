//! The writer of answers: frames with LEASEQUERY-REPLY, LEASEQUERY-DATA and LEASEQUERY-DONE (RFC 5460 §5.2).

use lqd_wire::{LqTime, MessageType, NoRoomError, OptionCode, StatusCode, TransactionId, Writer};

use super::BulkOutcome;

/// The constant parts of a query's messages.
pub(super) struct Envelope<'a> {
    pub(super) transaction_id: TransactionId,
    pub(super) requestor: &'a [u8],
    pub(super) server_duid: &'a [u8],
    /// The server's time, if requested.
    pub(super) base_time: Option<LqTime>,
    /// Whether a LEASEQUERY-REPLY went before.
    pub(super) is_replied: bool,
}

impl Envelope<'_> {
    /// Writes a message with data: the LEASEQUERY-REPLY, or a LEASEQUERY-DATA after it.
    pub(super) fn data<R>(
        &self,
        w: &mut Writer<'_>,
        data: impl FnOnce(&mut Writer<'_>) -> Result<R, NoRoomError>,
    ) -> Result<R, NoRoomError> {
        let mut result = Err(NoRoomError);
        w.frame(|w| {
            self.head(w)?;
            self.base_time(w)?;
            result = Ok(data(w)?);
            Ok(())
        })?;
        result
    }

    fn head(&self, w: &mut Writer<'_>) -> Result<(), NoRoomError> {
        if self.is_replied {
            return w.header(MessageType::LEASEQUERY_DATA, self.transaction_id);
        }
        w.header(MessageType::LEASEQUERY_REPLY, self.transaction_id)?;
        w.option_with(OptionCode::CLIENTID, self.requestor)?;
        w.option_with(OptionCode::SERVERID, self.server_duid)
    }

    /// Writes the message that ends the answer: a LEASEQUERY-DONE, or the only LEASEQUERY-REPLY.
    pub(super) fn end(&self, w: &mut Writer<'_>, outcome: BulkOutcome) -> Result<(), NoRoomError> {
        w.frame(|w| {
            if matches!(outcome, BulkOutcome::TlsStarted | BulkOutcome::TlsRefused) {
                w.header(MessageType::REPLY, self.transaction_id)?;
            } else if self.is_replied {
                w.header(MessageType::LEASEQUERY_DONE, self.transaction_id)?;
            } else {
                self.head(w)?;
            }
            self.status(w, outcome)?;
            self.base_time(w)
        })
    }

    /// Writes a message without client data: the LEASEQUERY-REPLY, or a LEASEQUERY-DATA after it.
    pub(super) fn note(
        &self,
        w: &mut Writer<'_>,
        status: Option<(StatusCode, &str)>,
    ) -> Result<(), NoRoomError> {
        w.frame(|w| {
            self.head(w)?;
            if let Some((code, text)) = status {
                put_status(w, code, text)?;
            }
            self.base_time(w)
        })
    }

    fn status(&self, w: &mut Writer<'_>, outcome: BulkOutcome) -> Result<(), NoRoomError> {
        match outcome.status() {
            Some(code) if !outcome.text().is_empty() => put_status(w, code, outcome.text()),
            _ => Ok(()),
        }
    }

    fn base_time(&self, w: &mut Writer<'_>) -> Result<(), NoRoomError> {
        self.base_time.map_or(Ok(()), |time| time.write(w, OptionCode::LQ_BASE_TIME))
    }
}

fn put_status(w: &mut Writer<'_>, code: StatusCode, text: &str) -> Result<(), NoRoomError> {
    w.option(OptionCode::STATUS_CODE, |w| {
        w.put(&code.0.to_be_bytes())?;
        w.put(text.as_bytes())
    })
}
