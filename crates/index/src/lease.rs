//! Changes that a lease source hands to the index: leases, removals, and batches of both.

use std::hash::BuildHasher;
use std::net::Ipv6Addr;
use std::sync::LazyLock;

use foldhash::quality::RandomState;

use crate::removal::{Removal, RemovalReason};

/// Longest DUID that is stored, in octets (RFC 8415 §11.1: two octets of type, at most 128 of identifier).
pub const DUID_LEN_MAX: usize = 130;

/// Seeded once for each process: a client that chooses its DUID or address cannot aim at a slot of a map.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// The hash by which clients are found.
pub(crate) fn duid_hash(duid: &[u8]) -> u64 {
    HASHER.hash_one(duid)
}

/// The hash by which leases are found: of the leased address, or of the first address of a prefix.
pub(crate) fn address_hash(address: u128) -> u64 {
    HASHER.hash_one(address)
}

/// The shortest delegated prefix that may have host bits: one that cuts off more was hardly meant.
pub const HOST_BITS_LEN_MIN: u8 = 32;

/// A lifetime that never ends (RFC 8415 §7.7).
pub const INFINITY: u32 = u32::MAX;

/// Kind of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeaseKind {
    /// An address (IA_NA or IA_TA), reported as OPTION_IAADDR.
    Address,
    /// A delegated prefix (IA_PD), reported as OPTION_IAPREFIX.
    Prefix,
}

/// A lease as its source knows it. Its key is the address as written, whatever kind and prefix length, as in
/// Kea.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease<'a> {
    /// The leased address, or an address of the delegated prefix: the first one, unless the source sets host
    /// bits, which tell this lease from others and are no part of the prefix.
    pub address: Ipv6Addr,
    /// 128 for an address; 1..=128 for a delegated prefix, from [`HOST_BITS_LEN_MIN`] on if it has host bits.
    pub prefix_len: u8,
    /// Address or delegated prefix.
    pub kind: LeaseKind,
    /// The client's DUID, 1..=[`DUID_LEN_MAX`] octets.
    pub duid: &'a [u8],
    /// Seconds from `cltt`, as granted; [`INFINITY`] never ends. Not 0: that is a [`Change::Remove`].
    pub valid_lifetime: u32,
    /// Seconds from `cltt`, as granted; [`INFINITY`] never ends.
    pub preferred_lifetime: u32,
    /// Time when the server last communicated with the client: seconds since 1970-01-01 UTC on the source's
    /// clock.
    pub cltt: u32,
    /// The source's number for the subnet; [`crate::Links`] says which link that is.
    pub subnet_id: u32,
    /// Further DHCPv6 options about this client in wire form (code, length, value; any number of them), to be
    /// returned when asked for: client FQDN (39), client link-layer address (79), LQ_RELAY_DATA (47).
    pub options: &'a [u8],
}

impl Lease<'_> {
    /// The leased address, or the first address of the prefix.
    pub(crate) fn first(&self) -> u128 {
        u128::from(self.address) & mask(self.prefix_len)
    }
}

/// Change of one lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// The lease on this address is now this one.
    Put(Lease<'a>),
    /// No client has the lease with this address any more.
    Remove(Removal),
    /// The lease with this address cannot be read: its holder is not known.
    ///
    /// Until the next change of the address, readers find it with a client that [stands for
    /// it](crate::Client::is_unreadable), and the client that held it before, and the one that this change
    /// names, are
    /// [in doubt](crate::Client::is_in_doubt).
    Unreadable {
        /// Address as written, as in [`Lease`].
        address: Ipv6Addr,
        /// Length of the shortest prefix that may belong to the lease: 128 for an address.
        prefix_len: u8,
        /// The DUID of the client that may hold it; empty if that cannot be read either.
        duid: &'a [u8],
    },
}

/// Reason why a lease cannot be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// The DUID is empty or longer than [`DUID_LEN_MAX`].
    #[error("a DUID has 1 to {DUID_LEN_MAX} octets, this one has {0}")]
    DuidLength(usize),
    /// The prefix length does not fit the kind of lease.
    #[error("prefix length {0} does not fit this type of lease")]
    PrefixLength(u8),
    /// A delegated prefix shorter than [`HOST_BITS_LEN_MIN`] has bits set beyond its length.
    #[error(
        "the delegated prefix is shorter than {HOST_BITS_LEN_MIN} bits and has bits set beyond its length"
    )]
    HostBits,
    /// More than 65,535 octets of options.
    #[error("{0} octets of client options; at most 65535 fit")]
    OptionsTooLong(usize),
    /// The batch holds 4 GiB already.
    #[error("the batch holds 4 GiB already")]
    BatchFull,
}

