//! Rows of a lease file to changes, one for each.
//!
//! A row is read as Kea reads it when it starts, with all forms that Kea takes beside its own
//! (`csv_lease_file6.cc`), so that both hold the same leases; where Kea 2.2 and 3.3 differ, the one that
//! takes the row is followed. Options about the client, which lqd alone makes of a row, never cost the lease:
//! they are left out and counted.
//!
//! A row that cannot be kept, though its address can be read, makes that address
//! [unreadable](lqd_index::Change::Unreadable). If Kea wrote the row, the address has passed to the client of
//! the row; if another program did, Kea drops it when it starts and goes on with an older row. Either may be
//! so, so replies give neither the older lease nor "no binding" until another row of the address comes: not
//! by the address, nor by the DUID of the older lease or of the row.

use std::net::Ipv6Addr;

use lqd_index::{Batch, DUID_LEN_MAX, Lease, LeaseError, LeaseKind, Links, Removal, RemovalReason};

use super::columns::{Column, Columns, Values};
use super::relay_info::NotAMapError;
use super::text::{boolean, decimal, hardware_address, hexadecimal, integer, signed_decimal, unescape};
use super::{fqdn, ipv6, relay_info};
use crate::source::LeftOut;

/// OPTION_CLIENT_LINKLAYER_ADDR (RFC 6939 §4).
const OPTION_CLIENT_LINKLAYER_ADDR: u16 = 79;
/// Longest link-layer address, in octets, as in Kea (`HWAddr::MAX_HWADDR_LEN`; the longest known is
/// Infiniband's).
const LINK_LAYER_ADDRESS_LEN_MAX: usize = 20;

/// A lease that its client may use (Kea's `Lease::STATE_DEFAULT`). No other state is a binding that the
/// server assigned and still stands by: declined (1), expired and reclaimed (2), released (3), registered (4,
/// RFC 9686), or one of a newer Kea.
const STATE_ASSIGNED: u32 = 0;
/// The one state in which a lease has no DUID.
const STATE_DECLINED: u32 = 1;
const STATE_EXPIRED_RECLAIMED: u32 = 2;
const STATE_RELEASED: u32 = 3;

/// The one type of lease that Kea checks against its subnets when it loads leases (`sanity_checker.cc`).
const LEASE_TYPE_NA: i32 = 0;

/// Source of a hardware address (Kea's `hwaddr.h`) that is a client link-layer address to RFC 6939: a relay
/// agent's own OPTION_CLIENT_LINKLAYER_ADDR. The other sources are not: 0 unknown, 1 the server's own socket,
/// 4 the interface identifier of the client's link-local address, 2 the DUID, 16 remote-id, 32 subscriber-id,
/// 64 and 128 DOCSIS. Those are guesses from identifiers, or the client was not relayed.
const SOURCE_CLIENT_LINKLAYER_ADDR: u32 = 8;

/// Type of a hardware address that the row gives no type: Ethernet, as in Kea.
const HARDWARE_TYPE_ETHERNET: u16 = 1;

/// A lease whose prefix length cannot be read reaches no further than a prefix of this length: the shortest
/// that providers have themselves.
const UNREADABLE_PREFIX_LEN_MIN: u8 = 32;

/// The reason why a row is no change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{kind}", name_of(*.column, *.kind))]
pub struct RowError {
    /// The column at fault.
    pub column: Column,
    /// The fault in it.
    pub kind: RowErrorKind,
}

/// The name of the column, for errors that are about one.
fn name_of(column: Column, kind: RowErrorKind) -> &'static str {
    if kind == RowErrorKind::TooLong { "" } else { column.name() }
}

/// Fault in a column of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowErrorKind {
    /// The row ends before this column.
    #[error(" is missing")]
    Missing,
    /// Not an IPv6 address.
    #[error(" is not an IPv6 address")]
    NotAnAddress,
    /// Not a decimal number, or one too large for the column.
    #[error(" is not a number, or too large")]
    NotANumber,
    /// Neither 0 nor 1.
    #[error(" is neither 0 nor 1")]
    NotABoolean,
    /// Not hexadecimal.
    #[error(" is not hexadecimal")]
    NotHexadecimal,
    /// Kea's mark for "no DUID", on a lease that is not declined; or nothing.
    #[error(" is empty, but the lease is not declined")]
    EmptyDuid,
    /// A lease type other than 0 (IA_NA), 1 (IA_TA), 2 (IA_PD).
    #[error(" is none of 0, 1, 2")]
    UnknownLeaseType,
    /// Not a JSON map.
    #[error(" is not a JSON map")]
    NotAMap,
    /// The row is longer than 1 MiB.
    #[error("the line is longer than {} bytes", super::LINE_LEN_MAX)]
    TooLong,
    /// A lease that the index does not take.
    #[error(": {0}")]
    Lease(LeaseError),
}

