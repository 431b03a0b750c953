//! Templates of relay data: octets that many clients have in common, stored once.
//!
//! OPTION_LQ_RELAY_DATA of a client behind one relay takes some 94 octets, of which some 40 tell this client
//! from its neighbours: Interface-Id, Remote-ID, and half of the peer-address. The rest is the relay's and is
//! kept as a *template*: the option's octets with holes, in the arena, for as long as the generation lives.
//!
//! ```text
//! template  word 0: octets that follow; then number of pieces (8), the pieces (kind 8, n 8 each),
//!           literal octets
//! piece     Literal n   n octets of the template
//!           Hole n      n octets of the block
//!           Sized n     two octets: n + h; n octets of the template; one octet of the block: h; its h octets
//!           Rest        two octets: how many follow, to the end of the option
//! ```
//! Lengths are not part of a template, so that relays with Interface-Ids of several lengths need one only: a
//! network has about as many templates as link-addresses. Interning whole values would save little, as hardly
//! two clients have an Interface-Id in common. A source that makes up relays cannot make the dictionary grow
//! beyond [`TEMPLATES_MAX`] templates of [`TEMPLATE_LEN_MAX`] octets; all other options are stored as they
//! are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::arena::{Address, Allocator, Arena};
use crate::octets::{copy_octets, word_of};

/// Most templates of a generation: 16 MiB and their keys.
const TEMPLATES_MAX: usize = 1 << 16;
/// Longest template, octets: chains of some four relays.
const TEMPLATE_LEN_MAX: usize = 256;
/// Most pieces that fit beside literal octets.
const PIECES_MAX: usize = 64;

const OPTION_RELAY_MSG: u16 = 9;
const OPTION_INTERFACE_ID: u16 = 18;
const OPTION_REMOTE_ID: u16 = 37;
/// Octets of code and length.
const OPTION_HEADER_LEN: usize = 4;
/// Octets of a relay message before its options (RFC 8415 §9), without peer-address; and with it.
const RELAY_HEAD_LEN: usize = 18;
const RELAY_HEADER_LEN: usize = RELAY_HEAD_LEN + 16;
/// Network of link-local addresses.
const LINK_LOCAL: [u8; 8] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0];
/// The middle of an interface identifier made of a link-layer address (RFC 4291, appendix A).
const EUI_64: [u8; 2] = [0xff, 0xfe];

/// Part of a template. The number is how many octets it takes from where its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Literal(u8),
    Hole(u8),
    Sized(u8),
    Rest,
}

impl Piece {
    fn pack(self) -> [u8; 2] {
        match self {
            Self::Literal(n) => [0, n],
            Self::Hole(n) => [1, n],
            Self::Sized(n) => [2, n],
            Self::Rest => [3, 0],
        }
    }

    fn unpack(octets: [u8; 2]) -> Self {
        match octets {
            [0, n] => Self::Literal(n),
            [1, n] => Self::Hole(n),
            [2, n] => Self::Sized(n),
            _ => Self::Rest,
        }
    }
}

/// Splits an option into template and holes; keeps its buffers from option to option.
#[derive(Default)]
pub(crate) struct Splitter {
    pieces: Vec<Piece>,
    literals: Vec<u8>,
    /// The template as it is stored.
    template: Vec<u8>,
    /// The client's own octets.
    pub(crate) holes: Vec<u8>,
}

impl Splitter {
    /// The template of an OPTION_LQ_RELAY_DATA, given whole, if it is short enough; the rest is in `holes`
    /// then.
    pub(crate) fn split(&mut self, option: &[u8]) -> Option<&[u8]> {
        self.pieces.clear();
        self.literals.clear();
        self.holes.clear();
        // Option code, length and peer-address have fixed places.
        let (head, rest) = option.split_at_checked(OPTION_HEADER_LEN + 16)?;
        self.literal(&head[..2]);
        // Lengths follow from the parts, and are stored as such.
        self.length(&head[2..4], option.len() - OPTION_HEADER_LEN);
        self.literal(&head[4..]);
        self.levels(rest);
        let fits = self.pieces.len() <= PIECES_MAX
            && 1 + 2 * self.pieces.len() + self.literals.len() <= TEMPLATE_LEN_MAX;
        if !fits {
            // A long template is hardly shared, and holes would cost more than they save.
            return None;
        }
        self.template.clear();
        self.template.push(self.pieces.len() as u8); // ≤ PIECES_MAX
        self.template.extend(self.pieces.iter().flat_map(|piece| piece.pack()));
        self.template.extend_from_slice(&self.literals);
        Some(&self.template)
    }

