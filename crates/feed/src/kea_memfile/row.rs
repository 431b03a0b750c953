//! One row of a lease file: one change.
//!
//! A row that Kea itself would refuse when it starts is refused here, too, so that both hold the same leases.
//! What lqd alone makes of a row, the options about the client, never costs the lease: they are left out and
//! counted.

use lqd_index::{Batch, Lease, LeaseFault, LeaseKind};

use super::columns::{Column, Columns, Values};
use super::text::{decimal, hexadecimal, unescape};
use super::{fqdn, ipv6, relay_info};

/// OPTION_CLIENT_LINKLAYER_ADDR (RFC 6939 §4).
const OPTION_CLIENT_LINKLAYER_ADDR: u16 = 79;
/// Longest link-layer address, in octets, as in Kea (`HWAddr::MAX_HWADDR_LEN`; the longest known is
/// Infiniband's).
const LINK_LAYER_ADDRESS_LEN_MAX: usize = 20;

/// A lease that its client may use (Kea's `Lease::STATE_DEFAULT`).
const STATE_ASSIGNED: u64 = 0;

/// Declined, expired and reclaimed, released, registered (RFC 9686): 1 to 4. None of them is a binding that
/// the server assigned and still stands by, and only such are reported.
const STATE_MAX: u64 = 4;

/// Why a row is no change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowFault {
    /// Where.
    pub column: Column,
    /// What is wrong there.
    pub what: What,
}

/// What can be wrong in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The row ends before this column.
    Missing,
    /// The row goes on after the last column.
    Surplus,
    /// Not an IPv6 address.
    NotAnAddress,
    /// Not a decimal number, or one too large for the column.
    NotANumber,
    /// Neither 0 nor 1.
    NotABoolean,
    /// Not hexadecimal.
    NotHexadecimal,
    /// Kea's mark for "no DUID", on a lease that is assigned.
    EmptyDuid,
    /// A lease type other than 0 (IA_NA), 1 (IA_TA), 2 (IA_PD).
    UnknownLeaseType,
    /// A state that this version does not know.
    UnknownState,
    /// The row is longer than [`super::LINE_LEN_MAX`].
    TooLong,
    /// A lease that the index does not take.
    Lease(LeaseFault),
}

impl std::fmt::Display for RowFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let column = self.column.name();
        match self.what {
            What::Missing => write!(f, "{column} is missing"),
            What::Surplus => write!(f, "more values than the header has columns, after {column}"),
            What::NotAnAddress => write!(f, "{column} is not an IPv6 address"),
            What::NotANumber => write!(f, "{column} is not a number, or too large"),
            What::NotABoolean => write!(f, "{column} is neither 0 nor 1"),
            What::NotHexadecimal => write!(f, "{column} is not hexadecimal"),
            What::EmptyDuid => write!(f, "{column} is empty, but the lease is assigned"),
            What::UnknownLeaseType => write!(f, "{column} is none of 0, 1, 2"),
            What::UnknownState => write!(f, "{column} is none of 0, 1, 2, 3, 4"),
            What::TooLong => write!(f, "the line is longer than {} octets", super::LINE_LEN_MAX),
            What::Lease(fault) => write!(f, "{column}: {fault}"),
        }
    }
}

impl std::error::Error for RowFault {}

/// Options that were left out of a lease, because the row does not say them in a usable way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// `hostname` is no domain name (OPTION_CLIENT_FQDN).
    pub client_fqdn: u64,
    /// `hwaddr` is not hexadecimal, or too long (OPTION_CLIENT_LINKLAYER_ADDR).
    pub link_layer_address: u64,
    /// `user_context` is not JSON, or its relay information is incomplete (OPTION_LQ_RELAY_DATA).
    pub relay_data: u64,
}

impl std::ops::AddAssign for LeftOut {
    fn add_assign(&mut self, other: Self) {
        self.client_fqdn += other.client_fqdn;
        self.link_layer_address += other.link_layer_address;
        self.relay_data += other.relay_data;
    }
}

/// Turns rows into changes; keeps its buffers from row to row.
#[derive(Debug, Default)]
pub struct RowParser {
    duid: Vec<u8>,
    options: Vec<u8>,
    unescaped: Vec<u8>,
    octets: Vec<u8>,
    relays: relay_info::Encoder,
    /// Of the row before: rows of one client, its address and its prefix, often follow each other.
    before: Before,
    left_out: LeftOut,
}

