//! The relay information in exactly the shape in which Kea writes it, read where it stands.
//!
//! A general JSON parser takes as long for a row's `user_context` as lqd for five whole rows without one.
//! Designs considered: (1) serde_json into borrowed structures: a vector for each lease, and text unescaped
//! and copied first; (2) a scanner for all of JSON: its odd corners (escapes, duplicate keys, numbers) would
//! have to be interpreted as serde_json does, for texts that Kea does not write; (3) this one: a scanner that
//! knows one shape, reads Kea's escaped commas as they stand, copies nothing, and gives up at anything else,
//! which then goes to (1). A property test and a fuzz target compare both results.

/// Comma between members, as it stands in a lease file.
const ESCAPED_COMMA: [&[u8]; 2] = [b"&#x2c", b"&#x2C"];

/// A relay as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Relay<'a> {
    pub(super) hop: u8,
    pub(super) link: &'a [u8],
    pub(super) peer: &'a [u8],
    pub(super) options: Option<&'a [u8]>,
}

/// Reader of the text.
pub(super) struct Scanner<'a> {
    rest: &'a [u8],
    /// No relay was read yet.
    first: bool,
}

impl<'a> Scanner<'a> {
    /// Goes to the first relay of `text`, a `user_context` as the file has it; none if that is of another
    /// shape.
    pub(super) fn new(text: &'a [u8]) -> Option<Self> {
        let mut scanner = Self { rest: text, first: true };
        scanner.token(b'{')?;
        scanner.key_is(b"ISC")?;
        scanner.token(b'{')?;
        // Older versions of Kea write the key `relays`.
        if !matches!(scanner.key()?, b"relay-info" | b"relays") {
            return None;
        }
        scanner.token(b'[')?;
        Some(scanner)
    }

    /// The next relay, `Some(None)` at the end of the whole text; none if it is of another shape.
    pub(super) fn relay(&mut self) -> Option<Option<Relay<'a>>> {
        if self.take(b']') {
            self.token(b'}')?;
            self.token(b'}')?;
            self.skip_space();
            // Text behind the map is not Kea's.
            return self.rest.is_empty().then_some(None);
        }
        if !std::mem::take(&mut self.first) {
            self.comma()?;
        }
        self.token(b'{')?;
        let (mut hop, mut link, mut peer, mut options) = (None, None, None, None);
        let (mut remote_id, mut relay_id) = (None, None);
        loop {
            let known = match self.key()? {
                // A key that comes twice is left to the parser, which has a rule for it.
                b"hop" => hop.replace(self.small_number()?).is_none(),
                b"link" => link.replace(self.string()?).is_none(),
                b"peer" => peer.replace(self.string()?).is_none(),
                b"options" => options.replace(self.string()?).is_none(),
                // The same again as `options` says, for Kea's own bulk leasequery.
                b"remote-id" => remote_id.replace(self.string()?).is_none(),
                b"relay-id" => relay_id.replace(self.string()?).is_none(),
                _ => false,
            };
            // An unknown key may change the meaning of the others.
            if !known {
                return None;
            }
            if self.take(b'}') {
                return Some(Some(Relay { hop: hop?, link: link?, peer: peer?, options }));
            }
            self.comma()?;
        }
    }

    fn skip_space(&mut self) {
        while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// Takes this octet, if it is the next that is no space.
    fn take(&mut self, octet: u8) -> bool {
        self.skip_space();
        // On another octet the position stays, so that the caller can try the next form.
        let rest = self.rest.split_first().filter(|(first, _)| **first == octet);
        self.rest = rest.map_or(self.rest, |(_, rest)| rest);
        rest.is_some()
    }

    fn token(&mut self, octet: u8) -> Option<()> {
        self.take(octet).then_some(())
    }

    fn comma(&mut self) -> Option<()> {
        self.skip_space();
        // The lease file escapes commas, since they divide its columns.
        let escaped = ESCAPED_COMMA.iter().find_map(|comma| self.rest.strip_prefix(*comma));
        self.rest = escaped.or_else(|| self.rest.strip_prefix(b","))?;
        Some(())
    }

    fn key(&mut self) -> Option<&'a [u8]> {
        let key = self.string()?;
        self.token(b':')?;
        Some(key)
    }

    fn key_is(&mut self, name: &[u8]) -> Option<()> {
        (self.key()? == name).then_some(())
    }

    /// A string of printable ASCII without escapes, neither JSON's nor the lease file's.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.token(b'"')?;
        let len = plain_len(self.rest)?;
        let (string, rest) = self.rest.split_at(len);
        // A string that ends at an escape is not plain, and is left to the parser.
        self.rest = rest.strip_prefix(b"\"")?;
        Some(string)
    }

    /// A number of at most 255, as JSON has it: no sign, no zero in front.
    fn small_number(&mut self) -> Option<u8> {
        self.skip_space();
        let len = self.rest.iter().take_while(|octet| octet.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(len);
        // Four digits may overflow, and JSON forbids leading zeros.
        if len == 0 || len > 3 || len > 1 && digits[0] == b'0' {
            return None;
        }
        self.rest = rest;
        let number = digits.iter().fold(0u16, |number, digit| number * 10 + u16::from(digit - b'0'));
        u8::try_from(number).ok()
    }
}

