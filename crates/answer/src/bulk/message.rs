//! Received messages: validation (RFC 5007 §4.2.1), and the messages that are no LEASEQUERY.

use lqd_wire::{Duid, Message, MessageType, OptionCode, Options, TransactionId};

use super::query::Wanted;
use super::tls::TlsState;
use super::{BulkOutcome, FinishedQuery, active};
use crate::{Policy, Rights};

/// A message that gets an answer.
pub(super) struct Accepted {
    pub(super) transaction_id: TransactionId,
    /// The requestor's DUID, which the reply repeats; empty for STARTTLS.
    pub(super) requestor: Box<[u8]>,
    pub(super) wanted: Wanted,
    /// Whether it is an ACTIVELEASEQUERY.
    pub(super) is_active: bool,
    /// The reason for a status instead of data.
    pub(super) refusal: Option<BulkOutcome>,
}

/// Parses the message of one frame.
///
/// # Errors
/// If the message ends the connection.
pub(super) fn parse(
    octets: &[u8],
    tls: &mut TlsState,
    offers_active: bool,
    policy: &Policy,
    rights: &Rights,
) -> Result<Accepted, FinishedQuery> {
    let message = Message::parse(octets).ok_or(FinishedQuery::close(BulkOutcome::CloseFrame, None))?;
    let transaction_id = message.transaction_id;
    let close = |outcome| FinishedQuery::close(outcome, Some(transaction_id));
    let of_starttls = tls.admit(message.kind).map_err(close)?;
    let is_active = message.kind == MessageType::ACTIVELEASEQUERY;
    let (requestor, wanted) = (Box::default(), Wanted::default());
    let mut accepted = Accepted { transaction_id, requestor, wanted, is_active, refusal: None };
    match message.kind {
        MessageType::LEASEQUERY | MessageType::ACTIVELEASEQUERY => {}
        // Options of a STARTTLS are ignored (RFC 7653 §8.2).
        MessageType::STARTTLS => {
            return Ok(Accepted { refusal: Some(of_starttls), ..accepted });
        }
        _ => return Err(close(BulkOutcome::CloseOtherMessage)),
    }
    let Validated { requestor, query } = validate(message.options.clone(), policy).map_err(close)?;
    accepted.requestor = requestor.octets().into();
    accepted.refusal = match query {
        query if is_active && !offers_active => {
            // Parsed even so, for base-time in the status.
            let _ = active::refusal(&mut accepted.wanted, &message.options, &query, rights);
            Some(BulkOutcome::ActiveNotSupported)
        }
        query if is_active => active::refusal(&mut accepted.wanted, &message.options, &query, rights).err(),
        OptionQuery::None => return Err(close(BulkOutcome::CloseNoQuery)),
        OptionQuery::One(query) => refusal(&mut accepted.wanted, message.options, Some(query), rights).err(),
        OptionQuery::Several => refusal(&mut accepted.wanted, message.options, None, rights).err(),
    };
    Ok(accepted)
}

/// The options that each query must have.
struct Validated<'a> {
    requestor: Duid<'a>,
    query: OptionQuery<'a>,
}

/// OPTION_LQ_QUERY of a message.
pub(super) enum OptionQuery<'a> {
    None,
    One(&'a [u8]),
    Several,
}

fn validate<'a>(options: Options<'a>, policy: &Policy) -> Result<Validated<'a>, BulkOutcome> {
    let (mut client_id, mut server_id, mut query, mut queries) = (None, None, None, 0);
    for option in options {
        let (code, value) = option.map_err(|_| BulkOutcome::CloseMalformed)?;
        match code {
            OptionCode::CLIENTID if client_id.is_none() => client_id = Some(value),
            OptionCode::SERVERID if server_id.is_none() => server_id = Some(value),
            OptionCode::CLIENTID | OptionCode::SERVERID => return Err(BulkOutcome::CloseDuplicateId),
            OptionCode::LQ_QUERY => {
                queries += 1;
                query = Some(value);
            }
            _ => {}
        }
    }
    let client_id = client_id.filter(|value| !value.is_empty()).ok_or(BulkOutcome::CloseNoClientId)?;
    let requestor = Duid::new(client_id).ok_or(BulkOutcome::CloseMalformed)?;
    if server_id.is_some_and(|value| value != policy.server_duid) {
        return Err(BulkOutcome::CloseOtherServer);
    }
    let query = match query {
        _ if queries > 1 => OptionQuery::Several,
        query => query.map_or(OptionQuery::None, OptionQuery::One),
    };
    Ok(Validated { requestor, query })
}

/// Parses the query; the error is the outcome of one that gets a status.
fn refusal(
    wanted: &mut Wanted,
    options: Options<'_>,
    query: Option<&[u8]>,
    rights: &Rights,
) -> Result<(), BulkOutcome> {
    if !rights.allow {
        return Err(BulkOutcome::NotAllowed);
    }
    let query = query.ok_or(BulkOutcome::MalformedQuery)?;
    let times = options.map_while(Result::ok).try_for_each(|(code, value)| wanted.add_time(code, value));
    // Parsed even so, for the class, and for base-time in the status.
    wanted.parse(query, &rights.query_types).and(times)
}