/// Changes in the order in which their source made them; the later one wins for each address.
///
/// Plain memory, cheap to fill on any thread: loaders fill many of them in parallel, a follower reuses one.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) rows: Vec<Row>,
    bytes: Vec<u8>,
}

/// A change, packed; its DUID, its options and, if it has host bits, its address as written lie in the
/// batch's `bytes`, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// The first address of the prefix; see [`Batch::key`].
    pub(crate) address: u128,
    pub(crate) valid_lifetime: u32,
    pub(crate) preferred_lifetime: u32,
    pub(crate) cltt: u32,
    pub(crate) subnet_id: u32,
    offset: u32,
    options_len: u16,
    duid_len: u8,
    pub(crate) prefix_len: u8,
    pub(crate) kind: LeaseKind,
    pub(crate) action: Action,
    pub(crate) has_host_bits: bool,
}

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Put,
    /// `cltt` is the removal's time; 0: not known.
    Remove(RemovalReason),
    /// The row's DUID is that of the client it names, not of the one that has it in the index.
    MarkUnreadable,
}

impl Row {
    pub(crate) fn is_removal(&self) -> bool {
        matches!(self.action, Action::Remove(_))
    }

    /// Whether its key is not its first address, or it has no client: loaders add it last.
    pub(crate) fn is_special(&self) -> bool {
        self.has_host_bits || self.action == Action::MarkUnreadable
    }
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of changes held.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// No change held.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Removes all changes and keeps the memory.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.bytes.clear();
    }

    /// Appends one change, or says why it cannot be stored; the batch is then as before.
    pub fn push(&mut self, change: Change<'_>) -> Result<(), LeaseError> {
        match change {
            Change::Put(lease) => self.put(&lease),
            Change::Remove(removal) => {
                self.remove(removal);
                Ok(())
            }
            Change::Unreadable { address, prefix_len, duid } => self.unreadable(address, prefix_len, duid),
        }
    }

    /// Appends a lease, or says why it cannot be stored; the batch is then as before.
    pub fn put(&mut self, lease: &Lease<'_>) -> Result<(), LeaseError> {
        let (duid_len, options_len) = (lease.duid.len(), lease.options.len());
        let address = u128::from(lease.address);
        // The limits of RFC 8415 §11.1 keep the length in one octet.
        if duid_len == 0 || duid_len > DUID_LEN_MAX {
            return Err(LeaseError::DuidLength(duid_len));
        }
        let first = address & mask(lease.prefix_len);
        match lease.kind {
            LeaseKind::Address if lease.prefix_len == 128 => {}
            LeaseKind::Prefix if (1..=128).contains(&lease.prefix_len) => {
                // Host bits of a very short prefix would make its lease cover half the Internet by mistake.
                if address != first && lease.prefix_len < HOST_BITS_LEN_MIN {
                    return Err(LeaseError::HostBits);
                }
            }
            _ => return Err(LeaseError::PrefixLength(lease.prefix_len)),
        }
        // The length of options is kept in 16 bits, as in OPTION_CLIENT_DATA.
        let options_len = u16::try_from(options_len).map_err(|_| LeaseError::OptionsTooLong(options_len))?;
        // Checked before anything is written, so that an error leaves the batch as it was.
        let offset = self.offset()?;
        self.bytes.extend_from_slice(lease.duid);
        self.bytes.extend_from_slice(lease.options);
        // The written address is kept only where it differs, which is rare.
        if address != first {
            self.bytes.extend_from_slice(&address.to_be_bytes());
        }
        self.rows.push(Row {
            address: first,
            valid_lifetime: lease.valid_lifetime,
            preferred_lifetime: lease.preferred_lifetime,
            cltt: lease.cltt,
            subnet_id: lease.subnet_id,
            offset,
            options_len,
            duid_len: duid_len as u8, // ≤ 130, checked above
            prefix_len: lease.prefix_len,
            kind: lease.kind,
            action: Action::Put,
            has_host_bits: address != first,
        });
        Ok(())
    }

    /// Start of the next row.
    fn offset(&self) -> Result<u32, LeaseError> {
        u32::try_from(self.bytes.len()).map_err(|_| LeaseError::BatchFull)
    }

    /// Appends a removal.
    pub fn remove(&mut self, removal: Removal) {
        self.rows.push(Row {
            address: removal.address.into(),
            valid_lifetime: 0,
            preferred_lifetime: 0,
            // 0 stands for "not known", which no event has as its time.
            cltt: removal.time.unwrap_or(0),
            subnet_id: 0,
            offset: 0,
            options_len: 0,
            duid_len: 0,
            // A removal is found by the address as written, so it has no prefix of its own.
            prefix_len: 128,
            kind: LeaseKind::Address,
            action: Action::Remove(removal.reason),
            has_host_bits: false,
        });
    }

    /// Appends a lease that cannot be read ([`Change::Unreadable`]), or says that the batch is full: of an
    /// address, or with less than 128 bits of whatever is delegated there; no lease has length 0, which
    /// counts as 1. A DUID that no client can have counts as none.
    pub fn unreadable(&mut self, address: Ipv6Addr, prefix_len: u8, duid: &[u8]) -> Result<(), LeaseError> {
        // Length 0 would cover every address.
        let prefix_len = prefix_len.clamp(1, 128);
        let first = u128::from(address) & mask(prefix_len);
        let has_host_bits = first != u128::from(address);
        // A DUID that no client can have identifies none.
        let duid = if duid.len() > DUID_LEN_MAX { &[] } else { duid };
        let offset = self.offset()?;
        self.bytes.extend_from_slice(duid);
        if has_host_bits {
            self.bytes.extend_from_slice(&address.octets());
        }
        self.rows.push(Row {
            address: first,
            // It never expires by itself: only a readable row ends the doubt.
            valid_lifetime: INFINITY,
            preferred_lifetime: INFINITY,
            cltt: 0,
            subnet_id: 0,
            offset,
            options_len: 0,
            duid_len: duid.len() as u8, // ≤ 130
            prefix_len,
            kind: if prefix_len < 128 { LeaseKind::Prefix } else { LeaseKind::Address },
            action: Action::MarkUnreadable,
            has_host_bits,
        });
        Ok(())
    }

    /// Appends a change of another batch, its subnet number with it.
    ///
    /// # Errors
    /// If this batch is full.
    ///
    /// # Panics
    /// If `other` has no such row.
    pub fn push_from(&mut self, other: &Self, row: usize) -> Result<(), LeaseError> {
        self.push_row(other, &other.rows[row])
    }

    pub(crate) fn push_row(&mut self, other: &Self, row: &Row) -> Result<(), LeaseError> {
        self.push(other.change(row))?;
        // `push` takes the change as its source made it, without the number given since.
        if let Some(last) = self.rows.last_mut() {
            last.subnet_id = row.subnet_id;
        }
        Ok(())
    }

    /// Replaces the subnet number of each change that is not a removal; a lease that cannot be read has
    /// number 0 at first.
    pub fn renumber_subnets(&mut self, mut number: impl FnMut(u32) -> u32) {
        // Removals have no subnet, and their field must stay 0.
        for row in self.rows.iter_mut().filter(|row| !row.is_removal()) {
            row.subnet_id = number(row.subnet_id);
        }
    }

    /// The changes in order.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        self.rows.iter().map(|row| self.change(row))
    }

    pub(crate) fn change(&self, row: &Row) -> Change<'_> {
        let address = self.key(row).into();
        match row.action {
            Action::Put => Change::Put(self.lease(row)),
            Action::Remove(reason) => {
                Change::Remove(Removal { address, reason, time: Some(row.cltt).filter(|&time| time != 0) })
            }
            Action::MarkUnreadable => {
                Change::Unreadable { address, prefix_len: row.prefix_len, duid: self.named_duid(row) }
            }
        }
    }

    /// The subnet of each lease that can be read, in order.
    pub fn subnet_ids(&self) -> impl Iterator<Item = u32> {
        self.rows.iter().filter(|row| row.action == Action::Put).map(|row| row.subnet_id)
    }

    /// The address that the source wrote, by which it knows the lease.
    pub(crate) fn key(&self, row: &Row) -> u128 {
        // Nearly all leases are keyed by their first address.
        if !row.has_host_bits {
            return row.address;
        }
        let start = row.offset as usize + usize::from(row.duid_len) + usize::from(row.options_len);
        let octets = self.bytes[start..].first_chunk().expect("host bits lie behind the options");
        u128::from_be_bytes(*octets)
    }

    /// The lease in a row that is not a removal.
    pub(crate) fn lease(&self, row: &Row) -> Lease<'_> {
        Lease {
            address: self.key(row).into(),
            prefix_len: row.prefix_len,
            kind: row.kind,
            duid: self.duid(row),
            valid_lifetime: row.valid_lifetime,
            preferred_lifetime: row.preferred_lifetime,
            cltt: row.cltt,
            subnet_id: row.subnet_id,
            options: self.options(row),
        }
    }

    /// The DUID of the client that has the lease of a row; empty for a removal and for a lease that cannot be
    /// read.
    pub(crate) fn duid(&self, row: &Row) -> &[u8] {
        // The client named by an unreadable row does not hold its lease.
        if row.action == Action::MarkUnreadable { &[] } else { self.named_duid(row) }
    }

    /// The DUID in a row of this batch.
    pub(crate) fn named_duid(&self, row: &Row) -> &[u8] {
        let start = row.offset as usize;
        &self.bytes[start..start + usize::from(row.duid_len)]
    }

    /// The options of a row of this batch.
    pub(crate) fn options(&self, row: &Row) -> &[u8] {
        let start = row.offset as usize + usize::from(row.duid_len);
        &self.bytes[start..start + usize::from(row.options_len)]
    }
}

