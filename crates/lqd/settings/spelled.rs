//! Values that are spelled alike as flag and in the file.
//!
//! clap takes any type with `FromStr`. serde would want a `Deserialize` beside it, which would then accept
//! other things with other messages; the functions here lead serde to the same `FromStr` instead.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::str::FromStr;

use clap::ValueEnum;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Unexpected, Visitor};
use toml::Spanned;

/// How the file writes a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Literal {
    /// Between quotes only.
    Text,
    /// As a bare number only.
    Number,
    /// Both.
    Either,
}

/// A value with one spelling; the error of `from_str` says what to write instead.
pub(super) trait Spelled: FromStr<Err = String> {
    /// How the file writes it.
    const LITERAL: Literal;

    /// What it must be, with its limits or an example: `a whole number in 1..=256`.
    fn form() -> String;
}

/// Deserialises one value.
pub(super) fn one<'de, T: Spelled, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    Ok(Some(Entry::deserialize(from)?.0))
}

/// A value of the file, and where it stands there, in octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) at: Range<usize>,
}

/// Deserialises one value that must be given, with its place.
pub(super) fn placed<'de, T: Spelled, D: Deserializer<'de>>(from: D) -> Result<Placed<T>, D::Error> {
    let spanned = Spanned::<Entry<T>>::deserialize(from)?;
    Ok(Placed { at: spanned.span(), value: spanned.into_inner().0 })
}

/// Deserialises a list of values.
pub(super) fn list<'de, T: Spelled, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<T>>, D::Error> {
    from.deserialize_any(ListVisitor(PhantomData)).map(Some)
}

/// Deserialises one word of a few.
pub(super) fn choice<'de, T: ValueEnum, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    from.deserialize_any(ChoiceVisitor(PhantomData)).map(Some)
}

/// One value, so that a fault in a list is found at the entry.
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
