//! Entries of the change log, and their octets in a chunk.
//!
//! ```text
//! head       event (3), is a prefix (1), former facts follow (1), a time follows (1),
//!            the address has 8 octets (1) | the DUID is that of the entry before (1)
//! DUID       length (8), octets
//! address    16 octets, or 8 where the rest is 0; of a prefix, its length (8)
//! subnet id  a number
//! cltt       4 octets
//! time       4 octets
//! former     subnet id, length of the relay data: numbers; the relay data
//! ```
//! A number has seven bits in an octet, lowest first, and the highest bit in all but the last. The renewal of
//! an address by a client with a DUID of 14 octets takes 37 octets, and that of its prefix behind it
//! takes 15.

use std::net::Ipv6Addr;

use super::super::FormerLease;
use crate::lease::LeaseKind;
use crate::removal::RemovalReason;

/// Events by number: puts, removals by reason, and events of more than one lease.
pub(super) const EVENTS: [&str; 9] =
    ["put", "expired", "released", "declined", "reclaimed", "replaced", "gone", "links-replaced", "lost"];

const REASONS: [RemovalReason; 6] = [
    RemovalReason::Expired,
    RemovalReason::Released,
    RemovalReason::Declined,
    RemovalReason::Reclaimed,
    RemovalReason::Replaced,
    RemovalReason::Gone,
];

const LINKS_REPLACED: usize = 7;
const LOST: usize = 8;

/// Event in the head: these, or that a second octet has it.
const EVENT_MASK: u8 = 7;
const SEE_NEXT: u8 = 7;

const IS_PREFIX: u8 = 1 << 3;
const HAS_FORMER: u8 = 1 << 4;
const HAS_TIME: u8 = 1 << 5;
const IS_SHORT: u8 = 1 << 6;
const SAME_DUID: u8 = 1 << 7;

/// An entry of the change log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedChange<'a> {
    /// Position in the log: one more than that of the entry before.
    pub sequence: u64,
    /// Second in which it entered the log, UNIX seconds of the log's clock; never earlier than that of the
    /// entry before.
    pub published: u32,
    /// Time of the event, seconds since 1970-01-01 UTC on the source's clock: of a lease that was put, its
    /// cltt; of a removal, the time that the source tells; of an expiry, the second in which the valid
    /// lifetime was over.
    pub source_time: Option<u32>,
    /// The event.
    pub event: LoggedEvent<'a>,
}

/// An event in the change log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoggedEvent<'a> {
    /// This lease of this client changed. The index has its present state.
    Lease(LoggedLease<'a>),
    /// The links are others than before: filters by link must begin again.
    LinksReplaced,
    /// Some changes are not known: readers must begin again.
    Lost,
}

/// A lease that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedLease<'a> {
    /// DUID of its client.
    pub duid: &'a [u8],
    /// The leased address, or the first address of the delegated prefix, as in
    /// [`Binding`](crate::Binding::address).
    pub address: Ipv6Addr,
    /// 128 for an address.
    pub prefix_len: u8,
    /// Address or delegated prefix.
    pub kind: LeaseKind,
    /// The source's number for the subnet.
    pub subnet_id: u32,
    /// Last communication with the client: seconds since 1970-01-01 UTC on the source's clock.
    pub cltt: u32,
    /// Reason why the client no longer has it; `None`: it was put.
    pub reason: Option<RemovalReason>,
    /// Subnet and relay data as they were before: of a lease that was removed, and of one that was put if
    /// they changed.
    pub former: Option<FormerLease<'a>>,
}

