//! Octets as text: the notation of the conformance tables, and patterns that match whole replies.
//!
//! | notation            | stands for |
//! |---------------------|------------|
//! | `0e0a 0b`           | octets in hexadecimal |
//! | `61*130`            | the octet (or octets), repeated |
//! | `2001:db8::1`, `::` | an IPv6 address, 16 octets |
//! | `$name`             | a named piece, see [`PIECES`]; `$cNN` is OPTION_CLIENTID of sample client NN |
//! | `# …`               | a comment up to the end of the line |
//! | `{ … }`             | the length of the enclosed octets in two octets, then these (varying length) |
//! | `text`              | free status text up to the end of the enclosing `{ }`: UTF-8, not empty |
//! | `left:N`, `age:N`   | four octets: seconds, N when the sample data was written, counting down or up |
//!
//! The last three rows are for patterns only. Nothing here knows DHCPv6: hand-written octets cannot share a
//! bug with an encoder.

use std::net::Ipv6Addr;
use std::ops::RangeInclusive;

use super::hex::parse_hex;

/// Named octets, shared by many rows.
pub const PIECES: &[(&str, &str)] = &[
    ("$me", "0001 000a 0003 0001 0200 5e00 53aa"), // OPTION_CLIENTID of the requestor: DUID-LL, Ethernet
    ("$server", "0002 000a 0003 0001 0200 5e00 5301"), // OPTION_SERVERID of the server: DUID-LL, Ethernet
    ("$inf", "ffffffff ffffffff"),                 // two lifetimes that never end (RFC 8415 §7.7)
    ("$zero", "00000000 00000000"),                // two lifetimes in a query, where they mean nothing
    ("$relay-a", "0035 000a 0003 0001 0200 0000 0a01"), // OPTION_RELAY_ID of relay agent A: DUID-LL
    ("$relay-b", "0035 000a 0003 0001 0200 0000 0a02"), // of relay agent B
    ("$relay-c", "0035 000a 0003 0001 0200 0000 0a03"), // of relay agent C
    ("$relay-d", "0035 000a 0003 0001 0200 0000 0a04"), // of relay agent D
    ("$relay-e", "0035 000a 0003 0001 0200 0000 0a05"), // of relay agent E
    ("$clt0", "002e 0004 00000000"),               // OPTION_CLT_TIME: this second
];

/// Part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Octets(Vec<u8>),
    Block(Vec<Piece>),
    Text,
    Left(u32),
    Age(u32),
}

/// Pattern of a whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

/// Parses octets in this notation.
///
/// # Panics
/// If the text is not in the notation, or is a pattern: tables are part of the tests.
pub fn octets(text: &str) -> Vec<u8> {
    Pattern::parse(text).fixed()
}

impl Pattern {
    /// Parses a pattern.
    ///
    /// # Panics
    /// If the text is not in the notation.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
        let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
        let mut rest = words.as_slice();
        let pieces = parse_block(&mut rest, false);
        Self(pieces)
    }

    /// Returns the octets, if all are fixed.
    ///
    /// # Panics
    /// If some are not.
    pub fn fixed(&self) -> Vec<u8> {
        let is_fixed = |piece: &Piece| matches!(piece, Piece::Octets(_));
        assert!(self.0.iter().all(is_fixed), "not a pattern, but fixed octets must stand here: {self:?}");
        self.example()
    }

    /// Returns octets that match: free text as `?`, lifetimes as of the writing of the sample data.
    pub fn example(&self) -> Vec<u8> {
        example(&self.0)
    }

    /// Returns whether these octets match, so many seconds after the sample data was written.
    pub fn matches(&self, reply: &[u8], elapsed: &RangeInclusive<u32>) -> bool {
        matches!(consume(&self.0, reply, elapsed), Some([]))
    }
}

