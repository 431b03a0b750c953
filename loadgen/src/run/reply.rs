//! A LEASEQUERY-REPLY, taken apart as far as it is judged (RFC 5007 §4.1.2, §4.2.2).

use lqd_wire::{Message, MessageType, OptionCode, Options, ParseError, StatusCode, TransactionId};

/// The parts of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply<'a> {
    pub(super) requestor: Option<&'a [u8]>,
    pub(super) server: Option<&'a [u8]>,
    /// Success if the answer has no status.
    pub(super) status: StatusCode,
    /// Value of OPTION_CLIENT_DATA.
    pub(super) client_data: Option<&'a [u8]>,
    /// It has OPTION_LQ_CLIENT_LINK.
    pub(super) links: bool,
}

impl<'a> Reply<'a> {
    /// Reads the transaction id, and the options; these are `None` if they do not parse, or one is there
    /// twice.
    ///
    /// `None` if the octets are no LEASEQUERY-REPLY.
    pub(super) fn parse(octets: &'a [u8]) -> Option<(TransactionId, Option<Self>)> {
        let message =
            Message::parse(octets).filter(|message| message.kind == MessageType::LEASEQUERY_REPLY)?;
        Some((message.transaction_id, Self::of(message.options).ok().flatten()))
    }

    fn of(options: Options<'a>) -> Result<Option<Self>, ParseError> {
        let [mut requestor, mut server, mut status, mut client_data, mut links] = [None; 5];
        for option in options {
            let (code, value) = option?;
            let place = match code {
                OptionCode::CLIENTID => &mut requestor,
                OptionCode::SERVERID => &mut server,
                OptionCode::STATUS_CODE => &mut status,
                OptionCode::CLIENT_DATA => &mut client_data,
                OptionCode::LQ_CLIENT_LINK => &mut links,
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Ok(None);
            }
        }
        let status = match status.map(<[u8]>::split_first_chunk::<2>) {
            None => StatusCode::SUCCESS,
            Some(Some((code, _text))) => StatusCode(u16::from_be_bytes(*code)),
            Some(None) => return Ok(None),
        };
        Ok(Some(Self { requestor, server, status, client_data, links: links.is_some() }))
    }
}
