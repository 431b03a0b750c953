//! ACTIVELEASEQUERY (RFC 7653 §6.2.1): its options, parsed.

use lqd_wire::{OptionCode, OptionRequest, Options};

use super::super::BulkOutcome;
use super::super::message::OptionQuery;
use super::super::query::Wanted;
use crate::Rights;

/// Parses the query; the error is the outcome of one that gets a status.
///
/// OPTION_ORO counts in the message and in OPTION_LQ_QUERY, which may be absent.
pub(in crate::bulk) fn refusal(
    wanted: &mut Wanted,
    options: &Options<'_>,
    query: &OptionQuery<'_>,
    rights: &Rights,
) -> Result<(), BulkOutcome> {
    if !rights.allow {
        return Err(BulkOutcome::NotAllowed);
    }
    let options = || options.clone().map_while(Result::ok);
    let times = options().try_for_each(|(code, value)| wanted.add_time(code, value));
    let parsed = match query {
        OptionQuery::None => Ok(()),
        OptionQuery::One(query) => wanted.parse(query, &rights.query_types),
        OptionQuery::Several => Err(BulkOutcome::MalformedQuery),
    };
    let requested = options().find(|&(code, _)| code == OptionCode::ORO).map_or(Ok(()), |(_, codes)| {
        OptionRequest::parse(codes).map_err(|_| BulkOutcome::MalformedQuery)?;
        // First, so that base-time counts even if the query does not parse.
        wanted.request = [codes, &wanted.request].concat().into();
        Ok(())
    });
    if !rights.active {
        return Err(BulkOutcome::ActiveNotAllowed);
    }
    parsed.and(times).and(requested)?;
    // "MUST NOT be used in an Active Leasequery request" (§6.3.3).
    if wanted.end.is_some() { Err(BulkOutcome::MalformedQuery) } else { Ok(()) }
}
