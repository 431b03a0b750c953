//! A lease's options as a block of a record: the client's own octets, and the number of a template shared
//! with others.
//!
//! ```text
//! word 0    octets that follow (16) | literal octets (16) | template (32)
//! then      literal octets: options as they are
//!           octets for the holes of the template, which stands for one more option, OPTION_LQ_RELAY_DATA
//! ```
//! Sizes in octets, for one relay with an Interface-Id of 20 octets and a Remote-ID of 12 (with its
//! enterprise number), and a peer-address made of a link-layer address: header 8, Interface-Id 1 + 20,
//! Remote-ID 1 + 8, peer-address 6: 44, padded to 48. As it is, the option has 94. A client link-layer
//! address (option 79) or a name (option 39) is the client's own and is kept literally: 12 octets, and five
//! more than the name has. Any octets come out as they went in; octets that do not parse as options are kept
//! literally, too.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::arena::{Address, Allocator, Arena};
use crate::octets::copy_octets;
use crate::record::{Binding, Client};
use crate::template::{Dictionary, Interner, Splitter, Templated};

const OPTION_LQ_RELAY_DATA: u16 = 47;
const OPTION_HEADER_LEN: usize = 4;
/// Octets of a block before its contents.
const BLOCK_HEADER_LEN: usize = 8;

/// Makes blocks; keeps its buffers, and which templates there are, from one to the next.
#[derive(Default)]
pub(crate) struct Packer {
    splitter: Splitter,
    interner: Interner,
}

impl Packer {
    /// Appends the block of these options, at most 65,535 octets, to `out`; nothing if there are none.
    pub(crate) fn pack(
        &mut self,
        (dictionary, arena): (&Dictionary, &Arena),
        allocator: &mut Allocator,
        options: &[u8],
        out: &mut Vec<u8>,
    ) {
        if options.is_empty() {
            return;
        }
        // Only the last option can be templated, so that the order is kept on reading.
        let (literal, relay_data) = options.split_at(last_option(options));
        if is_relay_data(relay_data)
            // A template is worth it only if others share it; else the octets are kept as they are.
            && let Some(template) = self.splitter.split(relay_data)
            && let Some(at) = self.interner.intern(dictionary, arena, allocator, template)
        {
            // Holes are never longer than the option that they are from.
            let contents = [literal, &self.splitter.holes];
            put_block(out, contents, literal.len(), at);
        } else {
            put_block(out, [options, &[]], options.len(), 0);
        }
    }

    /// Forgets all templates: the generation changes.
    pub(crate) fn clear(&mut self) {
        self.interner.clear();
    }
}

fn put_block(out: &mut Vec<u8>, contents: [&[u8]; 2], literal_len: usize, template: Address) {
    // Octets of options, at most 65,535.
    let len = (contents[0].len() + contents[1].len()) as u16;
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(&(literal_len as u16).to_be_bytes());
    out.extend_from_slice(&template.to_be_bytes());
    contents.iter().for_each(|part| out.extend_from_slice(part));
}

/// Position of the last option; the end, if these octets are not a list of options.
fn last_option(options: &[u8]) -> usize {
    let (mut at, mut last) = (0, options.len());
    while let Some(&[_, _, l0, l1]) = options[at..].first_chunk::<OPTION_HEADER_LEN>() {
        let end = at + OPTION_HEADER_LEN + usize::from(u16::from_be_bytes([l0, l1]));
        // Damaged options are kept whole, as a literal.
        if end > options.len() {
            return options.len();
        }
        (last, at) = (at, end);
    }
    // Octets left over are no option, so no option is the last.
    if at == options.len() { last } else { options.len() }
}

fn is_relay_data(option: &[u8]) -> bool {
    option.starts_with(&OPTION_LQ_RELAY_DATA.to_be_bytes())
}