    /// Splits nested relay messages; octets that are none are kept as they are.
    fn levels(&mut self, mut message: &[u8]) {
        while let Some((header, options)) = message.split_at_checked(RELAY_HEADER_LEN) {
            // A relay message is told apart by its length only, as octets may be damaged.
            let (head, peer) = header.split_at(RELAY_HEAD_LEN);
            self.literal(head);
            self.peer_address(peer);
            message = self.options(options);
        }
        self.literal(message);
    }

    fn peer_address(&mut self, address: &[u8]) {
        // Other peer-addresses belong to relay agents and are shared.
        let Some(interface) = address.strip_prefix(&LINK_LOCAL) else { return self.literal(address) };
        self.literal(&LINK_LOCAL);
        // Modified EUI-64 has the same two octets in every client.
        if interface[3..5] == EUI_64 {
            self.hole(&interface[..3]);
            self.literal(&EUI_64);
            self.hole(&interface[5..]);
        } else {
            self.hole(interface);
        }
    }

    /// Splits the options of one relay message; returns the nested message in the last of them.
    fn options<'a>(&mut self, mut octets: &'a [u8]) -> &'a [u8] {
        while let Some((header, rest)) = octets.split_first_chunk::<OPTION_HEADER_LEN>() {
            let [c0, c1, l0, l1] = *header;
            let Some((value, after)) = rest.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])))
            else {
                // Octets that are no option end the split, and are kept as they are.
                break;
            };
            self.literal(&[c0, c1]);
            match u16::from_be_bytes([c0, c1]) {
                // Only a message at the end can be split further, as templates nest at the end.
                OPTION_RELAY_MSG if after.is_empty() => {
                    self.length(&[l0, l1], value.len());
                    return value;
                }
                // A piece holds its length in one octet.
                OPTION_INTERFACE_ID if value.len() <= usize::from(u8::MAX) => self.sized(value, 0),
                // The enterprise number comes first (RFC 4649 §3).
                OPTION_REMOTE_ID if (4..=usize::from(u8::MAX)).contains(&value.len()) => self.sized(value, 4),
                _ => {
                    self.literal(&[l0, l1]);
                    self.literal(value);
                }
            }
            octets = after;
        }
        self.literal(octets);
        &[]
    }

    fn literal(&mut self, octets: &[u8]) {
        self.literals.extend_from_slice(octets);
        for chunk in octets.chunks(usize::from(u8::MAX)) {
            let len = chunk.len() as u8; // a chunk's
            match self.pieces.last_mut() {
                // Neighbouring literals become one piece, as pieces are limited.
                Some(Piece::Literal(before)) if before.checked_add(len).is_some() => *before += len,
                _ => self.pieces.push(Piece::Literal(len)),
            }
        }
    }

    fn hole(&mut self, octets: &[u8]) {
        self.pieces.push(Piece::Hole(octets.len() as u8)); // ≤ 8, half an address
        self.holes.extend_from_slice(octets);
    }

    /// The length of a value and the value, of which the first octets are the template's.
    fn sized(&mut self, value: &[u8], shared: usize) {
        let (shared, own) = value.split_at(shared);
        self.pieces.push(Piece::Sized(shared.len() as u8)); // 0 or 4
        self.literals.extend_from_slice(shared);
        self.holes.push(own.len() as u8); // ≤ 255, as the value's
        self.holes.extend_from_slice(own);
    }

    /// A length, which is `left` if it is right.
    fn length(&mut self, octets: &[u8], left: usize) {
        // A wrong length is kept, since it has to come out as it went in.
        if octets == (left as u16).to_be_bytes() {
            self.pieces.push(Piece::Rest);
        } else {
            self.literal(octets);
        }
    }
}

/// The templates of a generation, for threads that write.
#[derive(Default)]
pub(crate) struct Dictionary(Mutex<Known>);

type Known = HashMap<Box<[u8]>, Address, foldhash::fast::RandomState>;

impl Dictionary {
    /// Returns the address of this template; stores it if it is new and there is room.
    fn intern(&self, arena: &Arena, allocator: &mut Allocator, template: &[u8]) -> Option<Address> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&at) = known.get(template) {
            return Some(at);
        }
        // Clients choose the sizes: without a limit, they would fill memory.
        if known.len() == TEMPLATES_MAX {
            return None;
        }
        let words = 1 + template.len().div_ceil(8);
        let at = allocator.allocate(arena, words);
        let run = arena.run(at, words);
        // The length makes the run self-contained for readers.
        run[0].store(template.len() as u64, Ordering::Relaxed);
        for (word, chunk) in run[1..].iter().zip(template.chunks(8)) {
            word.store(word_of(chunk), Ordering::Relaxed);
        }
        // Never removed before the generation ends, as records point to it.
        known.insert(template.into(), at);
        Some(at)
    }
}