impl LoggedLease<'_> {
    /// Number of its event.
    pub(super) fn number(&self) -> usize {
        let of = |reason| REASONS.iter().position(|&one| one == reason).expect("all reasons are listed");
        self.reason.map_or(0, |reason| 1 + of(reason))
    }

    /// Appends its entry; `is_same_client`: the entry before has its DUID, and is read before it. The time of
    /// a lease that was put is its cltt.
    pub(super) fn write(&self, out: &mut Vec<u8>, source_time: Option<u32>, is_same_client: bool) {
        let octets = self.address.octets();
        let (first, second) = octets.split_at(8);
        let is_short = second == [0; 8];
        let time = source_time.filter(|_| self.reason.is_some());
        let is_prefix = self.kind == LeaseKind::Prefix;
        let flags = [
            (IS_PREFIX, is_prefix),
            (HAS_FORMER, self.former.is_some()),
            (HAS_TIME, time.is_some()),
            (IS_SHORT, is_short),
            (SAME_DUID, is_same_client),
        ];
        let flags = flags.into_iter().filter(|&(_, is_set)| is_set).fold(0, |flags, (bit, _)| flags | bit);
        out.push(self.number() as u8 | flags); // below SEE_NEXT
        if !is_same_client {
            out.push(self.duid.len() as u8); // ≤ DUID_LEN_MAX
            out.extend_from_slice(self.duid);
        }
        out.extend_from_slice(if is_short { first } else { &octets });
        // The length of an address is known.
        if is_prefix {
            out.push(self.prefix_len);
        }
        write_number(out, self.subnet_id);
        out.extend_from_slice(&self.cltt.to_be_bytes());
        if let Some(time) = time {
            out.extend_from_slice(&time.to_be_bytes());
        }
        if let Some(former) = self.former {
            write_number(out, former.subnet_id);
            write_number(out, former.relay_data.len() as u32); // an option's value, ≤ 65,535
            out.extend_from_slice(former.relay_data);
        }
    }
}

/// Appends the entry of links that were replaced; returns the number of the event.
pub(super) fn write_links_replaced(out: &mut Vec<u8>) -> usize {
    out.extend([SEE_NEXT, LINKS_REPLACED as u8]);
    LINKS_REPLACED
}

/// Appends the entry of changes that are not known; returns the number of the event.
pub(super) fn write_lost(out: &mut Vec<u8>) -> usize {
    out.extend([SEE_NEXT, LOST as u8]);
    LOST
}

fn write_number(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80); // the low seven bits
        number >>= 7;
    }
    out.push(number as u8);
}

/// Octets of entries that are read one after the other.
#[derive(Clone)]
pub(super) struct Entries<'a> {
    rest: &'a [u8],
    /// DUID of the entry before.
    duid: &'a [u8],
}