/// What a row said, and what came of it.
#[derive(Debug, Default)]
struct Before {
    /// Text of the DUID in the parser's `duid`; empty if that is of no use.
    duid: Vec<u8>,
    /// Text of the relay information that this option is of; empty if there was none, or it was not understood.
    user_context: Vec<u8>,
    relay_data: Vec<u8>,
}

impl RowParser {
    /// A parser with empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Options left out since this was last asked.
    pub fn take_left_out(&mut self) -> LeftOut {
        std::mem::take(&mut self.left_out)
    }

    /// Appends to `batch` the one change that a row (a line without its end, not empty) stands for.
    ///
    /// A valid lifetime of 0 and every state but "assigned" end the binding of the address. A faulty row
    /// changes nothing: what it might have said about its address is not known.
    pub fn parse(&mut self, columns: Columns, row: &[u8], batch: &mut Batch) -> Result<(), RowFault> {
        let values = columns.split(row)?;
        let binding = Binding::parse(&values)?;
        if !self.read_duid(values.get(Column::Duid)) {
            return Err(RowFault { column: Column::Duid, what: What::NotHexadecimal });
        }
        if !binding.assigned || binding.valid_lifetime == 0 {
            batch.remove(binding.address);
            return Ok(());
        }
        if matches!(*self.duid, [] | [0] | [0, 0, 0]) {
            return Err(RowFault { column: Column::Duid, what: What::EmptyDuid });
        }
        self.collect_options(&values, &binding);
        let lease = Lease {
            address: binding.address,
            prefix_len: binding.prefix_len,
            kind: binding.kind,
            duid: &self.duid,
            valid_lifetime: binding.valid_lifetime,
            preferred_lifetime: binding.preferred_lifetime,
            cltt: binding.cltt,
            subnet_id: binding.subnet_id,
            options: &self.options,
        };
        batch.put(&lease).map_err(|fault| {
            let column = match fault {
                LeaseFault::DuidLength(_) => Column::Duid,
                LeaseFault::PrefixLength(_) => Column::PrefixLen,
                LeaseFault::OptionsTooLong(_) => Column::UserContext,
                LeaseFault::HostBits | LeaseFault::BatchFull => Column::Address,
            };
            RowFault { column, what: What::Lease(fault) }
        })
    }

    /// What is known of the client beyond its lease, as options in wire form.
    fn collect_options(&mut self, values: &Values<'_>, binding: &Binding) {
        self.options.clear();
        let hostname = values.get(Column::Hostname);
        if !hostname.is_empty() {
            let name = unescape(hostname, &mut self.unescaped);
            let (forward, reverse) = (binding.fqdn_forward, binding.fqdn_reverse);
            if !fqdn::append_option(name, forward, reverse, &mut self.options) {
                self.left_out.client_fqdn += 1;
            }
        }
        let hwaddr = values.get(Column::Hwaddr);
        if !hwaddr.is_empty() && !self.append_link_layer_address(hwaddr, binding.hardware_type) {
            self.left_out.link_layer_address += 1;
        }
        let user_context = values.get(Column::UserContext);
        if !user_context.is_empty() && !self.append_relay_data(user_context) {
            self.left_out.relay_data += 1;
        }
    }

    fn read_duid(&mut self, text: &[u8]) -> bool {
        if self.before.duid == text && !text.is_empty() {
            return true;
        }
        let understood = hexadecimal(text, &mut self.duid);
        self.before.duid.clear();
        self.before.duid.extend_from_slice(if understood { text } else { b"" });
        understood
    }

    fn append_relay_data(&mut self, user_context: &[u8]) -> bool {
        // Whether an option fits depends on those before it; as a rule, there is none before this one.
        if !self.options.is_empty() {
            return self.relays.append_option(user_context, &mut self.options);
        }
        let Before { user_context: known, relay_data, .. } = &mut self.before;
        if known != user_context {
            known.clear();
            relay_data.clear();
            if !self.relays.append_option(user_context, relay_data) {
                return false;
            }
            known.extend_from_slice(user_context);
        }
        self.options.extend_from_slice(relay_data);
        true
    }

