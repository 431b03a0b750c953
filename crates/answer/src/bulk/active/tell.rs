//! Messages about a changed client: the leases that it has no longer, and the bindings that it has now.

use lqd_index::{Binding, CLIENT_LEASES_MAX, Client, Covering, LinkId, LinkSet, Lookup};
use lqd_wire::{LqTime, NoRoomError, OptionRequest};

use super::super::Room;
use super::super::selection::duid_of;
use super::super::step::Context;
use super::ActiveQuery;
use super::dirty::{DirtyClient, DirtyLease};
use crate::client_data::{self, Changed, Ended, Requested};
use crate::select::OnLinks;

/// Place of the bindings on no configured link.
const NO_LINK: usize = usize::MAX;

/// A client whose messages are being sent.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) client: DirtyClient,
    /// Place and binding that were sent last, when the buffer was full.
    resume: Option<(usize, Option<Binding>)>,
}

impl Sending {
    pub(super) fn new(client: DirtyClient) -> Self {
        Self { client, resume: None }
    }

    pub(super) fn published(&self) -> u32 {
        self.client.published
    }

    pub(super) fn leases(&self) -> usize {
        self.client.leases.len()
    }
}

/// Whether a client's changes were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    All,
    /// The buffer has no room for one more message.
    Part,
    /// A lease is not there, but the leases are incomplete: it must not be told as ended.
    Held,
}

/// The parts of a message that are not leases.
struct OneMessage<'p> {
    place: usize,
    duid: &'p [u8],
    client: Option<Client<'p>>,
    /// Second of the client's first change.
    published: u32,
    /// Whether messages about other places follow.
    has_later: bool,
}