/// Turns rows into changes; keeps its buffers from row to row.
#[derive(Debug, Default)]
pub struct RowParser {
    duid: Vec<u8>,
    options: Vec<u8>,
    unescaped: Vec<u8>,
    octets: Vec<u8>,
    relays: relay_info::Encoder,
    /// Parts of the row before: rows of one client, its address and its prefix, often follow each other.
    before: Before,
    left_out: LeftOut,
    has_surplus: bool,
}

/// Texts of the row before, and their values.
#[derive(Debug, Default)]
struct Before {
    /// Text of the DUID in the parser's `duid`; empty if that is of no use.
    duid: Vec<u8>,
    /// Text of the relay information that this option is of; empty if there was none, or it was not
    /// understood.
    user_context: Vec<u8>,
    relay_data: Vec<u8>,
}

impl RowParser {
    /// Creates a parser with empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the count of options left out since the last call.
    pub fn take_left_out(&mut self) -> LeftOut {
        std::mem::take(&mut self.left_out)
    }

    /// Whether the last row had more values than its file has columns.
    pub(super) fn has_surplus(&self) -> bool {
        self.has_surplus
    }

    /// Appends the change of a row (a line without its end, not empty) to `batch`.
    ///
    /// A valid lifetime of 0 and every state but "assigned" end the binding of the address. After an error,
    /// the address, if it can be read, is [unreadable](lqd_index::Change::Unreadable); if not, nothing has
    /// changed.
    pub fn parse(&mut self, columns: Columns, row: &[u8], batch: &mut Batch) -> Result<(), RowError> {
        self.parse_checked(columns, row, batch, None)
    }

    /// Parses as [`Self::parse`], but appends nothing for a row that Kea discards when it loads it with these
    /// links: an older row of the address stands.
    pub(super) fn parse_checked(
        &mut self,
        columns: Columns,
        row: &[u8],
        batch: &mut Batch,
        links: Option<&Links>,
    ) -> Result<(), RowError> {
        // Kea may have the row in force all the same, so an older row of the address must not be answered.
        self.read(columns, row, batch, links).inspect_err(|_| mark_unreadable(row, batch))
    }

    fn read(
        &mut self,
        columns: Columns,
        row: &[u8],
        batch: &mut Batch,
        links: Option<&Links>,
    ) -> Result<(), RowError> {
        let values = columns.split(row)?;
        // Noted before anything can fail: a faulty row may have a second one behind it.
        self.has_surplus = values.has_surplus;
        let binding = Binding::parse(&values)?;
        self.read_duid(values.get(Column::Duid), binding.state)?;
        // Kea checks addresses alone when it loads leases.
        if let Some(links) = links
            && integer(values.get(Column::LeaseType)) == Some(LEASE_TYPE_NA)
            && links.discards(binding.subnet_id, binding.address)
        {
            return self.see_context(values.get(Column::UserContext));
        }
        // The context is still read: Kea refuses the row if it is no map.
        if binding.state != STATE_ASSIGNED || binding.valid_lifetime == 0 {
            self.see_context(values.get(Column::UserContext))?;
            batch.remove(binding.removal());
            return Ok(());
        }
        let kind = binding
            .kind
            .ok_or(RowError { column: Column::LeaseType, kind: RowErrorKind::UnknownLeaseType })?;
        // Options come last, since they cost most and many rows are removals.
        self.collect_options(&values, &binding)?;
        let lease = Lease {
            address: binding.address,
            prefix_len: binding.prefix_len,
            kind,
            duid: &self.duid,
            valid_lifetime: binding.valid_lifetime,
            preferred_lifetime: binding.preferred_lifetime,
            cltt: binding.cltt,
            subnet_id: binding.subnet_id,
            options: &self.options,
        };
        // The index names its own limits, which the operator knows by column.
        batch.put(&lease).map_err(|error| {
            let column = match error {
                LeaseError::DuidLength(_) => Column::Duid,
                LeaseError::PrefixLength(_) => Column::PrefixLen,
                LeaseError::OptionsTooLong(_) => Column::UserContext,
                LeaseError::HostBits | LeaseError::BatchFull => Column::Address,
            };
            RowError { column, kind: RowErrorKind::Lease(error) }
        })
    }

