//! The tokens of Kea's JSON superset, as far as they must be told apart to make plain JSON of it.
//!
//! After `dhcp6_lexer.ll` of Kea: comments and includes begin anywhere outside a string, strings end on their
//! line.

/// One token; only includes carry more than their length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Space,
    Comment,
    String,
    Comma,
    /// `{` or `[`.
    Open,
    /// `}` or `]`.
    Close,
    /// `<?include "NAME"?>`
    Include(&'a [u8]),
    /// One octet of anything else.
    Other,
}

/// What is wrong with a token, and what to mend.
pub(super) type Fault = &'static str;

/// Token at the start of `text`, which is not empty, and its length in octets (at least 1).
pub(super) fn token(text: &[u8]) -> Result<(Token<'_>, usize), Fault> {
    Ok(match text {
        [b'"', ..] => (Token::String, string(text)?),
        [b'#', ..] | [b'/', b'/', ..] => (Token::Comment, until(text, b"\n").unwrap_or(text.len())),
        [b'/', b'*', body @ ..] => {
            let end = until(body, b"*/").ok_or("this comment has no end; close it with */")?;
            (Token::Comment, end + 4)
        }
        [b'<', b'?', ..] => include(text).ok_or("this directive is not known; write <?include \"FILE\"?>")?,
        [b',', ..] => (Token::Comma, 1),
        [b'{' | b'[', ..] => (Token::Open, 1),
        [b'}' | b']', ..] => (Token::Close, 1),
        [b' ' | b'\t' | b'\r' | b'\n', ..] => (Token::Space, 1),
        _ => (Token::Other, 1),
    })
}

/// Length of the string that starts here, quotes included.
fn string(text: &[u8]) -> Result<usize, Fault> {
    let mut at = 1;
    loop {
        match text.get(at..) {
            Some([b'"', ..]) => return Ok(at + 1),
            Some([b'\\', escaped, ..]) if *escaped != b'\n' => at += 2,
            Some([octet, ..]) if *octet != b'\n' => at += 1,
            _ => return Err("this string has no end on its line; close it with \""),
        }
    }
}

fn include(text: &[u8]) -> Option<(Token<'_>, usize)> {
    let rest = text.strip_prefix(b"<?")?.trim_ascii_start().strip_prefix(b"include")?;
    let rest = rest.trim_ascii_start().strip_prefix(b"\"")?;
    let (name, rest) = rest.split_at(until(rest, b"\"").filter(|&len| len > 0)?);
    let rest = rest[1..].trim_ascii_start().strip_prefix(b"?>")?;
    (!name.contains(&b'\n')).then_some((Token::Include(name), text.len() - rest.len()))
}

/// Octets before the first `end`.
fn until(text: &[u8], end: &[u8]) -> Option<usize> {
    text.windows(end.len()).position(|window| window == end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_has_its_kind_and_length() {
        let rows: [(&[u8], Token<'_>, usize); 16] = [
            (b"# to the end\n1", Token::Comment, 12),
            (b"// to the end\n1", Token::Comment, 13),
            (b"# at the end of the file", Token::Comment, 24),
            (b"/* a\nb **/ 1", Token::Comment, 10),
            (b"/**/1", Token::Comment, 4),
            (br#""a # b // c /* d */ <?e" 1"#, Token::String, 24),
            (br#""quote \" and backslash \\" 1"#, Token::String, 27),
            (br#""""#, Token::String, 2),
            (b", 1", Token::Comma, 1),
            (b"[", Token::Open, 1),
            (b"{", Token::Open, 1),
            (b"]", Token::Close, 1),
            (b"}", Token::Close, 1),
            (b"<?include \"a.json\"?>,", Token::Include(b"a.json"), 20),
            (b"<? include\n\t\"a b\" ?>", Token::Include(b"a b"), 20),
            (b"/1", Token::Other, 1),
        ];
        for (text, kind, len) in rows {
            assert_eq!(token(text), Ok((kind, len)), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn each_broken_token_says_what_to_mend() {
        let rows: [(&[u8], Fault); 9] = [
            (b"\"open", "this string has no end on its line; close it with \""),
            (b"\"open\nnext\"", "this string has no end on its line; close it with \""),
            (b"\"open\\", "this string has no end on its line; close it with \""),
            (b"\"open\\\nnext\"", "this string has no end on its line; close it with \""),
            (b"/* open * /", "this comment has no end; close it with */"),
            (b"/*/", "this comment has no end; close it with */"),
            (b"<?include \"\"?>", "this directive is not known; write <?include \"FILE\"?>"),
            (b"<?include \"a\" # b\n?>", "this directive is not known; write <?include \"FILE\"?>"),
            (b"<?xml?>", "this directive is not known; write <?include \"FILE\"?>"),
        ];
        for (text, fault) in rows {
            assert_eq!(token(text), Err(fault), "{}", text.escape_ascii());
        }
    }
}