/// The bits that a prefix of this length fixes; lengths over 128 count as 128.
pub(crate) fn mask(prefix_len: u8) -> u128 {
    match prefix_len {
        0 => 0,
        // A shift by 128 would overflow, so length 0 has its own arm.
        len => u128::MAX << (128 - u32::from(len.min(128))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease<'a>(address: &str, prefix_len: u8, kind: LeaseKind, duid: &'a [u8]) -> Lease<'a> {
        Lease {
            address: address.parse().unwrap(),
            prefix_len,
            kind,
            duid,
            valid_lifetime: 4000,
            preferred_lifetime: 3000,
            cltt: 1_700_000_000,
            subnet_id: 7,
            options: &[0, 39, 0, 1, 0],
        }
    }

    #[test]
    fn changes_come_back_as_pushed() {
        let put = Change::Put(lease("2001:db8::", 56, LeaseKind::Prefix, &[0, 3, 0, 1, 9]));
        let host_bits = Change::Put(lease("2001:db8::80", 32, LeaseKind::Prefix, &[0, 3, 0, 1, 9]));
        let address = "2001:db8::2".parse().unwrap();
        let remove =
            Change::Remove(Removal { address, reason: RemovalReason::Declined, time: Some(1_700_000_001) });
        let gone = Change::Remove(Removal::gone(address));
        let mut batch = Batch::new();
        for change in [put, host_bits, remove, gone] {
            batch.push(change).unwrap();
        }
        assert_eq!(batch.changes().collect::<Vec<_>>(), [put, host_bits, remove, gone]);
    }

    #[test]
    fn unreadable_leases_come_back_as_pushed() {
        let unreadable = |address: &str, prefix_len, duid| {
            let address = address.parse().unwrap();
            Change::Unreadable { address, prefix_len, duid }
        };
        let mut batch = Batch::new();
        let rows = [
            unreadable("2001:db8::2", 128, &[]),
            unreadable("2001:db8::", 56, &[0, 1, 2]),
            unreadable("::", 1, &[]),
            unreadable("2001:db8::5", 56, &[]),
            unreadable("2001:db8::6", 56, &[3]),
        ];
        for row in rows {
            batch.push(row).unwrap();
        }
        assert_eq!(batch.changes().collect::<Vec<_>>(), rows);
        assert_eq!(batch.subnet_ids().count(), 0, "its subnet is not known");
        batch.unreadable("8000::".parse().unwrap(), 0, &[1; DUID_LEN_MAX + 1]).unwrap();
        assert_eq!(batch.changes().last(), Some(unreadable("8000::", 1, &[])));
    }

    #[test]
    fn invalid_leases_are_rejected_whole() {
        let mut batch = Batch::new();
        let long = [1; DUID_LEN_MAX + 1];
        let rows = [
            (lease("2001:db8::1", 128, LeaseKind::Address, &[]), LeaseError::DuidLength(0)),
            (lease("2001:db8::1", 128, LeaseKind::Address, &long), LeaseError::DuidLength(131)),
            (lease("2001:db8::1", 64, LeaseKind::Address, &[1]), LeaseError::PrefixLength(64)),
            (lease("2001:db8::", 0, LeaseKind::Prefix, &[1]), LeaseError::PrefixLength(0)),
            (lease("2001:db8::", 129, LeaseKind::Prefix, &[1]), LeaseError::PrefixLength(129)),
            (lease("2001:db8::1", 31, LeaseKind::Prefix, &[1]), LeaseError::HostBits),
        ];
        for (lease, fault) in rows {
            assert_eq!(batch.put(&lease), Err(fault));
        }
        assert!(batch.is_empty() && batch.bytes.is_empty());
    }

    #[test]
    fn mask_of_every_length() {
        assert_eq!(mask(0), 0);
        assert_eq!(mask(1), 1 << 127);
        assert_eq!(mask(128), u128::MAX);
    }
}