    /// Collects the options about the client, in wire form.
    fn collect_options(&mut self, values: &Values<'_>, binding: &Binding) -> Result<(), RowError> {
        // The buffer is kept from row to row: a load parses millions.
        self.options.clear();
        let hostname = values.get(Column::Hostname);
        if !hostname.is_empty() {
            let name = unescape(hostname, &mut self.unescaped);
            let (forward, reverse) = (binding.fqdn_forward, binding.fqdn_reverse);
            // A name that is no domain name leaves out its option, not the lease.
            if !fqdn::append_option(name, forward, reverse, &mut self.options) {
                self.left_out.client_fqdn += 1;
            }
        }
        // The address of the hardware is extra information, so the lease counts without it.
        if !values.get(Column::Hwaddr).is_empty() && self.append_link_layer_address(values).is_none() {
            self.left_out.link_layer_address += 1;
        }
        let user_context = values.get(Column::UserContext);
        if !user_context.is_empty() && !self.append_relay_data(user_context)? {
            self.left_out.relay_data += 1;
        }
        Ok(())
    }

    fn read_duid(&mut self, text: &[u8], state: u32) -> Result<(), RowError> {
        let error = |kind| Err(RowError { column: Column::Duid, kind });
        // Rows of one client follow each other, so most texts need not be parsed again.
        if self.before.duid != text || text.is_empty() {
            let understood = hexadecimal(text, &mut self.duid);
            // Cleared first: a text that cannot be read must not match the next row's.
            self.before.duid.clear();
            self.before.duid.extend_from_slice(if understood { text } else { b"" });
            if !understood {
                return error(RowErrorKind::NotHexadecimal);
            }
        }
        match *self.duid {
            [] => error(RowErrorKind::EmptyDuid),
            // Kea's mark, in older versions and since 2.3.
            [0] | [0, 0, 0] if state != STATE_DECLINED => error(RowErrorKind::EmptyDuid),
            ref duid if duid.len() > DUID_LEN_MAX => {
                error(RowErrorKind::Lease(LeaseError::DuidLength(duid.len())))
            }
            _ => Ok(()),
        }
    }

    /// Sees that there is no context or one that Kea takes.
    fn see_context(&mut self, user_context: &[u8]) -> Result<(), RowError> {
        let is_context = user_context.is_empty()
            // The same context was read with the row before.
            || self.before.user_context == user_context
            || self.relays.is_map(user_context);
        if is_context { Ok(()) } else { Err(NOT_A_MAP) }
    }

    fn append_relay_data(&mut self, user_context: &[u8]) -> Result<bool, RowError> {
        let append = |relays: &mut relay_info::Encoder, options: &mut Vec<u8>| {
            relays.append_option(user_context, options).map_err(|NotAMapError| NOT_A_MAP)
        };
        // Whether an option fits depends on those before it; as a rule, there is none before this one.
        if !self.options.is_empty() {
            return append(&mut self.relays, &mut self.options);
        }
        let Before { user_context: known, relay_data, .. } = &mut self.before;
        if known != user_context {
            // Both are cleared before the attempt, so that a failure leaves no option of another client.
            known.clear();
            relay_data.clear();
            if !append(&mut self.relays, relay_data)? {
                return Ok(false);
            }
            known.extend_from_slice(user_context);
        }
        self.options.extend_from_slice(relay_data);
        Ok(true)
    }

