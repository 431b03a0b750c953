//! The tokens of Kea's configuration language, a superset of JSON in some places and a subset in others.
//!
//! After `dhcp6_lexer.ll` of Kea 2.2 and 3.3: comments and includes begin anywhere outside a string; strings
//! are octets of any encoding, with JSON's escapes but `\u` only up to `\u00ff`, for one octet; numbers may
//! have leading zeros, a plus sign (until Kea 3) and a point without digits on one side of it.

use lqd_wire::hex;

/// A token; positions and lengths are known to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Space,
    Comment,
    Comma,
    Colon,
    Open(Bracket),
    Close(Bracket),
    /// Text between the quotes, escapes as written; [`unescape`] decodes it.
    String(&'a [u8]),
    /// Text as written.
    Number(&'a str),
    Bool(bool),
    Null,
    /// `<?include "NAME"?>`
    Include(&'a [u8]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bracket {
    /// `{` or `}`.
    Map,
    /// `[` or `]`.
    List,
}

/// Error of a token, with the fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenError {
    #[error(
        "no value starts with this character; outside quotes Kea knows numbers, true, false, null, brackets, commas, \
         colons and comments"
    )]
    Unknown,
    #[error("a byte order mark is here, which Kea refuses; save the file as UTF-8 without it")]
    ByteOrderMark,
    #[error("this number has no digits; write it out, such as 0.5 or -1")]
    NoDigits,
    #[error("this comment has no end; close it with */")]
    OpenComment,
    #[error("this directive is not known; write <?include \"FILE\"?>")]
    Directive,
    #[error("this string has no end on its line; close it with \"")]
    OpenString,
    #[error("this string has a control character in it; write a tab as \\t, others as \\u00XX")]
    ControlCharacter,
    #[error("Kea knows \\u only from \\u0000 to \\u00ff; write the character itself")]
    UnicodeEscape,
    #[error("this string has an escape that Kea does not know; write a backslash as \\\\")]
    Escape,
}

/// Returns the token at the start of `text`, which is not empty, and its length in octets (at least 1).
pub(super) fn token(text: &[u8]) -> Result<(Token<'_>, usize), TokenError> {
    Ok(match text {
        [b' ' | b'\t' | b'\r' | b'\n', ..] => (Token::Space, 1),
        [b'"', rest @ ..] => string(rest)?,
        // A comment without line end at the end of the file is allowed.
        [b'#', ..] | [b'/', b'/', ..] => (Token::Comment, until(text, b"\n").unwrap_or(text.len())),
        [b'/', b'*', body @ ..] => {
            let end = until(body, b"*/").ok_or(TokenError::OpenComment)?;
            // The opening and the closing mark have two octets each.
            (Token::Comment, end + 4)
        }
        [b'<', b'?', ..] => include(text).ok_or(TokenError::Directive)?,
        [b',', ..] => (Token::Comma, 1),
        [b':', ..] => (Token::Colon, 1),
        [b'{', ..] => (Token::Open(Bracket::Map), 1),
        [b'[', ..] => (Token::Open(Bracket::List), 1),
        [b'}', ..] => (Token::Close(Bracket::Map), 1),
        [b']', ..] => (Token::Close(Bracket::List), 1),
        [b'-' | b'+' | b'.' | b'0'..=b'9', ..] => number(text)?,
        // Kea's lexer takes keywords as prefixes, so `truefalse` is two tokens and a syntax error.
        _ if text.starts_with(b"true") => (Token::Bool(true), 4),
        _ if text.starts_with(b"false") => (Token::Bool(false), 5),
        _ if text.starts_with(b"null") => (Token::Null, 4),
        // The mark is tested last, as it is rare; Kea refuses it too.
        _ if text.starts_with(b"\xef\xbb\xbf") => return Err(TokenError::ByteOrderMark),
        _ => return Err(TokenError::Unknown),
    })
}

