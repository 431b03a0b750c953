//! The test whether a `user_context` is one to Kea: a JSON map, by the grammar of Kea's own reader.
//!
//! Kea drops the whole row otherwise, so this must be neither stricter nor laxer. Kea's reader
//! (`Element::fromJSON`) differs from RFC 8259: a list may end in a comma; `\u` takes 00 and two digits only;
//! octets within strings are free; numbers may begin with zeros or a plus (Kea 2.2) or a dot; a number
//! without dot and exponent may have 128 bits (since Kea 2.6).

/// Whether this text, without the lease file's escapes, is a JSON map to Kea.
pub(super) fn is_map(text: &[u8]) -> bool {
    let mut reader = Reader { rest: text };
    reader.skip_space();
    text.get(text.len() - reader.rest.len()) == Some(&b'{')
        && reader.value().is_some()
        && reader.rest.is_empty()
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    /// Takes one value, and the space around it. Not by recursion: text decides how deep it nests.
    fn value(&mut self) -> Option<()> {
        let mut open = Vec::new();
        loop {
            self.skip_space();
            if let Some(end) = self.begin()? {
                open.push(end);
                continue;
            }
            // A value has ended, and perhaps all that it is in.
            loop {
                self.skip_space();
                let Some(&end) = open.last() else { return Some(()) };
                // Kea takes a surplus comma in lists, and none in maps.
                if self.take(end) || end == b']' && self.take_comma_before_end() {
                    open.pop();
                    continue;
                }
                if !self.take(b',') {
                    return None;
                }
                self.skip_space();
                if end == b'}' {
                    self.key()?;
                }
                break;
            }
        }
    }

    /// Takes a value without others in it; or the beginning of a map or list that is not empty, whose end is
    /// returned.
    fn begin(&mut self) -> Option<Option<u8>> {
        match *self.rest.first()? {
            b'{' => {
                self.next();
                self.skip_space();
                // An empty map has no key to read.
                if self.take(b'}') {
                    return Some(None);
                }
                self.key()?;
                return Some(Some(b'}'));
            }
            b'[' => {
                self.next();
                self.skip_space();
                return Some((!self.take(b']')).then_some(b']'));
            }
            b'"' => self.string()?,
            b'0'..=b'9' | b'+' | b'-' | b'.' => self.number()?,
            b't' | b'f' | b'n' => self.word()?,
            _ => return None,
        }
        Some(None)
    }

    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn take(&mut self, octet: u8) -> bool {
        let found = self.rest.first() == Some(&octet);
        if found {
            self.next();
        }
        found
    }

    fn take_comma_before_end(&mut self) -> bool {
        let mut ahead = Reader { rest: self.rest };
        if !ahead.take(b',') {
            return false;
        }
        ahead.skip_space();
        let found = ahead.take(b']');
        if found {
            self.rest = ahead.rest;
        }
        found
    }

    fn skip_space(&mut self) {
        // Kea's tokenizer takes these as space, more than JSON does.
        while let [b' ' | 0x08 | 0x0c | b'\n' | b'\r' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn key(&mut self) -> Option<()> {
        self.string()?;
        self.skip_space();
        self.take(b':').then_some(())
    }

    fn string(&mut self) -> Option<()> {
        if !self.take(b'"') {
            return None;
        }
        loop {
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => match self.next()? {
                    b'"' | b'/' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        let [b'0', b'0', high, low, ..] = *self.rest else { return None };
                        if !high.is_ascii_hexdigit() || !low.is_ascii_hexdigit() {
                            return None;
                        }
                        self.rest = &self.rest[4..];
                    }
                    _ => return None,
                },
                // Kea takes raw control characters in strings, which JSON forbids.
                _ => {}
            }
        }
    }

    fn number(&mut self) -> Option<()> {
        let is_part = |octet: &u8| matches!(octet, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let text = self.run(is_part)?;
        let is_number = if text.contains(['.', 'e', 'E']) {
            // A number beyond the range of double is an error to Kea.
            text.parse().is_ok_and(f64::is_finite)
        } else {
            text.parse::<i128>().is_ok()
        };
        is_number.then_some(())
    }

    fn word(&mut self) -> Option<()> {
        matches!(self.run(u8::is_ascii_alphabetic)?, "true" | "false" | "null").then_some(())
    }

    /// Takes these octets, all of them ASCII.
    fn run(&mut self, is_part: impl Fn(&u8) -> bool) -> Option<&str> {
        let len = self.rest.iter().take_while(|octet| is_part(octet)).count();
        let (run, rest) = self.rest.split_at(len);
        self.rest = rest;
        std::str::from_utf8(run).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_by_kea() {
        for text in [
            "{}",
            " {\t} ",
            r#"{"a":1}"#,
            r#"{ "a" : [ ] , "b" : [1,2,] , "c" : {"d":null} }"#,
            r#"{"a":1,"a":2}"#,
            r#"{"a":"\"\/\\\b\f\n\r\t\u00e9"}"#,
            "{\"a\":\"\u{1}\n\0\"}",
            r#"{"a":[-1,+1,.5,5.,1e5,-0,007,170141183460469231731687303715884105727]}"#,
            r#"{"a":[true,false,null]}"#,
        ] {
            assert!(is_map(text.as_bytes()), "{text}");
        }
        assert!(is_map(b"{\"a\":\"\xff\xfe\"}"), "any octets in a string");
        let deep = 100_000;
        assert!(is_map(format!("{{\"a\":{}{}}}", "[".repeat(deep), "]".repeat(deep)).as_bytes()));
    }

    #[test]
    fn no_maps() {
        for text in [
            "",
            " ",
            "[]",
            "1",
            "null",
            "\"a\"",
            "x",
            "{",
            "}",
            "{}{}",
            "{} x",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":[,]}",
            "{\"a\":[1,,]}",
            "{\"a\":[1}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":tru}",
            "{\"a\":True}",
            "{\"a\":nul}",
            "{\"a\":+}",
            "{\"a\":1-2}",
            "{\"a\":-}",
            "{\"a\":.}",
            "{\"a\":1e999}",
            "{\"a\":\"\\u0100\"}",
            "{\"a\":\"\\u00g0\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"b}",
            "{\"a\":1} // x",
            "{\"a\":\"\\",
            "\u{feff}{}",
            "{\"a\":1}\0",
            "{\"a\":inf}",
        ] {
            assert!(!is_map(text.as_bytes()), "{text}");
        }
    }
}