    /// OPTION_CLIENT_LINKLAYER_ADDR (RFC 6939 §4), if a relay agent said it: hardware type, then the address.
    /// `None` if the columns cannot be read, of which the lease is independent.
    fn append_link_layer_address(&mut self, values: &Values<'_>) -> Option<()> {
        let source = values.get(Column::HwaddrSource);
        // An empty source is 0, unknown: it then gives no option.
        let source: u32 = if source.is_empty() { 0 } else { unsigned(source)? };
        let hardware_type = values.get(Column::Hwtype);
        let hardware_type: u16 =
            if hardware_type.is_empty() { HARDWARE_TYPE_ETHERNET } else { unsigned(hardware_type)? };
        // Kea refuses longer addresses than this.
        let is_usable = hardware_address(values.get(Column::Hwaddr), &mut self.octets)
            && self.octets.len() <= LINK_LAYER_ADDRESS_LEN_MAX;
        is_usable.then_some(())?;
        // Other sources are guesses of Kea's, which RFC 6939 does not mean.
        if source == SOURCE_CLIENT_LINKLAYER_ADDR {
            let len = 2 + self.octets.len() as u16; // ≤ 22, checked above
            self.options.extend_from_slice(&OPTION_CLIENT_LINKLAYER_ADDR.to_be_bytes());
            self.options.extend_from_slice(&len.to_be_bytes());
            self.options.extend_from_slice(&hardware_type.to_be_bytes());
            self.options.extend_from_slice(&self.octets);
        }
        Some(())
    }
}

const NOT_A_MAP: RowError = RowError { column: Column::UserContext, kind: RowErrorKind::NotAMap };

/// Appends to `batch` that the lease on the address of this row, or of the beginning of one, cannot be read,
/// and whose it may be.
///
/// An address or a DUID at the very end of a row may be a part of one, and counts for nothing.
#[cold]
pub(super) fn mark_unreadable(row: &[u8], batch: &mut Batch) {
    let mut values = row.split(|&octet| octet == b',');
    let (address, duid, is_whole) = (values.next(), values.next(), values.clone().next().is_some());
    let lease_type = values.nth(Column::LeaseType as usize - Column::Duid as usize - 1);
    let prefix_len = values.nth(Column::PrefixLen as usize - Column::LeaseType as usize - 1);
    // An address without comma behind it may be cut off, and would name another lease.
    let Some(address) = address.filter(|address| address.len() < row.len()) else { return };
    // A zone, which has no place in a lease, is no part of the address.
    let zone = address.iter().position(|&octet| octet == b'%').unwrap_or(address.len());
    let Some(address) = ipv6::parse(&address[..zone]) else { return };
    let mut octets = Vec::new();
    let is_duid = duid.filter(|_| is_whole).is_some_and(|text| hexadecimal(text, &mut octets));
    let duid = match *octets {
        // Kea's mark for a lease without DUID names no client.
        [0] | [0, 0, 0] => &[],
        ref duid if is_duid => duid,
        _ => &[],
    };
    // As far as a prefix that begins at this address can reach.
    let widest = (128 - u128::from(address).trailing_zeros() as u8).max(UNREADABLE_PREFIX_LEN_MIN); // ≤ 128
    let prefix_len = match (lease_type.and_then(integer), prefix_len.and_then(prefix_len_of)) {
        // An address reaches no further than itself; IA_TA is one too.
        (Some(0 | 1), _) => 128,
        (Some(2), Some(len)) if (UNREADABLE_PREFIX_LEN_MIN..=128).contains(&len) => len,
        _ => widest,
    };
    // An error has no effect here but a lease that is not marked.
    // A batch of 4 GiB, which alone would not take it, comes of no lease file.
    let _ = batch.unreadable(address, prefix_len, duid);
}

/// The columns of fixed size.
struct Binding {
    /// Address in the row: Kea's key. Bits beyond the length of a delegated prefix, which Kea 2.2 keeps, mean
    /// nothing else (RFC 8415 §21.22).
    address: Ipv6Addr,
    prefix_len: u8,
    /// None: neither an address nor a prefix.
    kind: Option<LeaseKind>,
    valid_lifetime: u32,
    preferred_lifetime: u32,
    cltt: u32,
    subnet_id: u32,
    fqdn_forward: bool,
    fqdn_reverse: bool,
    state: u32,
}

