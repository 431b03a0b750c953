//! Formats of options: Kea's standard ones and those that a configuration defines.

use std::borrow::Cow;

use super::error::{ConfigError, Warning};
use super::node::Node;
use super::option_field::Field;
use super::option_table::{ENCAPSULATES, OF_A_LEASE, STANDARD};

/// Name of the space of DHCPv6's own options.
pub(super) const SPACE: &str = "dhcp6";

/// Format of one option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Definition<'a> {
    pub(super) code: u16,
    name: &'a str,
    fields: Cow<'static, [Field]>,
    /// The last field repeats.
    array: bool,
    /// The space whose options follow the fields.
    encapsulates: Option<&'a str>,
}

/// Formats of a configuration.
pub(super) struct Definitions<'a>(Vec<Definition<'a>>);

impl<'a> Definitions<'a> {
    /// Reads `option-def`; definitions of other spaces than DHCPv6's are ignored.
    pub(super) fn read(dhcp6: &Node<'a>, warnings: &mut Vec<Warning>) -> Result<Self, ConfigError> {
        let mut all = Vec::new();
        for node in dhcp6.list("option-def")? {
            let space = node.key("space")?.map_or(Ok(SPACE), |space| space.text())?;
            // Options of other spaces are never sent by themselves.
            if space != SPACE {
                continue;
            }
            match definition(&node)? {
                // The own definitions come before the standard ones, since the first match counts.
                Some(definition) => all.push(definition),
                None => warnings.push(node.warning(
                    "a type of this option is not known; options of this definition are left out unless they \
                     are given in hexadecimal with \"csv-format\": false",
                )),
            }
        }
        let encapsulates = |code| ENCAPSULATES.iter().find(|row| row.0 == code).map(|row| row.1);
        all.extend(STANDARD.iter().map(|&(code, name, fields, array)| Definition {
            code,
            name,
            fields: Cow::Borrowed(fields),
            array,
            encapsulates: encapsulates(code),
        }));
        Ok(Self(all))
    }

    /// Returns the format of an option; the configuration's own come first, as in Kea.
    pub(super) fn by_code(&self, code: u16) -> Option<&Definition<'a>> {
        self.0.iter().find(|definition| definition.code == code)
    }

    /// Returns the code of the option with this name.
    pub(super) fn code_of(&self, name: &str) -> Option<u16> {
        let defined =
            self.0.iter().find(|definition| definition.name == name).map(|definition| definition.code);
        // Options of a lease have no format here, but they can be named, and are then refused.
        defined.or_else(|| OF_A_LEASE.iter().find(|row| row.1 == name).map(|row| row.0))
    }
}

fn definition<'a>(node: &Node<'a>) -> Result<Option<Definition<'a>>, ConfigError> {
    let kind = node.required("type")?.text()?;
    let types = match kind {
        "empty" => "",
        "record" => node.required("record-types")?.text()?,
        simple => simple,
    };
    let names = types.split(',').map(str::trim).filter(|name| !name.is_empty());
    // An unknown type leaves out the options of this definition, not the whole configuration.
    let Some(fields) = names.map(Field::named).collect::<Option<Vec<_>>>() else { return Ok(None) };
    let encapsulates = node.key("encapsulate")?.map(|space| space.text()).transpose()?;
    Ok(Some(Definition {
        code: node.required("code")?.number(u16::MAX)?,
        name: node.required("name")?.text()?,
        fields: Cow::Owned(fields),
        array: node.key("array")?.map_or(Ok(false), |array| array.flag())?,
        encapsulates: encapsulates.filter(|space| !space.is_empty()),
    }))
}