impl<'a> Entries<'a> {
    /// Entries in these octets, of which the first has its DUID.
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets, duid: &[] }
    }

    /// The time and the event of the next entry; `None` at the end.
    ///
    /// # Panics
    /// If these are not octets that were written here.
    pub(super) fn next(&mut self) -> Option<(Option<u32>, LoggedEvent<'a>)> {
        let head = *self.rest.split_off_first()?;
        let event = head & EVENT_MASK;
        if event == SEE_NEXT {
            let is_lost = usize::from(self.octet()) == LOST;
            return Some((None, if is_lost { LoggedEvent::Lost } else { LoggedEvent::LinksReplaced }));
        }
        let has = |bit| head & bit != 0;
        if !has(SAME_DUID) {
            let len = self.octet().into();
            self.duid = self.take(len);
        }
        let mut octets = [0; 16];
        let address_len = if has(IS_SHORT) { 8 } else { 16 };
        octets[..address_len].copy_from_slice(self.take(address_len));
        let (prefix_len, kind) =
            if has(IS_PREFIX) { (self.octet(), LeaseKind::Prefix) } else { (128, LeaseKind::Address) };
        let (subnet_id, cltt) = (self.number(), self.word());
        let reason = usize::from(event).checked_sub(1).map(|number| REASONS[number]);
        let time = has(HAS_TIME).then(|| self.word());
        let former = has(HAS_FORMER).then(|| {
            let (subnet_id, len) = (self.number(), self.number());
            FormerLease { subnet_id, relay_data: self.take(len as usize) }
        });
        let (duid, address) = (self.duid, octets.into());
        let lease = LoggedLease { duid, address, prefix_len, kind, subnet_id, cltt, reason, former };
        Some((if reason.is_none() { Some(cltt) } else { time }, LoggedEvent::Lease(lease)))
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        self.rest.split_off(..len).expect("entries are whole")
    }

    fn octet(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn word(&mut self) -> u32 {
        let octets = self.take(4).first_chunk().expect("four octets were taken");
        u32::from_be_bytes(*octets)
    }

    fn number(&mut self) -> u32 {
        let mut number = 0;
        for shift in (0..).step_by(7) {
            let octet = self.octet();
            number |= u32::from(octet & 0x7f) << shift;
            // The last octet has its highest bit clear.
            if octet < 0x80 {
                break;
            }
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn octets_of_a_renewal_and_a_removal() {
        let address = LoggedLease {
            duid: &[0, 3, 0, 1, 9],
            address: "2001:db8::1".parse().unwrap(),
            prefix_len: 128,
            kind: LeaseKind::Address,
            subnet_id: 300,
            cltt: 0x0102_0304,
            reason: None,
            former: None,
        };
        let prefix = LoggedLease {
            address: "2001:db8:1::".parse().unwrap(),
            prefix_len: 56,
            kind: LeaseKind::Prefix,
            reason: Some(RemovalReason::Released),
            former: Some(FormerLease { subnet_id: 300, relay_data: &[8, 7] }),
            ..address
        };
        let mut octets = Vec::new();
        address.write(&mut octets, Some(5), false);
        let renewal = [
            &[0, 5, 0, 3, 0, 1, 9][..],
            &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            &[0xac, 2, 1, 2, 3, 4],
        ]
        .concat();
        assert_eq!(octets, renewal);
        octets.clear();
        prefix.write(&mut octets, Some(6), true);
        let head = 2 | IS_PREFIX | HAS_FORMER | HAS_TIME | IS_SHORT | SAME_DUID;
        let removal = [
            &[head, 0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 56][..],
            &[0xac, 2, 1, 2, 3, 4, 0, 0, 0, 6, 0xac, 2, 2, 8, 7],
        ]
        .concat();
        assert_eq!(octets, removal);
    }

    proptest! {
        #[test]
        fn entries_come_back_as_written(
            rows in prop::collection::vec(
                (
                    (prop::collection::vec(any::<u8>(), 0..=130), any::<bool>(), any::<u128>(), 0_u8..=128),
                    (any::<u32>(), any::<u32>(), prop::option::of(any::<u32>()), 0_usize..9),
                    prop::option::of((any::<u32>(), prop::collection::vec(any::<u8>(), 0..300))),
                ),
                1..20,
            ),
        ) {
            let (mut octets, mut expected, mut last) = (Vec::new(), Vec::new(), None);
            for ((duid, is_short, bits, prefix_len), (subnet_id, cltt, time, event), former) in &rows {
                match event {
                    7 => drop(write_links_replaced(&mut octets)),
                    8 => drop(write_lost(&mut octets)),
                    _ => {}
                }
                if *event > 6 {
                    let event = if *event == 8 { LoggedEvent::Lost } else { LoggedEvent::LinksReplaced };
                    expected.push((None, event));
                    continue;
                }
                let is_address = *prefix_len == 128;
                let former =
                    former.as_ref().map(|(subnet_id, relay_data)| {
                        FormerLease { subnet_id: *subnet_id, relay_data }
                    });
                let lease = LoggedLease {
                    duid,
                    address: if *is_short { bits >> 64 << 64 } else { *bits }.into(),
                    prefix_len: *prefix_len,
                    kind: if is_address { LeaseKind::Address } else { LeaseKind::Prefix },
                    subnet_id: *subnet_id,
                    cltt: *cltt,
                    reason: event.checked_sub(1).map(|number| REASONS[number]),
                    former,
                };
                prop_assert_eq!(lease.number(), *event);
                lease.write(&mut octets, *time, last == Some(duid));
                let time = if lease.reason.is_none() { Some(*cltt) } else { *time };
                last = Some(duid);
                expected.push((time, LoggedEvent::Lease(lease)));
            }
            let mut entries = Entries::new(&octets);
            let read: Vec<_> = std::iter::from_fn(|| entries.next()).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