/// The value of OPTION_LQ_RELAY_DATA among options in wire form; empty if there is none.
pub(crate) fn relay_data_of(options: &[u8]) -> &[u8] {
    let mut rest = options;
    while let Some((&[c0, c1, l0, l1], behind)) = rest.split_first_chunk::<OPTION_HEADER_LEN>() {
        // As in records, octets that do not parse count as absent.
        let Some((value, behind)) = behind.split_at_checked(u16::from_be_bytes([l0, l1]).into()) else {
            break;
        };
        if u16::from_be_bytes([c0, c1]) == OPTION_LQ_RELAY_DATA {
            return value;
        }
        rest = behind;
    }
    &[]
}

/// Appends the value of a lease's OPTION_LQ_RELAY_DATA, if it has any.
pub(crate) fn copy_relay_data(client: Client<'_>, lease: &Binding, out: &mut Vec<u8>) {
    let mut options = client.options(lease).iter();
    if let Some((_, option)) = options.find(|&(code, _)| code == OPTION_LQ_RELAY_DATA) {
        let start = out.len();
        out.resize(start + option.wire_len(), 0);
        option.copy_into(&mut out[start..]);
        // The header goes, as a value is what is asked for.
        out.drain(start..start + OPTION_HEADER_LEN);
    }
}

/// Octets of the block that begins with this word, its header with them.
pub(crate) fn block_len(header: u64) -> usize {
    BLOCK_HEADER_LEN + (header >> 48) as usize
}

/// Options in wire form, inside a record.
#[derive(Clone, Copy)]
pub struct StoredOptions<'a> {
    /// The contents of the block.
    words: &'a [AtomicU64],
    literal_len: usize,
    template: Option<(&'a Arena, Address)>,
}

impl<'a> StoredOptions<'a> {
    pub(crate) const NONE: Self = Self { words: &[], literal_len: 0, template: None };

    /// The block that these words begin with.
    pub(crate) fn of(arena: &'a Arena, block: &'a [AtomicU64]) -> Self {
        let header = block[0].load(Ordering::Relaxed);
        // 0 is no address, and stands for "no template".
        let template = Some((arena, header as Address)).filter(|&(_, at)| at != 0);
        Self { words: &block[1..], literal_len: (header >> 32) as usize & 0xffff, template }
    }

    /// Each option with its code.
    ///
    /// Octets that do not parse count as absent from the error on.
    pub fn iter(self) -> impl Iterator<Item = (u16, StoredOption<'a>)> {
        let mut at = 0;
        let literal = std::iter::from_fn(move || {
            // Octets may be damaged, so each header is checked against the end.
            if at + OPTION_HEADER_LEN > self.literal_len {
                return None;
            }
            let mut header = [0; OPTION_HEADER_LEN];
            copy_octets(self.words, at, &mut header);
            let [c0, c1, l0, l1] = header;
            let len = OPTION_HEADER_LEN + usize::from(u16::from_be_bytes([l0, l1]));
            if at + len > self.literal_len {
                return None;
            }
            let option = StoredOption(Form::Literal { words: self.words, at, len });
            at += len;
            Some((u16::from_be_bytes([c0, c1]), option))
        });
        // The templated option was the last one, so it comes last again.
        let templated = self.template.map(|(arena, template)| {
            let option = Templated::new(arena, template, self.words, self.literal_len);
            (OPTION_LQ_RELAY_DATA, StoredOption(Form::Templated(option)))
        });
        literal.chain(templated)
    }

    /// Appends all octets as they were stored.
    pub(crate) fn copy_to(self, out: &mut Vec<u8>) {
        let start = out.len();
        let literal_end = start + self.literal_len;
        out.resize(literal_end, 0);
        copy_octets(self.words, 0, &mut out[start..]);
        if let Some((arena, template)) = self.template {
            let option = Templated::new(arena, template, self.words, self.literal_len);
            out.resize(literal_end + option.len(), 0);
            option.copy_range(0, &mut out[literal_end..]);
        }
    }

    #[cfg(test)]
    pub(crate) fn octets(self) -> Vec<u8> {
        let mut octets = Vec::new();
        self.copy_to(&mut octets);
        octets
    }
}

/// An option in wire form, inside a record.
#[derive(Clone, Copy)]
pub struct StoredOption<'a>(Form<'a>);