/// The state of a client that the requestor is told, by place.
#[derive(Default)]
struct State<'p> {
    ended: Vec<(usize, DirtyLease)>,
    live: Vec<(usize, Client<'p>, Binding)>,
    /// Lost leases that other clients have now.
    taken: Vec<(Client<'p>, Binding)>,
}

impl ActiveQuery {
    /// Writes the messages about a client.
    pub(super) fn tell(
        &mut self,
        context: &Context<'_>,
        room: &mut Room<'_>,
        sending: &mut Sending,
        is_complete: bool,
    ) -> Told {
        let client = context.leases.find(Lookup::Duid(&sending.client.duid), context.now);
        let client = client.map(|found| found.client).filter(|client| !client.is_unreadable());
        let Some(state) = self.state_of(context, client, &sending.client, is_complete) else {
            return Told::Held;
        };
        let State { mut ended, mut live, taken } = state;
        for (holder, binding) in taken {
            self.tell_again(holder, &binding, sending);
        }
        ended.sort_by_key(|&(place, _)| place);
        live.sort_by_key(|&(place, _, _)| place);
        let (mut ended, mut live) = (&ended[..], &live[..]);
        if let Some((place, last)) = sending.resume {
            // Lost leases come in the first message of their place.
            ended = &ended[ended.partition_point(|&(other, _)| other <= place)..];
            let is_sent = |(other, _, binding): &(usize, Client<'_>, Binding)| {
                *other < place || *other == place && last.is_some_and(|last| binding.order() <= last.order())
            };
            live = &live[live.partition_point(is_sent)..];
        }
        loop {
            let place = [ended.first().map(|first| first.0), live.first().map(|first| first.0)];
            let Some(place) = place.into_iter().flatten().min() else { return Told::All };
            if !room.has_room() {
                return Told::Part;
            }
            let (now_ended, later_ended) =
                ended.split_at(ended.partition_point(|&(other, _)| other == place));
            let (now_live, later_live) = live.split_at(live.partition_point(|&(other, _, _)| other == place));
            let one = OneMessage {
                place,
                client,
                duid: &sending.client.duid,
                published: sending.published(),
                has_later: !later_ended.is_empty() || !later_live.is_empty(),
            };
            let count = self.write(context, room, &one, now_ended, now_live);
            sending.resume = Some((place, now_live[..count].last().map(|&(_, _, binding)| binding)));
            (ended, live) = (later_ended, &live[count..]);
        }
    }

    /// Lets the new holder of a lost lease have a turn after this client, though it may have had one: to a
    /// requestor that knows leases by address alone, the last message counts.
    fn tell_again(&mut self, holder: Client<'_>, binding: &Binding, after: &Sending) {
        let &Binding { address, prefix_len, kind, subnet_id, cltt, .. } = binding;
        let (was_selected, is_removed) = (false, false);
        let lease = DirtyLease { address, prefix_len, kind, subnet_id, cltt, was_selected, is_removed };
        let DirtyClient { sequence, published, .. } = after.client;
        // There is room: this client's leases have left the set, and each has one holder.
        self.dirty.add(&duid_of(holder), lease, sequence, published);
    }

    /// Returns the present state; `None` while a lease must be taken for neither there nor gone.
    fn state_of<'p>(
        &self,
        context: &'p Context<'_>,
        client: Option<Client<'p>>,
        dirty: &DirtyClient,
        is_complete: bool,
    ) -> Option<State<'p>> {
        let mut option = Vec::new();
        let (view, now) = (&context.view, context.now);
        let named = self.filter.named(view);
        let mut selects = |client: Client<'_>, binding: &Binding| {
            binding.valid_left(now) > 0
                && self.filter.selects(view, named.as_ref(), client, binding, &mut option)
        };
        let place_of = |binding: &Binding| view.locate(binding).link().map_or(NO_LINK, LinkId::number);
        let is_listed = client.is_some_and(|client| !client.is_oversized());
        let (mut state, mut places) = (State::default(), Vec::new());
        for lease in &dirty.leases {
            let current = current(context, client, &dirty.duid, lease);
            if let Some((client, binding)) = current.filter(|(client, binding)| selects(*client, binding)) {
                let place = place_of(&binding);
                if is_listed {
                    places.push(place);
                } else {
                    state.live.push((place, client, binding));
                }
                continue;
            }
            // The requestor does not know it.
            if !lease.was_selected || is_unreadable(context, lease) {
                continue;
            }
            if !is_complete && !lease.is_removed {
                return None;
            }
            let location = view.links().locate(lease.subnet_id, lease.address, lease.kind);
            let place = location.link().map_or(NO_LINK, LinkId::number);
            places.push(place);
            state.ended.push((place, *lease));
            state.taken.extend(holder(context, &dirty.duid, lease, &mut selects));
        }
        if let Some(client) = client.filter(|_| is_listed && !places.is_empty()) {
            let bindings = client.bindings().map(|binding| (place_of(&binding), client, binding));
            state.live.extend(
                bindings
                    .filter(|(place, client, binding)| places.contains(place) && selects(*client, binding)),
            );
        } else {
            // Segments come in no order.
            state.live.sort_by_key(|(_, _, binding)| binding.order());
        }
        Some(state)
    }

    /// Writes a message about one place, with as many bindings as fit; returns how many.
    fn write(
        &mut self,
        context: &Context<'_>,
        room: &mut Room<'_>,
        one: &OneMessage<'_>,
        ended: &[(usize, DirtyLease)],
        live: &[(usize, Client<'_>, Binding)],
    ) -> usize {
        let view = &context.view;
        let on_links = match one.place {
            NO_LINK => OnLinks::NoLink,
            number => OnLinks::Links(LinkSet::of_link(view.links(), view.links().nth(number))),
        };
        // The bindings of an oversized client are in several records, whose options differ.
        let client = live.first().map(|&(_, client, _)| client).or(one.client);
        let is_oversized = client.is_some_and(Client::is_oversized);
        let newest = newest(context, client, &on_links, ended, live);
        let changed = Changed { duid: one.duid, client: client.map(|client| (client, on_links)), newest };
        let limit = if is_oversized { 1 } else { CLIENT_LEASES_MAX };
        let mut count = live.len().min(limit);
        let mut codes = self.wanted.request();
        let mut envelope = self.envelope(context);
        loop {
            // Times are relative to the base-time (RFC 7653 §6.3.1).
            let has_later = one.has_later || count < live.len();
            let base_time = self.base_time(context.now, has_later.then_some(one.published));
            let now = if self.wanted.has_base_time() { base_time } else { context.now };
            envelope.base_time = envelope.base_time.map(|_| LqTime::from_unix(base_time));
            let ended = ended.iter().map(|&(_, DirtyLease { address, prefix_len, kind, .. })| Ended {
                address,
                prefix_len,
                kind,
            });
            let bindings = live[..count].iter().map(|&(_, _, binding)| binding);
            let requested = Requested { codes, rights: context.rights };
            let written = envelope.data(&mut room.w, |w| {
                client_data::write_change(w, view, now, changed, ended, bindings, requested)
            });
            match written {
                Ok(()) => break,
                Err(NoRoomError) if count > 1 => count -= count.div_ceil(8),
                // Rather the change without its options than none.
                Err(NoRoomError) if !codes.is_empty() => codes = OptionRequest::NONE,
                Err(NoRoomError) => unreachable!("1,024 lost leases and one binding fit a message"),
            }
        }
        self.messages += 1;
        self.bindings += count as u64;
        count
    }
}

/// Returns a lease of the client as it is now, expired or not.
fn current<'p>(
    context: &'p Context<'_>,
    client: Option<Client<'p>>,
    duid: &[u8],
    lease: &DirtyLease,
) -> Option<(Client<'p>, Binding)> {
    let client = client?;
    let is_it = |binding: &Binding| {
        (binding.address, binding.prefix_len, binding.kind) == (lease.address, lease.prefix_len, lease.kind)
    };
    if !client.is_oversized() {
        return client.bindings().find(is_it).map(|binding| (client, binding));
    }
    let mut leases = context.leases.leases_of(lease.address, lease.prefix_len);
    leases.find(|(client, binding)| client.has_duid(duid) && binding.kind == lease.kind)
}

