//! `option-data`: the options that one level of the configuration gives.
//!
//! An option that cannot be encoded hides the outer level's, as in Kea: no option is better than a wrong one.

use std::collections::BTreeSet;

use super::error::{ConfigError, Warning};
use super::hex;
use super::node::Node;
use super::option_def::{Definitions, SPACE};
use super::option_set::OptionSet;
use super::option_table::OF_A_LEASE;

/// Reads the options of one level after another.
pub(super) struct OptionReader<'a> {
    definitions: Definitions<'a>,
    /// Spaces other than DHCPv6's that have options anywhere.
    filled_spaces: BTreeSet<&'a str>,
}

impl<'a> OptionReader<'a> {
    pub(super) fn new(dhcp6: &Node<'a>, warnings: &mut Vec<Warning>) -> Result<Self, ConfigError> {
        let definitions = Definitions::read(dhcp6, warnings)?;
        let mut filled_spaces = BTreeSet::new();
        note_spaces(dhcp6, 0, &mut filled_spaces)?;
        Ok(Self { definitions, filled_spaces })
    }

    /// Reads the options that `level` itself gives.
    pub(super) fn read(
        &self,
        level: &Node<'a>,
        warnings: &mut Vec<Warning>,
    ) -> Result<OptionSet, ConfigError> {
        let mut set = OptionSet::default();
        for node in level.list("option-data")? {
            // Options of other spaces are parts of options here, and are found by `filled_spaces`.
            if space(&node)? != SPACE {
                continue;
            }
            let Some(code) = self.code(&node)? else {
                warnings.push(
                    node.warning("the name of this option is not known, so it is left out; give its code"),
                );
                continue;
            };
            if flag(&node, "never-send")? == Some(true) {
                set.cancel(code);
                continue;
            }
            let error = match self.value(&node, code)? {
                // Versions of Kea differ, and the server cannot know which one runs.
                Ok(value) => match set.give(code, value) {
                    true => continue,
                    false => "it has two values here, of which Kea 2 sends the first and Kea 3 the last; remove one"
                        .to_owned(),
                },
                Err(error) => error,
            };
            // Kea sends a value of this level, so that of an outer level would be wrong.
            set.hide(code);
            warnings.push(node.warning(format_args!("option {code} is left out: {error}")));
        }
        Ok(set)
    }

    /// Reads the codes of all options that `level` mentions.
    pub(super) fn codes(&self, level: &Node<'a>) -> Result<Vec<Mention>, ConfigError> {
        let mut codes = Vec::new();
        for node in level.list("option-data")? {
            if space(&node)? == SPACE
                && let Some(code) = self.code(&node)?
            {
                codes.push(Mention { code, never: flag(&node, "never-send")? == Some(true) });
            }
        }
        Ok(codes)
    }

    /// Returns the code of the option with this name in DHCPv6's space.
    pub(super) fn code_of(&self, name: &str) -> Option<u16> {
        self.definitions.code_of(name)
    }

    fn code(&self, node: &Node<'a>) -> Result<Option<u16>, ConfigError> {
        if let Some(code) = node.key("code")? {
            return code.number(u16::MAX).map(Some);
        }
        let name =
            node.key("name")?.ok_or_else(|| node.error("has neither \"code\" nor \"name\"; give one"))?;
        Ok(self.definitions.code_of(name.text()?))
    }

    /// Encodes an option; the inner error says why it cannot be encoded.
    fn value(&self, node: &Node<'a>, code: u16) -> Result<Result<Vec<u8>, String>, ConfigError> {
        let data = node.key("data")?.map_or(Ok(&b""[..]), |data| data.octets())?;
        let definition = self.definitions.by_code(code);
        // Absent and false differ: without it, Kea decides by whether a definition exists.
        let csv = flag(node, "csv-format")?;
        if OF_A_LEASE.iter().any(|row| row.0 == code) {
            return Ok(Err("it belongs to a lease, not to a subnet; remove it".to_owned()));
        }
        // A value that only some clients get must not be told about all.
        if !node.list("client-classes")?.is_empty() {
            return Ok(Err("only clients of a class get it, and leases do not tell the class".to_owned()));
        }
        let value = match (definition, csv) {
            (Some(definition), None | Some(true)) => definition.encode(data),
            (None, Some(true)) => {
                Err("its format is not known; give its data in hexadecimal and \"csv-format\": \
                                       false, or an option-def"
                    .to_owned())
            }
            (Some(definition), Some(false)) => {
                // Kea re-encodes hexadecimal data by the definition, so misfits leave Kea changed.
                binary(data).and_then(|octets| match definition.fits(&octets) {
                    true => Ok(octets),
                    false => Err(
                        "Kea cuts or changes these octets to fit the format of the option; give the option \
                              by its values"
                            .to_owned(),
                    ),
                })
            }
            (None, _) => binary(data),
        };
        Ok(value.and_then(|value| {
            let holds =
                |space: &&&str| definition.is_some_and(|definition| definition.holds_space(&value, space));
            match self.filled_spaces.iter().find(holds) {
                Some(space) => {
                    Err(format!("it holds the options of space \"{space}\", which lqd does not encode"))
                }
                // The length field of an option has 16 bits (RFC 8415 §21.1).
                None if value.len() > usize::from(u16::MAX) => {
                    Err("it has more than 65535 octets".to_owned())
                }
                None => Ok(value),
            }
        }))
    }
}

/// An option that is mentioned in a place whose values do not count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mention {
    pub(super) code: u16,
    /// The place removes it from all levels.
    pub(super) never: bool,
}

/// Keys of the lists whose items may have `option-data`, at any level.
const LEVELS: [&str; 6] =
    ["shared-networks", "subnet6", "pools", "pd-pools", "reservations", "client-classes"];

/// Deepest of them: a pool of a subnet of a shared network.
const DEEPEST: usize = 3;

/// Collects the spaces that have options at this level, `depth` below the top, or within it.
fn note_spaces<'a>(
    level: &Node<'a>,
    depth: usize,
    spaces: &mut BTreeSet<&'a str>,
) -> Result<(), ConfigError> {
    for node in level.list_if_any("option-data") {
        let space = space(&node)?;
        if space != SPACE {
            spaces.insert(space);
        }
    }
    // The depth is bounded, as a hostile document may nest these lists without end.
    for inner in LEVELS.iter().flat_map(|key| level.list_if_any(key)).filter(|_| depth < DEEPEST) {
        note_spaces(&inner, depth + 1, spaces)?;
    }
    Ok(())
}

fn space<'a>(node: &Node<'a>) -> Result<&'a str, ConfigError> {
    node.key("space")?.map_or(Ok(SPACE), |space| space.text())
}

fn flag<'a>(node: &Node<'a>, key: &'a str) -> Result<Option<bool>, ConfigError> {
    node.key(key)?.map(|flag| flag.flag()).transpose()
}

/// Parses hexadecimal digits, or a text in single quotes.
pub(super) fn binary(data: &[u8]) -> Result<Vec<u8>, String> {
    let trimmed = data.trim_ascii();
    // Quotes mark text in Kea's `data`, even where hexadecimal is expected.
    let quoted = trimmed.strip_prefix(b"'").and_then(|text| text.strip_suffix(b"'"));
    match quoted.filter(|text| !text.is_empty()) {
        Some(text) => Ok(text.to_vec()),
        None => std::str::from_utf8(trimmed)
            .ok()
            .and_then(hex::octets)
            .ok_or_else(|| format!("needs hexadecimal digits, not \"{}\"", String::from_utf8_lossy(data))),
    }
}
