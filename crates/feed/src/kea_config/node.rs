//! A value of the configuration with its path, which errors name.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::str::FromStr;

use super::document::Document;
use super::error::{ConfigError, Warning};
use super::tree::{Value, ValueId};

/// Characters of a wrong value that an error shows.
const SHOWN_MAX: usize = 60;

/// A value and its path.
#[derive(Clone)]
pub(super) struct Node<'a> {
    document: &'a Document,
    value: ValueId,
    path: Vec<Step<'a>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

impl<'a> Node<'a> {
    pub(super) fn root(document: &'a Document) -> Self {
        Self { document, value: document.tree().root(), path: Vec::new() }
    }

    fn child(&self, value: ValueId, step: Step<'a>) -> Self {
        let mut path = Vec::with_capacity(self.path.len() + 1);
        path.extend_from_slice(&self.path);
        path.push(step);
        Self { document: self.document, value, path }
    }

    fn value(&self) -> &'a Value {
        self.document.tree().value(self.value)
    }

    /// Returns the value of a key of this map; `None` also for `null`.
    pub(super) fn key(&self, key: &'a str) -> Result<Option<Self>, ConfigError> {
        // A configuration can be any JSON, so the type is checked at each step.
        let Value::Map(members) = self.value() else { return Err(self.not("a map, { … }")) };
        // Of equal keys the last counts, as in Kea.
        let member = members.iter().rev().find(|(name, _)| **name == *key.as_bytes());
        let inner = member.map(|&(_, value)| self.child(value, Step::Key(key)));
        // Kea treats a null member as absent.
        Ok(inner.filter(|inner| *inner.value() != Value::Null))
    }

    /// Returns the value of a key that must be there.
    pub(super) fn required(&self, key: &'a str) -> Result<Self, ConfigError> {
        self.key(key)?
            .ok_or_else(|| self.error(format_args!("has no \"{key}\"; give it, as Kea demands it too")))
    }

    /// Returns the items of the list under a key; none if the key is absent.
    pub(super) fn list(&self, key: &'a str) -> Result<Vec<Self>, ConfigError> {
        self.key(key)?.map_or(Ok(Vec::new()), |list| list.items())
    }

    /// Returns the items of the list under a key; none if this is no map, or the key is absent or no list.
    pub(super) fn list_if_any(&self, key: &'a str) -> Vec<Self> {
        self.list(key).unwrap_or_default()
    }

    /// Whether this is no list, or an empty one.
    pub(super) fn list_is_empty(&self) -> bool {
        !matches!(self.value(), Value::List(items) if !items.is_empty())
    }

    pub(super) fn items(&self) -> Result<Vec<Self>, ConfigError> {
        let Value::List(list) = self.value() else { return Err(self.not("a list, [ … ]")) };
        Ok(list.iter().enumerate().map(|(number, &item)| self.child(item, Step::Item(number))).collect())
    }

    /// The octets of a string.
    pub(super) fn octets(&self) -> Result<&'a [u8], ConfigError> {
        match self.value() {
            Value::String(octets) => Ok(octets),
            _ => Err(self.not("a string")),
        }
    }

    /// A string that can only be used as text.
    pub(super) fn text(&self) -> Result<&'a str, ConfigError> {
        std::str::from_utf8(self.octets()?).map_err(|_| self.not("a string in UTF-8"))
    }

    pub(super) fn file(&self) -> Result<&'a Path, ConfigError> {
        self.octets().map(|name| Path::new(OsStr::from_bytes(name)))
    }

    pub(super) fn flag(&self) -> Result<bool, ConfigError> {
        match self.value() {
            Value::Bool(flag) => Ok(*flag),
            _ => Err(self.not("true or false")),
        }
    }

    /// A whole number from 0 to `max`.
    pub(super) fn number<T>(&self, max: T) -> Result<T, ConfigError>
    where
        T: FromStr + PartialOrd + Copy + fmt::Display,
    {
        let number = match self.value() {
            Value::Number(text) => {
                // Kea takes -0 as 0, which an unsigned type refuses.
                let zero = text.strip_prefix('-').filter(|digits| digits.bytes().all(|digit| digit == b'0'));
                zero.unwrap_or(text).parse::<T>().ok()
            }
            _ => None,
        };
        number
            .filter(|number| *number <= max)
            .ok_or_else(|| self.not(format_args!("a whole number from 0 to {max}")))
    }

    /// Parses a string; `wanted` describes the accepted form.
    pub(super) fn parsed<T>(
        &self,
        wanted: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        parse(self.text()?).ok_or_else(|| self.not(wanted))
    }

    /// Returns the error of a value of another form than `wanted`.
    pub(super) fn not(&self, wanted: impl fmt::Display) -> ConfigError {
        let mut shown = self.document.tree().shown(self.value, SHOWN_MAX);
        // Values may be large, and an error has to fit a line of the log.
        if shown.chars().count() > SHOWN_MAX {
            shown = shown.chars().take(SHOWN_MAX).chain(['…']).collect();
        }
        self.error(format_args!("must be {wanted}, not {shown}"))
    }

    /// Returns the error of a value that cannot be used.
    pub(super) fn error(&self, reason: impl fmt::Display) -> ConfigError {
        let place = self.document.place(self.value);
        ConfigError::Value { place, path: self.path(), reason: reason.to_string() }
    }

    /// Returns a warning that this value is left out.
    pub(super) fn warning(&self, text: impl fmt::Display) -> Warning {
        Warning { path: self.path(), text: text.to_string() }
    }

    /// Returns the path, such as `Dhcp6.subnet6[3].subnet`.
    pub(super) fn path(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            match step {
                // The root has no name, so the first key stands alone.
                Step::Key(key) if text.is_empty() => text.push_str(key),
                Step::Key(key) => text.extend([".", key]),
                Step::Item(number) => text.push_str(&format!("[{number}]")),
            }
        }
        if text.is_empty() { "the configuration".to_owned() } else { text }
    }
}
