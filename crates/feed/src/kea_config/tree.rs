//! The values of a configuration, each with its place in the text, and the builder that makes them of tokens.
//!
//! Values lie in one table and name each other by position: neither building nor dropping a tree recurses, so
//! the depth of a text is bounded by its length alone, as in Kea.

use super::lexer::{Bracket, Token, unescape};

/// Position of an octet in one of the files of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offset {
    /// Number of the file.
    pub(super) source: u32,
    /// Octet of the file.
    pub(super) octet: u32,
}

/// Position of a value in its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ValueId(u32);

#[derive(Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// Text as written.
    Number(Box<str>),
    /// Octets, escapes decoded.
    String(Box<[u8]>),
    List(Vec<ValueId>),
    /// Keys in the order of the text; of equal ones, which Kea refuses, the last counts.
    Map(Vec<(Box<[u8]>, ValueId)>),
}

/// A whole document.
#[derive(Debug, Default)]
pub(super) struct Tree {
    values: Vec<(Value, Offset)>,
}

impl Tree {
    /// The outermost value.
    pub(super) fn root(&self) -> ValueId {
        ValueId(0)
    }

    pub(super) fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0 as usize].0
    }

    /// First octet of a value.
    pub(super) fn offset(&self, id: ValueId) -> Offset {
        self.values[id.0 as usize].1
    }

    /// Returns the start of a value as JSON text, about `max` bytes of it.
    pub(super) fn shown(&self, id: ValueId, max: usize) -> String {
        let mut out = String::new();
        self.show(id, max, &mut out);
        out
    }

    /// Each level adds an octet, so `max` bounds the recursion.
    fn show(&self, id: ValueId, max: usize, out: &mut String) {
        match self.value(id) {
            _ if out.len() > max => {}
            Value::Null => out.push_str("null"),
            Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Value::Number(number) => out.push_str(number),
            Value::String(octets) => show_string(octets, out),
            Value::List(items) => {
                out.push('[');
                for (number, &item) in items.iter().enumerate() {
                    if out.len() > max {
                        break;
                    }
                    out.push_str(if number > 0 { "," } else { "" });
                    self.show(item, max, out);
                }
                out.push(']');
            }
            Value::Map(members) => {
                out.push('{');
                for (number, (key, member)) in members.iter().enumerate() {
                    if out.len() > max {
                        break;
                    }
                    out.push_str(if number > 0 { "," } else { "" });
                    show_string(key, out);
                    out.push(':');
                    self.show(*member, max, out);
                }
                out.push('}');
            }
        }
    }
}

fn show_string(octets: &[u8], out: &mut String) {
    out.push('"');
    for char in String::from_utf8_lossy(octets).chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            control if control.is_control() => out.extend(control.escape_default()),
            char => out.push(char),
        }
    }
    out.push('"');
}

/// Makes a tree of tokens.
#[derive(Debug, Default)]
pub(super) struct Builder {
    tree: Tree,
    /// Maps and lists that are not closed yet, outermost first.
    open: Vec<(Bracket, ValueId)>,
    /// The key of the value that comes next in the innermost map.
    key: Option<Box<[u8]>>,
    state: State,
}

/// The kinds of token that may come next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// A value: the outermost one, or that of a key.
    #[default]
    Value,
    /// A member or the closing bracket.
    First,
    /// A member, the closing bracket or a surplus comma, which Kea allows.
    AfterComma,
    /// A comma or the closing bracket; behind the outermost value, nothing.
    AfterMember,
    Colon,
}

/// The tokens that would have done in place of the one that stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExpectedToken {
    #[error("expected a colon after the key")]
    Colon,
    #[error("expected the end of the file after the outermost value")]
    End,
    #[error("expected a comma or ]")]
    CommaOrListEnd,
    #[error("expected a comma or }}")]
    CommaOrMapEnd,
    #[error("expected a key in quotes or }}")]
    KeyOrMapEnd,
    #[error("expected a value or ]")]
    ItemOrListEnd,
    #[error("expected a value")]
    Value,
}