/// Reads a string after its opening quote.
fn string(text: &[u8]) -> Result<(Token<'_>, usize), TokenError> {
    let mut at = 0;
    loop {
        match &text[at..] {
            [b'"', ..] => return Ok((Token::String(&text[..at]), at + 2)),
            // A backslash does not continue a line in JSON, so the string has no end.
            [] | [b'\\'] | [b'\n', ..] | [b'\\', b'\n', ..] => {
                return Err(TokenError::OpenString);
            }
            [b'\\', escape @ ..] => at += 1 + escape_len(escape)?,
            // JSON forbids raw control characters (RFC 8259 §7), and so does Kea.
            [0..0x20, ..] => {
                return Err(TokenError::ControlCharacter);
            }
            _ => at += 1,
        }
    }
}

/// Length of an escape after its backslash.
fn escape_len(text: &[u8]) -> Result<usize, TokenError> {
    match text {
        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Ok(1),
        // Kea keeps strings as octets, so code points above 255 have no meaning to it.
        [b'u', b'0', b'0', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => Ok(5),
        [b'u', ..] => Err(TokenError::UnicodeEscape),
        _ => Err(TokenError::Escape),
    }
}

/// Decodes a string token.
pub(super) fn unescape(raw: &[u8]) -> Box<[u8]> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let [octet, after @ ..] = rest {
        rest = after;
        let (b'\\', [escape, after @ ..]) = (*octet, after) else {
            out.push(*octet);
            continue;
        };
        rest = after;
        out.push(match escape {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (digits, after) = after.split_at(4); // as the lexer has checked
                rest = after;
                hex::octet(&digits[2..]).unwrap_or(0)
            }
            same => *same,
        });
    }
    out.into()
}

/// Reads the longest number at the start of `text`.
fn number(text: &[u8]) -> Result<(Token<'_>, usize), TokenError> {
    // Each part may be empty by itself: Kea takes `.5` and `5.`.
    let digits = |at: usize| text[at..].iter().take_while(|octet| octet.is_ascii_digit()).count();
    let sign = |at: usize| usize::from(matches!(text.get(at), Some(b'-' | b'+')));
    let whole = sign(0);
    let point = whole + digits(whole);
    let mut end = point + usize::from(text.get(point) == Some(&b'.'));
    end += digits(end);
    // A sign or a point alone is no number.
    if !text[..end].iter().any(u8::is_ascii_digit) {
        return Err(TokenError::NoDigits);
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        // An `e` without digits is left for the next token, which then is the error.
        let exponent = end + 1 + sign(end + 1);
        match digits(exponent.min(text.len())) {
            0 => {} // another token follows, if any
            count => end = exponent + count,
        }
    }
    Ok((Token::Number(std::str::from_utf8(&text[..end]).map_err(|_| TokenError::NoDigits)?), end))
}

fn include(text: &[u8]) -> Option<(Token<'_>, usize)> {
    let rest = text.strip_prefix(b"<?")?.trim_ascii_start().strip_prefix(b"include")?;
    let rest = rest.trim_ascii_start().strip_prefix(b"\"")?;
    // An empty name would open the folder itself.
    let (name, rest) = rest.split_at(until(rest, b"\"").filter(|&len| len > 0)?);
    let rest = rest[1..].trim_ascii_start().strip_prefix(b"?>")?;
    // Kea's pattern does not match across lines.
    (!name.contains(&b'\n')).then_some((Token::Include(name), text.len() - rest.len()))
}

