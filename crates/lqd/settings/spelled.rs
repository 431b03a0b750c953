//! Deserializers that parse a key as its flag: by `FromStr`, with the same errors.
//!
//! serde_with's `DisplayFromStr` would accept strings only, not `workers = 4`, and its errors would not name
//! the form.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::str::FromStr;

use clap::ValueEnum;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Unexpected, Visitor};
use toml::Spanned;

/// TOML types of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Literal {
    /// String only.
    Text,
    /// Integer only.
    Number,
    /// String or integer.
    Either,
}

/// A value with one textual form; errors of `from_str` include the fix.
pub(super) trait Spelled: FromStr<Err = String> {
    /// TOML types that the file accepts.
    const LITERAL: Literal;

    /// Describes the form, with limits or an example: `a whole number in 1..=256`.
    fn form() -> String;
}

/// Deserialises one value.
pub(super) fn one<'de, T: Spelled, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    Ok(Some(Entry::deserialize(from)?.0))
}

/// Deserialises a value by its own type.
pub(super) fn plain<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    T::deserialize(from)
}

/// A value of the file, and its byte range there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) at: Range<usize>,
}

/// Deserialises a required value with its place.
pub(super) fn placed<'de, T: Spelled, D: Deserializer<'de>>(from: D) -> Result<Placed<T>, D::Error> {
    let spanned = Spanned::<Entry<T>>::deserialize(from)?;
    Ok(Placed { at: spanned.span(), value: spanned.into_inner().0 })
}

/// Deserialises a list of values.
pub(super) fn list<'de, T: Spelled, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<T>>, D::Error> {
    from.deserialize_any(ListVisitor(PhantomData)).map(Some)
}

/// Deserialises one of a few words.
pub(super) fn choice<'de, T: ValueEnum, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    from.deserialize_any(ChoiceVisitor(PhantomData)).map(Some)
}

/// One value, so that an error in a list has the place of its entry.
struct Entry<T>(T);

impl<'de, T: Spelled> Deserialize<'de> for Entry<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(EntryVisitor(PhantomData)).map(Self)
    }
}

struct EntryVisitor<T>(PhantomData<T>);

impl<T: Spelled> Visitor<'_> for EntryVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&T::form())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        if T::LITERAL == Literal::Number {
            return Err(E::invalid_type(Unexpected::Str(text), &self));
        }
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        if T::LITERAL == Literal::Text {
            return Err(E::invalid_type(Unexpected::Signed(number), &self));
        }
        number.to_string().parse().map_err(E::custom)
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Spelled> Visitor<'de> for ListVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list in brackets, each entry {}", T::form())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(Entry(value)) = entries.next_element()? {
            list.push(value);
        }
        Ok(list)
    }
}

struct ChoiceVisitor<T>(PhantomData<T>);

impl<T: ValueEnum> Visitor<'_> for ChoiceVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let words: Vec<_> = words.map(|word| format!("\"{}\"", word.get_name())).collect();
        f.write_str(&words.join(" or "))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::from_str(text, false).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}