impl Builder {
    /// Takes the next token; the error lists the tokens that would have done.
    pub(super) fn push(&mut self, token: Token<'_>, at: Offset) -> Result<(), ExpectedToken> {
        let inside = self.open.last().map(|&(bracket, _)| bracket);
        match (self.state, token) {
            // Includes were expanded by the reader, so nothing of them is left for the tree.
            (_, Token::Space | Token::Comment | Token::Include(_)) => {}
            (State::Colon, Token::Colon) => self.state = State::Value,
            // Kea allows surplus commas, and so does this parser.
            (State::AfterMember | State::AfterComma, Token::Comma) if inside.is_some() => {
                self.state = State::AfterComma;
            }
            (State::First | State::AfterComma | State::AfterMember, Token::Close(bracket))
                if inside == Some(bracket) =>
            {
                self.open.pop();
                self.state = State::AfterMember;
            }
            // A string in a map is a key until its colon is seen.
            (State::First | State::AfterComma, Token::String(raw)) if inside == Some(Bracket::Map) => {
                self.key = Some(unescape(raw));
                self.state = State::Colon;
            }
            (State::First | State::AfterComma, token) if inside == Some(Bracket::List) => {
                self.value(token, at)?;
            }
            (State::Value, token) => self.value(token, at)?,
            _ => return Err(self.expected()),
        }
        Ok(())
    }

    /// Returns the tree, or the token that is missing at the end of the text.
    pub(super) fn finish(self) -> Result<Tree, ExpectedToken> {
        // An empty text has no value either, so the state alone does not do.
        match self.state == State::AfterMember && self.open.is_empty() {
            true => Ok(self.tree),
            false => Err(self.expected()),
        }
    }

    fn value(&mut self, token: Token<'_>, at: Offset) -> Result<(), ExpectedToken> {
        let (value, opened) = match token {
            Token::String(raw) => (Value::String(unescape(raw)), None),
            Token::Number(text) => (Value::Number(text.into()), None),
            Token::Bool(flag) => (Value::Bool(flag), None),
            Token::Null => (Value::Null, None),
            Token::Open(Bracket::Map) => (Value::Map(Vec::new()), Some(Bracket::Map)),
            Token::Open(Bracket::List) => (Value::List(Vec::new()), Some(Bracket::List)),
            _ => return Err(self.expected()),
        };
        let id = ValueId(self.tree.values.len() as u32); // a value has a byte at least, and BYTES_MAX fit
        self.tree.values.push((value, at));
        // The parent is referenced by number, so nesting costs no recursion.
        if let Some(&(_, ValueId(parent))) = self.open.last() {
            match &mut self.tree.values[parent as usize].0 {
                Value::List(items) => items.push(id),
                Value::Map(members) => members.push((self.key.take().unwrap_or_default(), id)),
                _ => unreachable!("only maps and lists are opened"),
            }
        }
        self.state = State::AfterMember;
        if let Some(bracket) = opened {
            self.open.push((bracket, id));
            self.state = State::First;
        }
        Ok(())
    }

    fn expected(&self) -> ExpectedToken {
        match (self.state, self.open.last().map(|&(bracket, _)| bracket)) {
            (State::Colon, _) => ExpectedToken::Colon,
            (State::AfterMember, None) => ExpectedToken::End,
            (State::AfterMember, Some(Bracket::List)) => ExpectedToken::CommaOrListEnd,
            (State::AfterMember, Some(Bracket::Map)) => ExpectedToken::CommaOrMapEnd,
            (State::First | State::AfterComma, Some(Bracket::Map)) => ExpectedToken::KeyOrMapEnd,
            (State::First | State::AfterComma, _) => ExpectedToken::ItemOrListEnd,
            (State::Value, _) => ExpectedToken::Value,
        }
    }
}