/// Octets before the first that is not plain; none if there is no such octet.
fn plain_len(text: &[u8]) -> Option<usize> {
    // Eight octets at a time: addresses and options are most of the file's text.
    let (words, rest) = text.as_chunks::<8>();
    for (n, word) in words.iter().enumerate() {
        let other = others(u64::from_le_bytes(*word));
        if other != 0 {
            // Little-endian order makes the lowest octet the first one.
            return Some(8 * n + other.trailing_zeros() as usize / 8);
        }
    }
    let len = rest.iter().position(|octet| !is_plain(*octet))?;
    Some(text.len() - rest.len() + len)
}

/// The top bit of the lowest octet that is not [plain](is_plain), and perhaps of some above it.
///
/// A borrow out of an octet that is found reaches those above it only, so that the lowest is always right.
fn others(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // Octets below the limit borrow from their top bit; those with it set are excluded.
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    let is = |octet: u8| below(word ^ (ONES * u64::from(octet)), 1);
    let found = below(word, 0x20) | is(b'"') | is(b'&') | is(b'\\') | is(0x7f) | word;
    found & (ONES << 7)
}

fn is_plain(octet: u8) -> bool {
    matches!(octet, b' '..=b'~') && !matches!(octet, b'"' | b'\\' | b'&')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relays(text: &str) -> Option<Vec<Relay<'_>>> {
        let mut scanner = Scanner::new(text.as_bytes())?;
        let mut relays = Vec::new();
        while let Some(relay) = scanner.relay()? {
            relays.push(relay);
        }
        Some(relays)
    }

    #[test]
    fn text_of_kea_is_scanned_without_the_parser() {
        let outer = Relay { hop: 1, link: b"2001:db8::1", peer: b"fe80::1", options: None };
        let inner = Relay { hop: 0, link: b"::", peer: b"fe80::2", options: Some(b"0x00120000") };
        for key in ["relay-info", "relays"] {
            let text = format!(
                r#"{{ "ISC": {{ "{key}": [ {{ "hop": 1&#x2c "link": "2001:db8::1"&#x2c "peer": "fe80::1" }}&#x2c {{ "hop": 0&#x2c "link": "::"&#x2c "options": "0x00120000"&#x2c "peer": "fe80::2"&#x2c "relay-id": "00"&#x2c "remote-id": "01" }} ] }} }}"#
            );
            assert_eq!(relays(&text), Some(vec![outer, inner]));
        }
        assert_eq!(relays(r#"{"ISC":{"relay-info":[]}}"#), Some(vec![]));
    }

    #[test]
    fn strings_end_at_the_first_octet_that_is_not_plain() {
        for octet in 0..=255 {
            for at in 0..20 {
                for behind in [b'a', b'"', 0x21, 0x7e, 0x80, 0] {
                    let mut text = [b'a'; 20];
                    text[at] = octet;
                    text[(at + 1).min(19)..].fill(behind);
                    let expected = text.iter().position(|octet| !is_plain(*octet));
                    assert_eq!(plain_len(&text), expected, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn other_shapes_are_left_to_the_parser() {
        let relay = r#"{"hop":0,"link":"::","peer":"::"}"#;
        let whole = format!(r#"{{"ISC":{{"relays":[{relay}]}}}}"#);
        assert!(relays(&whole).is_some());
        for (from, to) in [
            ("ISC", "isc"),
            ("relays", "leases"),
            ("[{", "[,{"),
            ("]}", ",]}"),
            ("]}", "],\"relay-info\":[]}"),
            ("\"hop\":0", "\"hop\":00"),
            ("\"hop\":0", "\"hop\":0.0"),
            ("\"hop\":0", "\"hop\":256"),
            ("\"hop\":0", "\"hop\":\"0\""),
            ("\"hop\":0", "\"hop\":0,\"hop\":0"),
            ("\"hop\":0,", ""),
            ("\"hop\"", "\"h&#x6fp\""),
            ("::", "\\u003a:"),
            ("::", "&#x3a:"),
            ("::", "é"),
            ("}}", "}} 1"),
            ("}}", "}"),
        ] {
            let text = whole.replacen(from, to, 1);
            assert_eq!(relays(&text), None, "{text}");
        }
        for len in 0..whole.len() {
            assert_eq!(relays(&whole[..len]), None, "{}", &whole[..len]);
        }
    }
}