/// Returns another client that has the lease now, and that the requestor may see.
fn holder<'p>(
    context: &'p Context<'_>,
    duid: &[u8],
    lease: &DirtyLease,
    selects: &mut impl FnMut(Client<'_>, &Binding) -> bool,
) -> Option<(Client<'p>, Binding)> {
    let mut others = context.leases.leases_of(lease.address, lease.prefix_len);
    others.find(|(client, binding)| {
        !client.is_unreadable()
            && binding.kind == lease.kind
            && !client.has_duid(duid)
            && selects(*client, binding)
    })
}

/// Returns whether a row that cannot be read may be this lease; the log tells when it can be read again.
fn is_unreadable(context: &Context<'_>, lease: &DirtyLease) -> bool {
    let is_unreadable = |client: Client<'_>, _: Covering<'_>| client.is_unreadable();
    context.leases.covering_where(lease.address, context.now, is_unreadable).is_some()
}

/// Returns the latest time at which the client was heard on these links, ended and expired leases included.
fn newest(
    context: &Context<'_>,
    client: Option<Client<'_>>,
    on_links: &OnLinks<'_>,
    ended: &[(usize, DirtyLease)],
    live: &[(usize, Client<'_>, Binding)],
) -> u32 {
    let of_ended = ended.iter().map(|(_, lease)| lease.cltt).max();
    let of_live = live.iter().map(|(_, _, binding)| binding.cltt).max();
    let of_others = client.filter(|client| client.len() > live.len()).and_then(|client| {
        let on = client.bindings().filter(|binding| on_links.has(&context.view, client, binding));
        on.map(|binding| binding.cltt).max()
    });
    of_ended.max(of_live).max(of_others).unwrap_or_default()
}
