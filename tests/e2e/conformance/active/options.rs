//! Comparison of messages whose options may be in any order (RFC 8415 §16 demands none), also within
//! OPTION_CLIENT_DATA.

use std::ops::RangeInclusive;

use crate::support::message::split_option;
use crate::support::octets::Pattern;

const CLIENT_DATA: &str = "002d";
const CLIENT_DATA_CODE: u16 = 45;

/// Octets before the options: message type and transaction-id.
const HEADER_LEN: usize = 4;

/// Pattern of a message.
#[derive(Debug)]
pub struct MessagePattern {
    header: Vec<u8>,
    options: Vec<OptionPattern>,
    /// The text, for failures.
    text: String,
}

#[derive(Debug)]
enum OptionPattern {
    Plain(Pattern),
    ClientData(Vec<Pattern>),
}

impl MessagePattern {
    /// Parses a pattern: message type and transaction-id, then options as `CODE { … }` or `$name`.
    ///
    /// # Panics
    /// If the text is not in the notation.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
        let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
        let (header, options) = words.split_at_checked(2).expect("message type and transaction-id");
        let header = Pattern::parse(&header.join(" ")).fixed();
        assert_eq!(header.len(), HEADER_LEN, "{text}");
        let option = |words: &[&str]| match words {
            [CLIENT_DATA, "{", inner @ .., "}"] => OptionPattern::ClientData(
                split_words(inner).into_iter().map(|words| Pattern::parse(&words.join(" "))).collect(),
            ),
            words => OptionPattern::Plain(Pattern::parse(&words.join(" "))),
        };
        let options = split_words(options).into_iter().map(option).collect();
        Self { header, options, text: words.join(" ") }
    }

    /// Returns whether a message matches, so many seconds after the time of the pattern.
    pub fn matches(&self, message: &[u8], elapsed: &RangeInclusive<u32>) -> bool {
        let Some(options) = message.strip_prefix(self.header.as_slice()) else { return false };
        is_permutation(&self.options, options, |pattern, option| match pattern {
            OptionPattern::Plain(pattern) => pattern.matches(option, elapsed),
            OptionPattern::ClientData(inner) => split_option(option).is_some_and(|(code, body, _)| {
                code == CLIENT_DATA_CODE
                    && is_permutation(inner, body, |pattern, option| pattern.matches(option, elapsed))
            }),
        })
    }

    /// Returns a message that matches, with its options in the order of the pattern.
    pub fn example(&self) -> Vec<u8> {
        Pattern::parse(&self.text).example()
    }
}

/// Splits words into options: a name alone, or a code with its block.
fn split_words<'a, 'w>(words: &'w [&'a str]) -> Vec<&'w [&'a str]> {
    let mut options = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, &word) in words.iter().enumerate() {
        match word {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 && (word == "}" || word.starts_with('$')) {
            options.push(&words[start..=at]);
            start = at + 1;
        }
    }
    assert!(start == words.len() && depth == 0, "not a list of options: {words:?}");
    options
}

/// Returns whether each option in these octets matches a pattern of its own, and none is left over.
fn is_permutation<P>(patterns: &[P], mut octets: &[u8], matches: impl Fn(&P, &[u8]) -> bool) -> bool {
    let mut left: Vec<&P> = patterns.iter().collect();
    while !octets.is_empty() {
        let Some((_, _, rest)) = split_option(octets) else { return false };
        let option = &octets[..octets.len() - rest.len()];
        let Some(at) = left.iter().position(|pattern| matches(pattern, option)) else { return false };
        left.swap_remove(at);
        octets = rest;
    }
    left.is_empty()
}
