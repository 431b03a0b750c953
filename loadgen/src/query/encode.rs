//! A query's octets: LEASEQUERY (RFC 5007 §4.1.1), unrelayed, for all links.

use std::net::Ipv6Addr;

use lqd_wire::{IaAddress, MessageType, NoRoom, OptionCode, QueryType, TransactionId, Writer};

use super::Subject;

/// Writes queries of one requestor.
#[derive(Clone, Debug)]
pub(crate) struct Encoder {
    requestor: Vec<u8>,
}

impl Encoder {
    /// Most octets of a query: headers, and two DUIDs of 130 octets.
    pub(crate) const LEN_MAX: usize = 512;

    /// `requestor` is the DUID that it names as its own, 1 to 130 octets.
    pub(crate) fn new(requestor: &[u8]) -> Self {
        Self { requestor: requestor.to_owned() }
    }

    /// Appends a query for this address, or by client-id for this DUID.
    pub(crate) fn write(
        &self,
        w: &mut Writer<'_>,
        id: TransactionId,
        subject: Subject,
        address: Ipv6Addr,
        duid: &[u8],
    ) -> Result<(), NoRoom> {
        w.header(MessageType::LEASEQUERY, id)?;
        w.option(OptionCode::CLIENTID, |w| w.put(&self.requestor))?;
        w.option(OptionCode::LQ_QUERY, |w| {
            let kind = match subject {
                Subject::Address | Subject::Prefix | Subject::Miss => QueryType::BY_ADDRESS,
                Subject::ClientId => QueryType::BY_CLIENT_ID,
            };
            w.put(&[kind.0])?;
            w.put(&Ipv6Addr::UNSPECIFIED.octets())?;
            match subject {
                Subject::ClientId => w.option(OptionCode::CLIENTID, |w| w.put(duid)),
                _ => IaAddress { address, preferred_lifetime: 0, valid_lifetime: 0 }.write(w),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(subject: Subject) -> String {
        let mut octets = [0; Encoder::LEN_MAX];
        let mut w = Writer::new(&mut octets);
        let requestor = [0, 1, 0, 1, 1, 2, 3, 4, 0, 0, 0x5e, 0x10, 0, 1];
        let address = "2001:db8:500:0:4116:4309:1d48:cbd9".parse().unwrap();
        Encoder::new(&requestor)
            .write(&mut w, TransactionId([0, 1, 2]), subject, address, &[0, 3, 0xab])
            .unwrap();
        w.written().iter().map(|octet| format!("{octet:02x}")).collect()
    }

    #[test]
    fn by_address_is_what_kea_was_asked() {
        // A query that Kea 3.3.1 answered.
        let expected = "0e0001020001000e000100010102030400005e100001002c002d0100000000000000000000000000\
                        0000000005001820010db805000000411643091d48cbd90000000000000000";
        assert_eq!(written(Subject::Address), expected);
        assert_eq!(written(Subject::Miss), expected);
        assert_eq!(written(Subject::Prefix), expected);
    }

    #[test]
    fn by_client_id() {
        let expected = "0e0001020001000e000100010102030400005e100001002c00180200000000000000000000000000\
                        000000000100030003ab";
        assert_eq!(written(Subject::ClientId), expected);
    }
}
