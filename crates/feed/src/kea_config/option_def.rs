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

/// All formats of a configuration.
pub(super) struct Definitions<'a>(Vec<Definition<'a>>);

impl<'a> Definitions<'a> {
    /// Reads `option-def`; those of other spaces than DHCPv6's are passed over.
    pub(super) fn read(dhcp6: &Node<'a>, warnings: &mut Vec<Warning>) -> Result<Self, ConfigError> {
        let mut all = Vec::new();
        for node in dhcp6.list("option-def")? {
            let space = node.key("space")?.map_or(Ok(SPACE), |space| space.text())?;
            if space != SPACE {
                continue;
            }
            match definition(&node)? {
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

    /// The format of an option; the configuration's own come first, as in Kea.
    pub(super) fn by_code(&self, code: u16) -> Option<&Definition<'a>> {
        self.0.iter().find(|definition| definition.code == code)
    }

    /// The code of an option.
    pub(super) fn code_of(&self, name: &str) -> Option<u16> {
        let defined =
            self.0.iter().find(|definition| definition.name == name).map(|definition| definition.code);
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
        let vendor = || {
            let enterprise = u32::from_be_bytes(*value.first_chunk()?);
            Some(space == format!("vendor-{enterprise}"))
        };
        self.encapsulates == Some(space) || (self.code == VENDOR_OPTS && vendor() == Some(true))
    }

    /// Octets of the values in `text`, separated by commas; says what is wrong with it.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u8>, String> {
        let values = values(text);
        let Some(&last) = self.fields.last() else {
            return if values.is_empty() {
                Ok(Vec::new())
            } else {
                Err("takes no data; remove it".to_owned())
            };
        };
        let fields = self.fields.len();
        if values.len() < fields {
            return Err(format!("needs {fields} value(s) separated by commas, not \"{text}\""));
        }
        // Kea ignores what is left over, as in a text with commas that are not escaped.
        let used = if self.array { values.len() } else { fields };
        let mut out = Vec::new();
        for (value, field) in
            values[..used].iter().zip(self.fields.iter().copied().chain(std::iter::repeat(last)))
        {
            let wanted = || format!("needs {} where it has \"{value}\"", field.wanted());
            field.encode(value, &mut out).ok_or_else(wanted)?;
        }
        Ok(out)
    }
}

/// OPTION_VENDOR_OPTS (RFC 8415 §21.17), which can stand once for each enterprise.
pub(super) const VENDOR_OPTS: u16 = 17;

/// The values of a text: separated by commas, empty ones dropped; `\,` is a comma of the value.
fn values(text: &str) -> Vec<String> {
    let mut values = vec![String::new()];
    let mut rest = text.chars().peekable();
    while let Some(char) = rest.next() {
        let escaped = char == '\\' && rest.next_if_eq(&',').is_some();
        match char {
            ',' => values.push(String::new()),
            _ => values.last_mut().expect("never empty").push(if escaped { ',' } else { char }),
        }
    }
    values.retain(|value| !value.is_empty());
    values.iter_mut().for_each(|value| *value = value.trim().to_owned());
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_split_at_commas_that_are_not_escaped() {
        let rows: [(&str, &[&str]); 6] = [
            ("a, b ,c", &["a", "b", "c"]),
            (r"a\,b,c", &["a,b", "c"]),
            (r"a\b", &[r"a\b"]),
            (r"a\", &[r"a\"]),
            (",a,,b,", &["a", "b"]),
            ("", &[]),
        ];
        for (text, want) in rows {
            assert_eq!(values(text), want, "{text:?}");
        }
    }
}
