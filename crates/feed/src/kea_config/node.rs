//! A value of the configuration together with its path, so that whatever is wrong with it can be named.

use std::fmt;

use serde_json::Value;

use super::document::Document;
use super::error::{ConfigError, Warning};

/// A value and the way to it.
#[derive(Clone)]
pub(super) struct Node<'a> {
    document: &'a Document,
    value: &'a Value,
    path: Vec<Step<'a>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

impl<'a> Node<'a> {
    pub(super) fn root(document: &'a Document) -> Self {
        Self { document, value: document.value(), path: Vec::new() }
    }

    fn child(&self, value: &'a Value, step: Step<'a>) -> Self {
        let mut path = Vec::with_capacity(self.path.len() + 1);
        path.extend_from_slice(&self.path);
        path.push(step);
        Self { document: self.document, value, path }
    }

    /// The value of a key of this map; `null` is as good as none.
    pub(super) fn key(&self, key: &'a str) -> Result<Option<Self>, ConfigError> {
        let map = self.value.as_object().ok_or_else(|| self.not("a map, { … }"))?;
        let value = map.get(key).filter(|value| !value.is_null());
        Ok(value.map(|value| self.child(value, Step::Key(key))))
    }

    /// The value of a key that must be there.
    pub(super) fn required(&self, key: &'a str) -> Result<Self, ConfigError> {
        self.key(key)?
            .ok_or_else(|| self.fault(format_args!("has no \"{key}\"; give it, as Kea demands it too")))
    }

    /// Items of the list under a key; none if the key is absent.
    pub(super) fn list(&self, key: &'a str) -> Result<Vec<Self>, ConfigError> {
        self.key(key)?.map_or(Ok(Vec::new()), |list| list.items())
    }

    pub(super) fn items(&self) -> Result<Vec<Self>, ConfigError> {
        let list = self.value.as_array().ok_or_else(|| self.not("a list, [ … ]"))?;
        Ok(list.iter().enumerate().map(|(number, item)| self.child(item, Step::Item(number))).collect())
    }

    pub(super) fn text(&self) -> Result<&'a str, ConfigError> {
        self.value.as_str().ok_or_else(|| self.not("a string"))
    }

    pub(super) fn flag(&self) -> Result<bool, ConfigError> {
        self.value.as_bool().ok_or_else(|| self.not("true or false"))
    }

    /// A whole number from 0 to `max`.
    pub(super) fn number<T>(&self, max: T) -> Result<T, ConfigError>
    where
        T: TryFrom<u64> + PartialOrd + Copy + fmt::Display,
    {
        let number = self.value.as_u64().and_then(|number| T::try_from(number).ok());
        number
            .filter(|number| *number <= max)
            .ok_or_else(|| self.not(format_args!("a whole number from 0 to {max}")))
    }

    /// A string that `parse` understands; `wanted` says what that is.
    pub(super) fn parsed<T>(
        &self,
        wanted: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        parse(self.text()?).ok_or_else(|| self.not(wanted))
    }

    /// This value is not what it must be.
    pub(super) fn not(&self, wanted: impl fmt::Display) -> ConfigError {
        let mut shown = self.value.to_string();
        if shown.chars().count() > 60 {
            shown = shown.chars().take(60).chain(['…']).collect();
        }
        self.fault(format_args!("must be {wanted}, not {shown}"))
    }

    /// This value cannot be used.
    pub(super) fn fault(&self, fault: impl fmt::Display) -> ConfigError {
        let place = self.document.place(locate(self.document.text(), &self.path));
        ConfigError::Value { place, path: self.path(), fault: fault.to_string() }
    }

    /// This value is left out.
    pub(super) fn warning(&self, text: impl fmt::Display) -> Warning {
        Warning { path: self.path(), text: text.to_string() }
    }

    /// Such as `Dhcp6.subnet6[3].subnet`.
    pub(super) fn path(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            match step {
                Step::Key(key) if text.is_empty() => text.push_str(key),
                Step::Key(key) => text.extend([".", key]),
                Step::Item(number) => text.push_str(&format!("[{number}]")),
            }
        }
        if text.is_empty() { "the configuration".to_owned() } else { text }
    }
}

/// Where the value at `path` starts in JSON text that is known to be well-formed and to have it.
///
/// A second reading of the text, for errors only: `serde_json` keeps no positions, and a parser that does
/// would be a second one to trust with all that Kea accepts.
fn locate(text: &[u8], path: &[Step<'_>]) -> usize {
    let mut at = space(text, 0);
    for step in path {
        let Some(inner) = member(text, at, *step) else { break };
        at = inner;
    }
    at
}

/// Start of a member of the map or list that starts at `at`; of equal keys the last, as `serde_json` takes
/// it.
fn member(text: &[u8], at: usize, step: Step<'_>) -> Option<usize> {
    let mut found = None;
    let mut at = space(text, at + 1);
    for number in 0.. {
        if matches!(text.get(at)?, b'}' | b']') {
            break;
        }
        let mut wanted = matches!(step, Step::Item(item) if item == number);
        if let Step::Key(key) = step {
            let end = skip(text, at)?;
            let name: String = serde_json::from_slice(text.get(at..end)?).ok()?;
            wanted = name == key;
            at = space(text, space(text, end) + 1); // past the colon
        }
        if wanted {
            found = Some(at);
        }
        at = space(text, skip(text, at)?);
        if text.get(at) == Some(&b',') {
            at = space(text, at + 1);
        }
    }
    found
}

/// End of the value that starts at `at`.
fn skip(text: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match text.get(at)? {
            b'"' => at = string_end(text, at)?,
            b'{' | b'[' => (depth, at) = (depth + 1, at + 1),
            b'}' | b']' => (depth, at) = (depth.checked_sub(1)?, at + 1),
            b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            _ => at += text[at..].iter().take_while(|octet| !b",:]} \t\r\n".contains(octet)).count(),
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

fn string_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn space(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or(&[]);
    at + rest.iter().take_while(|octet| b" \t\r\n".contains(octet)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_path() {
        let text = br#" { "a b" : [ 1, {"x":"]}\"", "y": -2.5e3 } ,true], "\u0063": { "d":7 } }"#;
        let rows: [(&[Step<'_>], &str); 7] = [
            (&[], r#"{ "a b""#),
            (&[Step::Key("a b")], "[ 1, {"),
            (&[Step::Key("a b"), Step::Item(0)], "1, {"),
            (&[Step::Key("a b"), Step::Item(1), Step::Key("x")], r#""]}\"", "#),
            (&[Step::Key("a b"), Step::Item(1), Step::Key("y")], "-2.5e3"),
            (&[Step::Key("a b"), Step::Item(2)], "true]"),
            (&[Step::Key("c"), Step::Key("d")], "7 }"),
        ];
        for (path, want) in rows {
            let at = locate(text, path);
            assert!(text[at..].starts_with(want.as_bytes()), "{path:?}: {}", text[at..].escape_ascii());
        }
    }
}