impl Binding {
    /// The removal that a row stands for whose state is not "assigned", or whose valid lifetime is 0.
    ///
    /// Kea sets cltt when it declines a lease, but neither when it deletes nor when it releases one.
    fn removal(&self) -> Removal {
        let reason = match self.state {
            STATE_DECLINED => RemovalReason::Declined,
            STATE_EXPIRED_RECLAIMED => RemovalReason::Reclaimed,
            STATE_RELEASED => RemovalReason::Released,
            // Deleted by Kea or an operator, or registered (RFC 9686).
            _ => RemovalReason::Gone,
        };
        let time = match reason {
            // A lease is reclaimed at its expiry, which is the newest time that the row tells.
            RemovalReason::Reclaimed => self.cltt.checked_add(self.valid_lifetime).unwrap_or(self.cltt),
            _ => self.cltt,
        };
        // 0 is no time of an event, but a column without one.
        Removal { address: self.address, reason, time: Some(time).filter(|&time| time != 0) }
    }

    fn parse(values: &Values<'_>) -> Result<Self, RowError> {
        let address = ipv6::parse(values.get(Column::Address))
            .ok_or(RowError { column: Column::Address, kind: RowErrorKind::NotAnAddress })?;
        let valid_lifetime = number::<u32>(values, Column::ValidLifetime)?;
        let expire = number::<u64>(values, Column::Expire)?;
        let subnet_id = number(values, Column::SubnetId)?;
        let preferred_lifetime = number(values, Column::PrefLifetime)?;
        let kind = lease_kind(values)?;
        // Columns without use here are checked all the same: Kea drops a row that has them wrong.
        number::<u32>(values, Column::Iaid)?;
        let fqdn_forward = flag(values, Column::FqdnFwd)?;
        let fqdn_reverse = flag(values, Column::FqdnRev)?;
        let state = number(values, Column::State)?;
        number::<u32>(values, Column::PoolId)?;
        let prefix_len = match kind {
            Some(LeaseKind::Prefix) => prefix_len(values)?,
            // Kea does not read the length of anything else.
            _ => 128,
        };
        Ok(Self {
            address,
            prefix_len,
            kind,
            valid_lifetime,
            preferred_lifetime,
            // Modulo 2^32, as in Kea's csv_lease_file6.cc: an infinite lease expires at cltt + 4294967295.
            cltt: (expire as u32).wrapping_sub(valid_lifetime),
            subnet_id,
            fqdn_forward,
            fqdn_reverse,
            state,
        })
    }
}

fn prefix_len(values: &Values<'_>) -> Result<u8, RowError> {
    let column = Column::PrefixLen;
    prefix_len_of(values.get(column)).ok_or(RowError { column, kind: RowErrorKind::NotANumber })
}

/// A prefix length, modulo 256 as in Kea.
fn prefix_len_of(text: &[u8]) -> Option<u8> {
    match decimal(text) {
        // Plain numbers are the common case, and cheaper than the general form.
        Some(len @ 0..=255) => Some(len as u8),
        _ => integer(text).map(|len| len as u8),
    }
}

fn number<T: TryFrom<u64>>(values: &Values<'_>, column: Column) -> Result<T, RowError> {
    unsigned(values.get(column)).ok_or(RowError { column, kind: RowErrorKind::NotANumber })
}

/// A number in a column that Kea reads as an unsigned integer of this size.
fn unsigned<T: TryFrom<u64>>(text: &[u8]) -> Option<T> {
    let plain = decimal(text).and_then(|number| T::try_from(number).ok());
    // Kea's integers wrap in their own size.
    plain.or_else(|| T::try_from(signed_decimal(text, 8 * size_of::<T>() as u32)?).ok())
}

fn flag(values: &Values<'_>, column: Column) -> Result<bool, RowError> {
    boolean(values.get(column)).ok_or(RowError { column, kind: RowErrorKind::NotABoolean })
}

fn lease_kind(values: &Values<'_>) -> Result<Option<LeaseKind>, RowError> {
    let column = Column::LeaseType;
    let lease_type = match values.get(column) {
        b"0" => 0,
        b"2" => 2,
        odd => integer(odd).ok_or(RowError { column, kind: RowErrorKind::NotANumber })?,
    };
    Ok(match lease_type {
        0 | 1 => Some(LeaseKind::Address),
        2 => Some(LeaseKind::Prefix),
        // A row of another type is faulty only if it assigns something.
        _ => None,
    })
}

#[cfg(test)]
mod tests;
