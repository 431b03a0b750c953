//! A LEASEQUERY-REPLY, decoded as far as it is checked (RFC 5007 §4.1.2, §4.2.2).

use lqd_wire::{Message, MessageType, OptionCode, Options, ParseError, Relay, StatusCode, TransactionId};

/// Returns the transaction-id of any message, through a relay agent or not.
pub(super) fn transaction_id(octets: &[u8]) -> Option<TransactionId> {
    match Message::parse(octets)?.kind {
        // The id is that of the innermost message.
        MessageType::RELAY_FORW | MessageType::RELAY_REPL => inner(octets).map(|(_, inner)| inner),
        _ => Message::parse(octets),
    }
    .map(|message| message.transaction_id)
}

/// Returns the relay agent's fields and the message inside.
fn inner(octets: &[u8]) -> Option<(Relay<'_>, Message<'_>)> {
    let relay = Relay::parse(octets).ok()?;
    Some((relay, Message::parse(relay.message)?))
}

/// The decoded parts of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply<'a> {
    /// Fields of the RELAY-REPL, if it came in one.
    pub(super) relay: Option<Relay<'a>>,
    pub(super) requestor: Option<&'a [u8]>,
    pub(super) server: Option<&'a [u8]>,
    /// The status; success if the answer has none.
    pub(super) status: StatusCode,
    /// Value of OPTION_CLIENT_DATA.
    pub(super) client_data: Option<&'a [u8]>,
    /// Whether it has OPTION_LQ_CLIENT_LINK.
    pub(super) links: bool,
}

impl<'a> Reply<'a> {
    /// Decodes the transaction-id, and the options, which are `None` if they do not parse or one is repeated.
    ///
    /// `None` if the octets are not a LEASEQUERY-REPLY.
    pub(super) fn parse(octets: &'a [u8]) -> Option<(TransactionId, Option<Self>)> {
        let mut message = Message::parse(octets)?;
        let mut relay = None;
        if message.kind == MessageType::RELAY_REPL {
            let (outer, inner) = inner(octets)?;
            (relay, message) = (Some(outer), inner);
        }
        if message.kind != MessageType::LEASEQUERY_REPLY {
            return None;
        }
        // Faulty options keep the transaction-id, so that the answer still has its query.
        let reply = Self::of(message.options, relay).ok().flatten();
        Some((message.transaction_id, reply))
    }

    fn of(options: Options<'a>, relay: Option<Relay<'a>>) -> Result<Option<Self>, ParseError> {
        let [mut requestor, mut server, mut status, mut client_data, mut links] = [None; 5];
        for option in options {
            let (code, value) = option?;
            let place = match code {
                OptionCode::CLIENTID => &mut requestor,
                OptionCode::SERVERID => &mut server,
                OptionCode::STATUS_CODE => &mut status,
                OptionCode::CLIENT_DATA => &mut client_data,
                OptionCode::LQ_CLIENT_LINK => &mut links,
                // Other options are of no use to the checks.
                _ => continue,
            };
            // A repeated option makes the message malformed.
            if place.replace(value).is_some() {
                return Ok(None);
            }
        }
        let status = match status.map(<[u8]>::split_first_chunk::<2>) {
            None => StatusCode::SUCCESS,
            // The text is for people.
            Some(Some((code, _text))) => StatusCode(u16::from_be_bytes(*code)),
            // A status shorter than its code is malformed.
            Some(None) => return Ok(None),
        };
        Ok(Some(Self { requestor, server, status, client_data, links: links.is_some(), relay }))
    }
}
