//! Frame of ACTIVELEASEQUERY (RFC 7653 §6.2): no LQ_QUERY, so that all changes come.

const ACTIVELEASEQUERY: u8 = 22;
const CLIENTID: u8 = 1;
const ORO: u8 = 6;
const LQ_BASE_TIME: u8 = 100;

/// The transaction-id of every query: each has a connection of its own.
pub(super) const TRANSACTION_ID: [u8; 3] = [7, 0x65, 3];

/// Returns the frame, for a requestor with a DUID of at most 130 octets.
pub(super) fn frame(requestor: &[u8], with_base_time: bool) -> Vec<u8> {
    let [a, b, c] = TRANSACTION_ID;
    let mut message = vec![ACTIVELEASEQUERY, a, b, c, 0, CLIENTID, 0, requestor.len() as u8];
    message.extend(requestor);
    if with_base_time {
        message.extend([0, ORO, 0, 2, 0, LQ_BASE_TIME]);
    }
    let mut frame = (message.len() as u16).to_be_bytes().to_vec();
    frame.extend(message);
    frame
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_frame_has_its_length() {
        assert_eq!(super::frame(&[0, 9], false), [0, 10, 22, 7, 0x65, 3, 0, 1, 0, 2, 0, 9]);
        let with_base_time = super::frame(&[0, 9], true);
        assert_eq!((with_base_time[1], &with_base_time[12..]), (16, &[0, 6, 0, 2, 0, 100][..]));
    }
}