/// Cache of one writing thread in front of the dictionary.
#[derive(Default)]
pub(crate) struct Interner {
    known: Known,
}

impl Interner {
    pub(crate) fn intern(
        &mut self,
        dictionary: &Dictionary,
        arena: &Arena,
        allocator: &mut Allocator,
        template: &[u8],
    ) -> Option<Address> {
        // Threads see the same templates over and over, so the lock is rarely taken.
        if let Some(&at) = self.known.get(template) {
            return Some(at);
        }
        let at = dictionary.intern(arena, allocator, template)?;
        self.known.insert(template.into(), at);
        Some(at)
    }

    /// Forgets all templates: the generation changes, and with it the arena.
    pub(crate) fn clear(&mut self) {
        self.known.clear();
    }
}

/// An option in two parts: a template, and a client's octets for its holes.
#[derive(Clone, Copy)]
pub(crate) struct Templated<'a> {
    template: &'a [AtomicU64],
    pieces: usize,
    block: &'a [AtomicU64],
    /// Position of the client's octets in the block.
    holes: usize,
    /// Octets of the option.
    len: usize,
}

impl<'a> Templated<'a> {
    pub(crate) fn new(arena: &'a Arena, template: Address, block: &'a [AtomicU64], holes: usize) -> Self {
        let words = &arena.from(template)[1..];
        let mut this = Self { template: words, pieces: 0, block, holes, len: 0 };
        this.pieces = usize::from(octet(words, 0));
        let mut hole = holes;
        for number in 0..this.pieces {
            // The length depends on the client's holes, so it is computed for each option.
            this.len += match this.piece(number) {
                Piece::Literal(n) => usize::from(n),
                Piece::Hole(n) => {
                    hole += usize::from(n);
                    usize::from(n)
                }
                Piece::Sized(n) => {
                    let own = usize::from(octet(block, hole));
                    hole += 1 + own;
                    2 + usize::from(n) + own
                }
                Piece::Rest => 2,
            };
        }
        this
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn piece(&self, number: usize) -> Piece {
        Piece::unpack([octet(self.template, 1 + 2 * number), octet(self.template, 2 + 2 * number)])
    }

    /// Fills `out` with the octets from `from` on, as far as the option goes.
    pub(crate) fn copy_range(&self, from: usize, out: &mut [u8]) {
        let mut window = Window { skip: from, out };
        let (mut literal, mut hole, mut at) = (1 + 2 * self.pieces, self.holes, 0);
        for number in 0..self.pieces {
            match self.piece(number) {
                Piece::Literal(n) => {
                    let n = usize::from(n);
                    window.take(n, |skip, out| copy_octets(self.template, literal + skip, out));
                    (literal, at) = (literal + n, at + n);
                }
                Piece::Hole(n) => {
                    let n = usize::from(n);
                    window.take(n, |skip, out| copy_octets(self.block, hole + skip, out));
                    (hole, at) = (hole + n, at + n);
                }
                Piece::Sized(n) => {
                    let (shared, own) = (usize::from(n), usize::from(octet(self.block, hole)));
                    // The length in between is that of both parts together.
                    window.number(shared + own); // ≤ 2 · 255
                    window.take(shared, |skip, out| copy_octets(self.template, literal + skip, out));
                    window.take(own, |skip, out| copy_octets(self.block, hole + 1 + skip, out));
                    (literal, hole, at) = (literal + shared, hole + 1 + own, at + 2 + shared + own);
                }
                Piece::Rest => {
                    // Written as a distance to the end, which is known by now.
                    window.number(self.len - at - 2); // as of an option, which has at most 65,535 octets
                    at += 2;
                }
            }
        }
    }
}

/// The part of an option that is wanted, while the option goes by from its beginning.
struct Window<'o> {
    /// Octets until the part begins.
    skip: usize,
    out: &'o mut [u8],
}

impl Window<'_> {
    /// The next `len` octets go by; `copy` fills a slice with them from a position on.
    fn take(&mut self, len: usize, copy: impl FnOnce(usize, &mut [u8])) {
        // Parts before the wanted ones are only counted.
        if self.skip >= len {
            self.skip -= len;
            return;
        }
        let wanted = (len - self.skip).min(self.out.len());
        let (now, later) = std::mem::take(&mut self.out).split_at_mut(wanted);
        copy(self.skip, now);
        (self.skip, self.out) = (0, later);
    }

    fn number(&mut self, number: usize) {
        let octets = (number as u16).to_be_bytes();
        self.take(octets.len(), |skip, out| out.copy_from_slice(&octets[skip..skip + out.len()]));
    }
}

fn octet(words: &[AtomicU64], at: usize) -> u8 {
    words[at / 8].load(Ordering::Relaxed).to_be_bytes()[at % 8]
}
