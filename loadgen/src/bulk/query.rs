//! Frames of bulk queries (RFC 5460 §5.1, §5.3).

use lqd_wire::{MessageType, NoRoomError, OptionCode, QueryType, TransactionId, Writer};

use super::plan::Subject;

/// Longest frame in octets.
const LEN_MAX: usize = lqd_wire::Frame::LEN_MAX;

/// Returns the frame of a LEASEQUERY.
///
/// # Errors
/// The identifier is too long for a message.
pub(super) fn frame(
    subject: &Subject,
    requestor: &[u8],
    oro: &[u16],
    transaction_id: TransactionId,
) -> Result<Vec<u8>, NoRoomError> {
    let mut octets = vec![0; LEN_MAX];
    let mut w = Writer::new(&mut octets);
    w.frame(|w| {
        w.header(MessageType::LEASEQUERY, transaction_id)?;
        w.option_with(OptionCode::CLIENTID, requestor)?;
        w.option(OptionCode::LQ_QUERY, |w| query(w, subject, oro))
    })?;
    let len = w.position();
    octets.truncate(len);
    Ok(octets)
}

fn query(w: &mut Writer<'_>, subject: &Subject, oro: &[u16]) -> Result<(), NoRoomError> {
    let (query_type, link) = match subject {
        Subject::Link { address, .. } => (QueryType::BY_LINK_ADDRESS, address.octets()),
        Subject::RelayId(_) => (QueryType::BY_RELAY_ID, [0; 16]),
        Subject::RemoteId(_) => (QueryType::BY_REMOTE_ID, [0; 16]),
    };
    w.put(&[query_type.0])?;
    w.put(&link)?;
    match subject {
        Subject::Link { .. } => {}
        Subject::RelayId(duid) => w.option_with(OptionCode::RELAY_ID, duid)?,
        Subject::RemoteId(id) => w.option_with(OptionCode::REMOTE_ID, id)?,
    }
    if oro.is_empty() {
        return Ok(());
    }
    w.option(OptionCode::ORO, |w| oro.iter().try_for_each(|code| w.put(&code.to_be_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_each_query_type() {
        let xid = TransactionId([1, 2, 3]);
        let link = Subject::Link { address: "2001:db8::1".parse().unwrap(), subnet_id: 7 };
        let mut expected = vec![0, 31, 14, 1, 2, 3, 0, 1, 0, 2, 0, 9, 0, 44, 0, 17, 4];
        expected.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(frame(&link, &[0, 9], &[], xid).unwrap(), expected);
        let relay = frame(&Subject::RelayId(vec![0, 3, 7]), &[0, 9], &[47], xid).unwrap();
        assert_eq!(relay[..2], [0, 31 + 7 + 6]);
        assert_eq!(relay[16], 3);
        assert_eq!(relay[33..], [0, 53, 0, 3, 0, 3, 7, 0, 6, 0, 2, 0, 47]);
        let remote = frame(&Subject::RemoteId(vec![0, 0, 0, 1, 5]), &[0, 9], &[], xid).unwrap();
        assert_eq!((remote[16], &remote[33..]), (5, &[0, 37, 0, 5, 0, 0, 0, 1, 5][..]));
    }
}
