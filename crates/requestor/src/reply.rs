//! A LEASEQUERY-REPLY: its validation (RFC 5007 §4.2.2) and its content.

use std::net::Ipv6Addr;

use lqd_wire::{
    ClientLinks, Message, MessageType, OptionCode, ParseError, ParseErrorKind, StatusCode, TransactionId,
};

use crate::client_data::ClientDataParser;
use crate::relay_data::RelayChain;
use crate::{ClientData, Deviation, Duid, IgnoreReason, RawOption, deviation};

/// A valid LEASEQUERY-REPLY (RFC 5007 §4.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The transaction-id.
    pub transaction_id: TransactionId,
    /// DUID of the server (OPTION_SERVERID).
    pub server: Duid,
    /// The status, if present; absence means success (RFC 5007 §4.3.3).
    pub status: Option<Status>,
    /// The content of the answer.
    pub content: Content,
    /// Unknown options at message level.
    pub other: Vec<RawOption>,
    /// Deviations from the RFCs.
    pub deviations: Vec<Deviation>,
}

/// OPTION_STATUS_CODE (RFC 8415 §21.13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The status code, known or unknown.
    pub code: StatusCode,
    /// The server's text for humans. Hostile until escaped: never print it raw.
    pub text: String,
}

/// The content of an answer (RFC 5007 §4.3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Bindings of one client on one link.
    Data(ClientData),
    /// Links of a client that is on several; each has to be queried.
    Links(Vec<Ipv6Addr>),
    /// No bindings.
    NoBinding,
    /// A refusal; the status gives the reason.
    Refused,
    /// Client data that must be discarded; the deviations give the reason.
    ///
    /// This is not [`Content::NoBinding`]: the server did have something to report.
    Unusable,
}

/// The options at message level that decide, undecoded.
#[derive(Default)]
pub(crate) struct MessageOptions<'a> {
    pub(crate) client_id: Option<&'a [u8]>,
    pub(crate) server_id: Option<&'a [u8]>,
    status: Option<&'a [u8]>,
    /// The value and its offset in the message.
    pub(crate) client_data: Option<(&'a [u8], usize)>,
    pub(crate) links: Option<&'a [u8]>,
    pub(crate) relay_data: Option<&'a [u8]>,
    pub(crate) other: Vec<RawOption>,
}

impl Reply {
    /// Parses and validates a message as an answer to a query of the requestor with this DUID.
    pub fn parse(octets: &[u8], own: &Duid) -> Result<Self, IgnoreReason> {
        let message = Message::parse(octets).ok_or(IgnoreReason::Empty)?;
        match message.kind {
            MessageType::LEASEQUERY_REPLY => {}
            MessageType::LEASEQUERY => return Err(IgnoreReason::Leasequery),
            other => return Err(IgnoreReason::OtherMessage(other)),
        }
        let transaction_id = message.transaction_id;
        let top = MessageOptions::read(message).map_err(IgnoreReason::Malformed)?;
        let server = top.server(own)?;
        let mut deviations = Vec::new();
        let status = top.status().map_err(IgnoreReason::Malformed)?;
        let content = top.content(status.as_ref(), &mut deviations).map_err(IgnoreReason::Malformed)?;
        Ok(Self { transaction_id, server, status, content, other: top.other, deviations })
    }
}

impl<'a> MessageOptions<'a> {
    /// Sorts the options of a message; one of these that appears twice is an error.
    pub(crate) fn read(message: Message<'a>) -> Result<Self, ParseError> {
        let mut top = Self::default();
        let mut options = message.options;
        loop {
            let at = options.offset();
            let Some(option) = options.next() else { return Ok(top) };
            let (code, value) = option?;
            let repeated = match code {
                OptionCode::CLIENTID => top.client_id.replace(value).is_some(),
                OptionCode::SERVERID => top.server_id.replace(value).is_some(),
                OptionCode::STATUS_CODE => top.status.replace(value).is_some(),
                // The offset of the value, for errors inside it.
                OptionCode::CLIENT_DATA => top.client_data.replace((value, at + 4)).is_some(),
                OptionCode::LQ_CLIENT_LINK => top.links.replace(value).is_some(),
                OptionCode::LQ_RELAY_DATA => top.relay_data.replace(value).is_some(),
                _ => {
                    top.other.push(RawOption { code, value: value.to_vec() });
                    false
                }
            };
            if repeated {
                return Err(ParseError { at, kind: ParseErrorKind::Repeated });
            }
        }
    }

    /// Returns the server's DUID if both identifiers of a reply are right (RFC 5007 §4.2.2).
    pub(crate) fn server(&self, own: &Duid) -> Result<Duid, IgnoreReason> {
        let server =
            self.server_id.and_then(|octets| Duid::new(octets).ok()).ok_or(IgnoreReason::NoServerId)?;
        match self.client_id {
            None => Err(IgnoreReason::NoClientId),
            // RFC 5007 §4.2.2: an answer to another requestor, even with a matching transaction-id.
            Some(octets) if octets != own.octets() => Err(IgnoreReason::OtherClientId),
            Some(_) => Ok(server),
        }
    }

    pub(crate) fn status(&self) -> Result<Option<Status>, ParseError> {
        let status = self.status.map(lqd_wire::Status::parse).transpose()?;
        Ok(status.map(|status| Status {
            code: status.code,
            // RFC 8415 §21.13 wants UTF-8, which no server guarantees.
            text: String::from_utf8_lossy(status.text).into_owned(),
        }))
    }

    /// Returns the content that these options and this status make up.
    pub(crate) fn content(
        &self,
        status: Option<&Status>,
        deviations: &mut Vec<Deviation>,
    ) -> Result<Content, ParseError> {
        if status.is_some_and(|status| status.code != StatusCode::SUCCESS) {
            if self.client_data.is_some() || self.links.is_some() {
                deviations.push(Deviation::DataWithError);
            }
            return Ok(Content::Refused);
        }
        if let Some((value, offset)) = self.client_data {
            if self.links.is_some() {
                deviations.push(Deviation::LinksWithData);
            }
            return self.client_data(value, offset, deviations);
        }
        let Some(links) = self.links else { return Ok(Content::NoBinding) };
        let mut links: Vec<Ipv6Addr> = ClientLinks::parse(links)?.addresses().collect();
        let mut seen = std::collections::HashSet::new();
        // A link that is named twice would be queried twice.
        links.retain(|link| seen.insert(*link));
        Ok(Content::Links(links))
    }

    fn client_data(
        &self,
        value: &[u8],
        offset: usize,
        deviations: &mut Vec<Deviation>,
    ) -> Result<Content, ParseError> {
        let mut reading = ClientDataParser::read(value, offset, deviations)?;
        if let Some(value) = self.relay_data {
            deviations.push(Deviation::RelayDataAtMessageLevel);
            // The place of the RFC wins if both are present.
            if reading.relay.is_none() {
                reading.relay = Some(RelayChain::read(value, deviations)?);
            }
        }
        Ok(match reading.finish() {
            Ok(data) => {
                deviations.extend(deviation::in_data(&data));
                Content::Data(data)
            }
            Err(missing) => {
                deviations.push(missing);
                Content::Unusable
            }
        })
    }
}

#[cfg(test)]
mod tests;