/// Octets before the first `end`.
fn until(text: &[u8], end: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_has_its_kind_and_length() {
        let rows: [(&[u8], Token<'_>, usize); 19] = [
            (b"# to the end\n1", Token::Comment, 12),
            (b"// to the end\n1", Token::Comment, 13),
            (b"# at the end of the file", Token::Comment, 24),
            (b"/* a\nb **/ 1", Token::Comment, 10),
            (b"/**/1", Token::Comment, 4),
            (br#""a # b // c /* d */ <?e" 1"#, Token::String(b"a # b // c /* d */ <?e"), 24),
            (br#""quote \" and backslash \\" 1"#, Token::String(br#"quote \" and backslash \\"#), 27),
            (br#""""#, Token::String(b""), 2),
            (b", 1", Token::Comma, 1),
            (b": 1", Token::Colon, 1),
            (b"[", Token::Open(Bracket::List), 1),
            (b"{", Token::Open(Bracket::Map), 1),
            (b"]", Token::Close(Bracket::List), 1),
            (b"}", Token::Close(Bracket::Map), 1),
            (b"<?include \"a.json\"?>,", Token::Include(b"a.json"), 20),
            (b"<? include\n\t\"a b\" ?>", Token::Include(b"a b"), 20),
            (b"truefalse", Token::Bool(true), 4),
            (b"false", Token::Bool(false), 5),
            (b"null}", Token::Null, 4),
        ];
        for (text, kind, len) in rows {
            assert_eq!(token(text), Ok((kind, len)), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn numbers_are_those_of_kea_2_and_3() {
        let rows = [
            ("01", "01"),
            ("+1,", "+1"),
            (".5 ", ".5"),
            ("5.]", "5."),
            ("-.5", "-.5"),
            ("5.e3", "5.e3"),
            ("1E+5", "1E+5"),
            ("1e", "1"),
            ("1e+", "1"),
            ("1.5.5", "1.5"),
            ("1-1", "1"),
            ("0x10", "0"),
        ];
        for (text, number) in rows {
            assert_eq!(token(text.as_bytes()), Ok((Token::Number(number), number.len())), "{text}");
        }
        for text in ["-", "+", ".", "-.", ".e3", "--1"] {
            assert_eq!(token(text.as_bytes()), Err(TokenError::NoDigits), "{text}");
        }
    }

    #[test]
    fn escapes_are_octets() {
        let rows: [(&[u8], &[u8]); 5] = [
            (br#"\"\\\/\b\f\n\r\t"#, b"\"\\/\x08\x0c\n\r\t"),
            (br"\u0041\u00e4\u00FF", b"A\xe4\xff"),
            (b"\xc3\xa4\xe4", b"\xc3\xa4\xe4"),
            (br"\\u0041", br"\u0041"),
            (b"", b""),
        ];
        for (raw, octets) in rows {
            assert_eq!(*unescape(raw), *octets, "{}", raw.escape_ascii());
        }
    }

    #[test]
    fn each_broken_token_has_its_error() {
        let rows: [(&[u8], TokenError); 17] = [
            (b"\"open", TokenError::OpenString),
            (b"\"open\nnext\"", TokenError::OpenString),
            (b"\"open\\", TokenError::OpenString),
            (b"\"open\\\nnext\"", TokenError::OpenString),
            (b"\"a\tb\"", TokenError::ControlCharacter),
            (br#""\x""#, TokenError::Escape),
            (br#""\u1234""#, TokenError::UnicodeEscape),
            (br#""\u00""#, TokenError::UnicodeEscape),
            (b"/* open * /", TokenError::OpenComment),
            (b"/*/", TokenError::OpenComment),
            (b"<?include \"\"?>", TokenError::Directive),
            (b"<?include \"a\" # b\n?>", TokenError::Directive),
            (b"<?xml?>", TokenError::Directive),
            (b"\xef\xbb\xbf{", TokenError::ByteOrderMark),
            (b"True", TokenError::Unknown),
            (b"'a'", TokenError::Unknown),
            (b"/1", TokenError::Unknown),
        ];
        for (text, error) in rows {
            assert_eq!(token(text), Err(error), "{}", text.escape_ascii());
        }
        assert!(TokenError::Escape.to_string().ends_with("write a backslash as \\\\"));
    }
}
