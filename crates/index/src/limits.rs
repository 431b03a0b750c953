//! Bounds on the cost of one client.

/// Most leases of a client that one reply can hold: 2,339.
///
/// A UDP datagram over IPv6 carries 65,527 octets. A LEASEQUERY-REPLY with client data has a header of 4,
/// OPTION_CLIENTID of the requestor, OPTION_SERVERID and OPTION_CLIENTID of the client, each of 4 and a DUID
/// of at least one, OPTION_CLIENT_DATA's own 4, and OPTION_CLT_TIME of 8. The rest takes an OPTION_IAADDR of
/// 28 for each address, and an OPTION_IAPREFIX of 29 for each prefix.
pub const CLIENT_LEASES_MAX: usize = (65_527 - (4 + 3 * (4 + 1) + 4 + 8)) / 28;

/// Bounds of a client's record, and of the segments of an oversized client (`DESIGN.md`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Most leases of a record that is shown to requestors.
    pub(crate) leases: usize,
    /// Most words of one.
    pub(crate) words: usize,
    /// Most leases of a segment.
    pub(crate) segment: usize,
}

impl Limits {
    /// 2 MiB for a record: 896 bytes for each of the most leases.
    pub(crate) const STANDARD: Self = Self { leases: CLIENT_LEASES_MAX, words: 1 << 18, segment: 64 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::STANDARD
    }
}