fn parse_block(words: &mut &[&str], enclosed: bool) -> Vec<Piece> {
    let mut pieces = Vec::new();
    while let Some((&word, rest)) = words.split_first() {
        *words = rest;
        match word {
            "{" => pieces.push(Piece::Block(parse_block(words, true))),
            "}" if enclosed => return pieces,
            "text" => pieces.push(Piece::Text),
            _ => pieces.push(parse_word(word)),
        }
    }
    assert!(!enclosed, "a `{{` is not closed");
    pieces
}

fn parse_word(word: &str) -> Piece {
    let number =
        |digits: &str| digits.parse().unwrap_or_else(|_| panic!("`{word}`: not a number of seconds"));
    if let Some(seconds) = word.strip_prefix("left:") {
        Piece::Left(number(seconds))
    } else if let Some(seconds) = word.strip_prefix("age:") {
        Piece::Age(number(seconds))
    } else if let Some(client) = word.strip_prefix("$c").filter(|digits| digits.len() == 2) {
        Piece::Octets(octets(&format!("0001 000a 0003 0001 0200 0000 00{client}")))
    } else if word.starts_with('$') {
        let piece = PIECES.iter().find(|&&(name, _)| name == word);
        Piece::Octets(octets(piece.unwrap_or_else(|| panic!("`{word}`: no such piece")).1))
    // Any other word with a colon is an address: octets have none.
    } else if word.contains(':') {
        let address: Ipv6Addr = word.parse().unwrap_or_else(|_| panic!("`{word}`: not an IPv6 address"));
        Piece::Octets(address.octets().to_vec())
    } else if let Some((unit, times)) = word.split_once('*') {
        Piece::Octets(hex_word(unit).repeat(times.parse().expect("a number of repetitions")))
    } else {
        Piece::Octets(hex_word(word))
    }
}

fn hex_word(word: &str) -> Vec<u8> {
    parse_hex(word).unwrap_or_else(|error| panic!("{error}"))
}

fn example(pieces: &[Piece]) -> Vec<u8> {
    let mut octets = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Octets(fixed) => octets.extend_from_slice(fixed),
            Piece::Block(inner) => {
                let inner = example(inner);
                let length = u16::try_from(inner.len()).expect("a block is at most 65,535 octets");
                octets.extend_from_slice(&length.to_be_bytes());
                octets.extend_from_slice(&inner);
            }
            Piece::Text => octets.push(b'?'),
            Piece::Left(seconds) | Piece::Age(seconds) => octets.extend_from_slice(&seconds.to_be_bytes()),
        }
    }
    octets
}

/// Returns the octets after the pieces, or `None` if they do not match.
fn consume<'a>(pieces: &[Piece], octets: &'a [u8], elapsed: &RangeInclusive<u32>) -> Option<&'a [u8]> {
    pieces.iter().try_fold(octets, |octets, piece| match piece {
        Piece::Octets(fixed) => octets.strip_prefix(fixed.as_slice()),
        Piece::Block(inner) => {
            let (length, rest) = octets.split_first_chunk()?;
            let (block, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            consume(inner, block, elapsed)?.is_empty().then_some(rest)
        }
        Piece::Text => (!octets.is_empty() && std::str::from_utf8(octets).is_ok()).then_some(&[][..]),
        Piece::Left(seconds) => seconds_within(octets, |gone| seconds.saturating_sub(gone), elapsed),
        Piece::Age(seconds) => seconds_within(octets, |gone| seconds + gone, elapsed),
    })
}

/// Returns the octets after a number of seconds, if that number is right for one of the elapsed times.
fn seconds_within<'a>(
    octets: &'a [u8],
    at: impl Fn(u32) -> u32,
    elapsed: &RangeInclusive<u32>,
) -> Option<&'a [u8]> {
    let (&seconds, rest) = octets.split_first_chunk()?;
    let (first, last) = (at(*elapsed.start()), at(*elapsed.end()));
    (first.min(last)..=first.max(last)).contains(&u32::from_be_bytes(seconds)).then_some(rest)
}