#[derive(Clone, Copy)]
enum Form<'a> {
    Literal { words: &'a [AtomicU64], at: usize, len: usize },
    Templated(Templated<'a>),
}

impl StoredOption<'_> {
    /// Octets of code, length and value.
    pub fn wire_len(&self) -> usize {
        match &self.0 {
            Form::Literal { len, .. } => *len,
            Form::Templated(option) => option.len(),
        }
    }

    /// Fills `out`, of [`Self::wire_len`] octets, with the option.
    pub fn copy_into(&self, out: &mut [u8]) {
        match &self.0 {
            Form::Literal { words, at, .. } => copy_octets(words, *at, out),
            Form::Templated(option) => option.copy_range(0, out),
        }
    }

    /// The `N` octets that begin `from` octets into the option; `None` where it ends before.
    pub fn octets<const N: usize>(&self, from: usize) -> Option<[u8; N]> {
        // Checked addition: the position comes from the option's own contents.
        (from.checked_add(N)? <= self.wire_len()).then(|| {
            let mut octets = [0; N];
            match &self.0 {
                Form::Literal { words, at, .. } => copy_octets(words, *at + from, &mut octets),
                Form::Templated(option) => option.copy_range(from, &mut octets),
            }
            octets
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::octets::word_of;
    use proptest::prelude::*;

    /// Stores these options one after the other and reads each back; returns the lengths of their blocks.
    fn round_trip<'a>(all: impl IntoIterator<Item = &'a [u8]>) -> Vec<usize> {
        let (arena, mut allocator) = (Arena::large(), Allocator::new());
        let (dictionary, mut packer) = (Dictionary::default(), Packer::default());
        let lens = all.into_iter().map(|options| {
            let mut block = Vec::new();
            packer.pack((&dictionary, &arena), &mut allocator, options, &mut block);
            let words: Vec<AtomicU64> = block.chunks(8).map(|chunk| word_of(chunk).into()).collect();
            let Some(header) = words.first() else {
                assert!(options.is_empty());
                return 0;
            };
            assert_eq!(block_len(header.load(Ordering::Relaxed)), block.len());
            let stored = StoredOptions::of(&arena, &words);
            assert_eq!(stored.octets(), options);
            let (mut rest, mut copy) = (options, Vec::new());
            for (code, option) in stored.iter() {
                let start = copy.len();
                copy.resize(start + option.wire_len(), 0xee);
                option.copy_into(&mut copy[start..]);
                assert_eq!(code.to_be_bytes(), rest[..2]);
                let quarter = |from: usize| option.octets::<4>(from).map(|octets| octets.to_vec());
                for from in 0..=option.wire_len() {
                    let wanted = copy[start..].get(from..from + 4).map(<[u8]>::to_vec);
                    assert_eq!(quarter(from), wanted, "{from}");
                }
                rest = &rest[option.wire_len()..];
            }
            assert!(options.starts_with(&copy) && (rest.is_empty() || last_option(rest) == rest.len()));
            block.len()
        });
        lens.collect()
    }

    /// Relay data of one relay agent, as a feed makes it.
    fn relay_data(link: u8, peer: [u8; 8], interface_id: &[u8], remote_id: &[u8]) -> Vec<u8> {
        let mut link_address = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        link_address[5] = link;
        let forw = [&[12, 0][..], &link_address, &[0xfe, 0x80, 0, 0, 0, 0, 0, 0], &peer].concat();
        let option = |code: u8, value: &[u8]| [&[0, code, 0, value.len() as u8], value].concat();
        let value = [link_address.to_vec(), forw, option(18, interface_id), option(37, remote_id)].concat();
        option(47, &value)
    }

    #[test]
    fn typical_relay_data_takes_48_octets() {
        let peer = [2, 0, 0x5e, 0xff, 0xfe, 1, 2, 3];
        let typical = relay_data(1, peer, b"olt-7 xpon 0/3/11:42", b"\0\0\x7e\xd9modem-77");
        assert_eq!(typical.len(), 94);
        let other = relay_data(1, peer.map(|octet| octet ^ 8), b"olt-7 xpon 0/3/1:4", b"\0\0\x7e\xd9modem-7");
        assert_eq!(round_trip([&typical[..], &other]), [44, 43]);
        let with_others = [&[0, 79, 0, 4, 0, 1, 2, 3][..], &typical].concat();
        assert_eq!(round_trip([&with_others[..]]), [52]);
    }

    #[test]
    fn neighbours_share_a_template_and_others_do_not() {
        let (arena, mut allocator) = (Arena::large(), Allocator::new());
        let (dictionary, mut packer) = (Dictionary::default(), Packer::default());
        let mut template = |options: &[u8]| {
            let mut block = Vec::new();
            packer.pack((&dictionary, &arena), &mut allocator, options, &mut block);
            block[4..8].to_vec()
        };
        let peer = [2, 0, 0x5e, 0xff, 0xfe, 1, 2, 3];
        let first = template(&relay_data(1, peer, b"a", b"\0\0\x7e\xd9x"));
        assert_ne!(first, [0; 4]);
        assert_eq!(
            first,
            template(&relay_data(1, [9, 9, 9, 0xff, 0xfe, 9, 9, 9], b"other", b"\0\0\x7e\xd9yy"))
        );
        assert_ne!(first, template(&relay_data(2, peer, b"a", b"\0\0\x7e\xd9x")), "another link");
        assert_ne!(first, template(&relay_data(1, [9; 8], b"a", b"\0\0\x7e\xd9x")), "no EUI-64");
        let long = vec![7; 300];
        let mut option = relay_data(1, peer, b"a", b"\0\0\x7e\xd9x");
        option.extend([0, 99, 1, 44].into_iter().chain(long));
        let len = (option.len() - 4) as u16;
        option[2..4].copy_from_slice(&len.to_be_bytes());
        assert_eq!(template(&option), [0; 4], "too long to be shared");
        round_trip([&option[..]]);
    }

    /// Relay chains with parts that templates know, and damage.
    fn relay_chain() -> impl Strategy<Value = Vec<u8>> {
        let option =
            (prop::sample::select(vec![9_u8, 18, 37, 53, 0]), prop::collection::vec(any::<u8>(), 0..12))
                .prop_map(|(code, value)| [&[0, code, 0, value.len() as u8], &value[..]].concat());
        let peer = prop_oneof![
            Just([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0x5e, 0xff, 0xfe, 1, 2, 3]),
            (0_u8..4).prop_map(|last| [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, last]),
            any::<[u8; 16]>(),
        ];
        let level = ((0_u8..3), peer, prop::collection::vec(option, 0..4))
            .prop_map(|(link, peer, options)| [&[12, 0][..], &[link; 16], &peer, &options.concat()].concat());
        let chain = prop::collection::vec(level, 0..5).prop_map(|levels| {
            let nested = levels.into_iter().rev().reduce(|inner, outer| {
                [&outer[..], &[0, 9], &(inner.len() as u16).to_be_bytes(), &inner].concat()
            });
            let value = [&[7; 16][..], &nested.unwrap_or_default()].concat();
            [&[0, 47], &(value.len() as u16).to_be_bytes()[..], &value].concat()
        });
        (chain, prop::option::of((any::<prop::sample::Index>(), any::<u8>())), 0_usize..8).prop_map(
            |(mut chain, damage, cut)| {
                if let Some((at, octet)) = damage {
                    let at = at.index(chain.len());
                    chain[at] = octet;
                    chain.truncate(chain.len() - cut);
                }
                chain
            },
        )
    }

    proptest! {
        #[test]
        fn any_options_come_out_as_they_went_in(
            options in prop::collection::vec(
                (prop::collection::vec(any::<u8>(), 0..30), relay_chain(), any::<bool>()).prop_map(
                    |(before, chain, headed)| {
                        let header = [0, 79, 0, before.len() as u8];
                        [if headed { &header[..] } else { &[] }, &before, &chain].concat()
                    },
                ),
                1..6,
            ),
        ) {
            round_trip(options.iter().map(Vec::as_slice));
        }
    }
}