impl Definition<'_> {
    /// Whether options of this space are part of an option with this value.
    pub(super) fn holds_space(&self, value: &[u8], space: &str) -> bool {
        // The space of vendor options depends on the enterprise number in their value.
        let vendor = || {
            let enterprise = u32::from_be_bytes(*value.first_chunk()?);
            Some(space == format!("vendor-{enterprise}"))
        };
        self.encapsulates == Some(space) || (self.code == VENDOR_OPTS && vendor() == Some(true))
    }

    /// Encodes the values in `data`, separated by commas.
    ///
    /// # Errors
    /// Text of the fault, with the fix.
    pub(super) fn encode(&self, data: &[u8]) -> Result<Vec<u8>, String> {
        let values = values(data);
        let Some(&last) = self.fields.last() else {
            return if values.is_empty() {
                Ok(Vec::new())
            } else {
                Err("takes no data; remove it".to_owned())
            };
        };
        let fields = self.fields.len();
        if values.len() < fields {
            let data = String::from_utf8_lossy(data);
            return Err(format!("needs {fields} value(s) separated by commas, not \"{data}\""));
        }
        if self.array && *self.fields == [Field::Ipv4Address] {
            return Err("Kea does not send lists of IPv4 addresses over DHCPv6; use a record".to_owned());
        }
        // Kea ignores surplus values, as in a text with commas that are not escaped.
        let used = if self.array { values.len() } else { fields };
        let mut out = Vec::new();
        for (value, field) in
            values[..used].iter().zip(self.fields.iter().copied().chain(std::iter::repeat(last)))
        {
            let wanted =
                || format!("needs {} where it has \"{}\"", field.wanted(), String::from_utf8_lossy(value));
            field.encode(value, &mut out).ok_or_else(wanted)?;
        }
        Ok(out)
    }

    /// Whether Kea sends octets given in hexadecimal as they are: it cuts those that the format has no place
    /// for.
    pub(super) fn fits(&self, octets: &[u8]) -> bool {
        let mut rest = octets;
        let mut fields = self.fields.iter();
        let again = self.fields.last().filter(|_| self.array);
        // The last field of an array repeats as long as octets are left.
        while let Some(field) = fields.next().or(again.filter(|_| !rest.is_empty())) {
            let Some(len) = field.len(rest) else { return false };
            rest = &rest[len..];
        }
        rest.is_empty()
    }
}

/// OPTION_VENDOR_OPTS (RFC 8415 §21.17).
const VENDOR_OPTS: u16 = 17;

/// Splits a text into values: separated by commas, empty ones dropped, blanks around them cut.
///
/// A backslash before a comma or another backslash makes it part of the value; one before anything else is a
/// backslash.
fn values(data: &[u8]) -> Vec<Vec<u8>> {
    let mut values = vec![Vec::new()];
    let mut escaped = false;
    for &octet in data {
        let value = values.last_mut().expect("never empty");
        match octet {
            // An escaped comma is part of the value.
            b',' if escaped => value.push(b','),
            b',' => values.push(Vec::new()),
            b'\\' if escaped => value.push(b'\\'),
            b'\\' => {
                escaped = true;
                continue;
            }
            octet => {
                // A backslash before an ordinary character stands for itself.
                value.extend(escaped.then_some(b'\\'));
                value.push(octet);
            }
        }
        escaped = false;
    }
    // So does one at the very end.
    values.last_mut().expect("never empty").extend(escaped.then_some(b'\\'));
    // Kea's splitter drops empty values before it trims, so blanks alone remain a value.
    values.retain(|value| !value.is_empty());
    values.iter().map(|value| trim(value).to_vec()).collect()
}

fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\n', rest @ ..] | [rest @ .., b' ' | b'\t' | b'\n'] = value {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_split_at_commas_by_one_rule_for_backslashes() {
        let rows: [(&str, &[&str]); 14] = [
            ("a, b ,c", &["a", "b", "c"]),
            (r"a\,b,c", &["a,b", "c"]),
            (r"a\b", &[r"a\b"]),
            (r"a\\b", &[r"a\b"]),
            (r"a\\,b", &[r"a\", "b"]),
            (r"a\\\,b", &[r"a\,b"]),
            (r"a\", &[r"a\"]),
            (r"\", &[r"\"]),
            (r",\,x", &[",x"]),
            (r"\ a", &[r"\ a"]),
            (",a,,b,", &["a", "b"]),
            ("a, ,b", &["a", "", "b"]),
            ("\ta\n,\rb", &["a", "\rb"]),
            ("", &[]),
        ];
        for (text, want) in rows {
            let want: Vec<_> = want.iter().map(|value| value.as_bytes().to_vec()).collect();
            assert_eq!(values(text.as_bytes()), want, "{text:?}");
        }
    }
}