    /// OPTION_CLIENT_LINKLAYER_ADDR (RFC 6939 §4): hardware type, then the address.
    fn append_link_layer_address(&mut self, hwaddr: &[u8], hardware_type: u16) -> bool {
        if !hexadecimal(hwaddr, &mut self.octets) || self.octets.len() > LINK_LAYER_ADDRESS_LEN_MAX {
            return false;
        }
        let len = 2 + self.octets.len() as u16; // ≤ 22, checked above
        self.options.extend_from_slice(&OPTION_CLIENT_LINKLAYER_ADDR.to_be_bytes());
        self.options.extend_from_slice(&len.to_be_bytes());
        self.options.extend_from_slice(&hardware_type.to_be_bytes());
        self.options.extend_from_slice(&self.octets);
        true
    }
}

/// The columns of fixed size.
struct Binding {
    address: std::net::Ipv6Addr,
    prefix_len: u8,
    kind: LeaseKind,
    valid_lifetime: u32,
    preferred_lifetime: u32,
    cltt: u32,
    subnet_id: u32,
    fqdn_forward: bool,
    fqdn_reverse: bool,
    hardware_type: u16,
    assigned: bool,
}

impl Binding {
    fn parse(values: &Values<'_>) -> Result<Self, RowFault> {
        let address = ipv6::parse(values.get(Column::Address))
            .ok_or(RowFault { column: Column::Address, what: What::NotAnAddress })?;
        let valid_lifetime = number::<u32>(values, Column::ValidLifetime)?;
        let expire = number::<u64>(values, Column::Expire)?;
        let subnet_id = number(values, Column::SubnetId)?;
        let preferred_lifetime = number(values, Column::PrefLifetime)?;
        let kind = lease_kind(values)?;
        number::<u32>(values, Column::Iaid)?;
        let prefix_len = number(values, Column::PrefixLen)?;
        let fqdn_forward = boolean(values, Column::FqdnFwd)?;
        let fqdn_reverse = boolean(values, Column::FqdnRev)?;
        let state = number::<u64>(values, Column::State)?;
        if state > STATE_MAX {
            return Err(RowFault { column: Column::State, what: What::UnknownState });
        }
        let hardware_type = hardware_type(values)?;
        number::<u32>(values, Column::PoolId)?;
        Ok(Self {
            address,
            prefix_len: if kind == LeaseKind::Address { 128 } else { prefix_len },
            kind,
            valid_lifetime,
            preferred_lifetime,
            // Modulo 2^32, as in Kea's csv_lease_file6.cc: an infinite lease expires at cltt + 4294967295.
            cltt: (expire as u32).wrapping_sub(valid_lifetime),
            subnet_id,
            fqdn_forward,
            fqdn_reverse,
            hardware_type,
            assigned: state == STATE_ASSIGNED,
        })
    }
}

/// Type of the hardware address. Without an address Kea leaves type and source empty, and does not read them.
fn hardware_type(values: &Values<'_>) -> Result<u16, RowFault> {
    if values.get(Column::Hwaddr).is_empty() {
        return Ok(0);
    }
    number::<u32>(values, Column::HwaddrSource)?;
    number(values, Column::Hwtype)
}

fn number<T: TryFrom<u64>>(values: &Values<'_>, column: Column) -> Result<T, RowFault> {
    decimal(values.get(column))
        .and_then(|number| T::try_from(number).ok())
        .ok_or(RowFault { column, what: What::NotANumber })
}

fn boolean(values: &Values<'_>, column: Column) -> Result<bool, RowFault> {
    match values.get(column) {
        b"0" => Ok(false),
        b"1" => Ok(true),
        _ => Err(RowFault { column, what: What::NotABoolean }),
    }
}

fn lease_kind(values: &Values<'_>) -> Result<LeaseKind, RowFault> {
    match number::<u64>(values, Column::LeaseType)? {
        0 | 1 => Ok(LeaseKind::Address),
        2 => Ok(LeaseKind::Prefix),
        _ => Err(RowFault { column: Column::LeaseType, what: What::UnknownLeaseType }),
    }
}

#[cfg(test)]
mod tests;
