//! `option-data`: what the clients of a subnet are given, from global, shared-network and subnet level.
//!
//! Pools, client classes and reservations can give options too; which of them a client fell into is not in
//! the lease, so those are not answered from. An option that cannot be encoded hides the outer level's, as it
//! does in Kea: no answer is better than the wrong one.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{ConfigError, Warning};
use super::hex;
use super::node::Node;
use super::option_def::{Definitions, SPACE, VENDOR_OPTS};
use super::option_table::OF_A_LEASE;

/// An option code, and the enterprise number for vendor-opts, else 0.
type Key = (u16, u32);

/// Reads the options of one level after another.
pub(super) struct OptionReader<'a> {
    definitions: Definitions<'a>,
    /// Spaces other than DHCPv6's that have options anywhere.
    filled_spaces: BTreeSet<&'a str>,
}

/// The options in force at a level.
#[derive(Clone, Debug, Default)]
pub(super) struct OptionSet {
    /// `None` for an option that is configured but not served.
    values: BTreeMap<Key, Option<Vec<u8>>>,
    /// Options with `never-send` at this level or outside it; inner levels cannot take that back.
    never: BTreeSet<u16>,
}

impl OptionSet {
    /// Code, length and value of each option, ascending by code.
    pub(super) fn wire(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let sent = self.values.iter().filter(|((code, _), _)| !self.never.contains(code));
        for (&(code, _), value) in sent {
            let Some((value, len)) =
                value.as_ref().and_then(|value| Some((value, u16::try_from(value.len()).ok()?)))
            else {
                continue;
            };
            out.extend(code.to_be_bytes());
            out.extend(len.to_be_bytes());
            out.extend(value);
        }
        out
    }
}

impl<'a> OptionReader<'a> {
    pub(super) fn new(dhcp6: &Node<'a>, warnings: &mut Vec<Warning>) -> Result<Self, ConfigError> {
        let definitions = Definitions::read(dhcp6, warnings)?;
        let mut filled_spaces = BTreeSet::new();
        note_spaces(dhcp6, &mut filled_spaces)?;
        Ok(Self { definitions, filled_spaces })
    }

    /// The options in force at `level`, which lies within `outer`.
    pub(super) fn read(
        &self,
        level: &Node<'a>,
        outer: &OptionSet,
        warnings: &mut Vec<Warning>,
    ) -> Result<OptionSet, ConfigError> {
        let mut set = outer.clone();
        let mut here = BTreeSet::new();
        for node in level.list("option-data")? {
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
                set.never.insert(code);
                continue;
            }
            let value = self.value(&node, code)?;
            let (value, fault) = value.map_or_else(|fault| (None, Some(fault)), |value| (Some(value), None));
            warnings
                .extend(fault.map(|fault| node.warning(format_args!("option {code} is left out: {fault}"))));
            let key = key(code, value.as_deref());
            // Of several at one level Kea sends the first.
            if here.insert(key) {
                set.values.insert(key, value);
            }
        }
        Ok(set)
    }

    fn code(&self, node: &Node<'a>) -> Result<Option<u16>, ConfigError> {
        if let Some(code) = node.key("code")? {
            return code.number(u16::MAX).map(Some);
        }
        let name =
            node.key("name")?.ok_or_else(|| node.fault("has neither \"code\" nor \"name\"; give one"))?;
        Ok(self.definitions.code_of(name.text()?))
    }

    /// The octets of an option, or why it has none.
    fn value(&self, node: &Node<'a>, code: u16) -> Result<Result<Vec<u8>, String>, ConfigError> {
        let data = node.key("data")?.map_or(Ok(&b""[..]), |data| data.octets())?;
        let definition = self.definitions.by_code(code);
        let csv = flag(node, "csv-format")?;
        if OF_A_LEASE.iter().any(|row| row.0 == code) {
            return Ok(Err("it belongs to a lease, not to a subnet; remove it".to_owned()));
        }
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
                None if value.len() > usize::from(u16::MAX) => {
                    Err("it has more than 65535 octets".to_owned())
                }
                None => Ok(value),
            }
        }))
    }
}

/// Notes the spaces that have options at any level that is read.
fn note_spaces<'a>(level: &Node<'a>, spaces: &mut BTreeSet<&'a str>) -> Result<(), ConfigError> {
    for node in level.list("option-data")? {
        let space = space(&node)?;
        if space != SPACE {
            spaces.insert(space);
        }
    }
    for inner in level.list("shared-networks")?.into_iter().chain(level.list("subnet6")?) {
        note_spaces(&inner, spaces)?;
    }
    Ok(())
}

fn space<'a>(node: &Node<'a>) -> Result<&'a str, ConfigError> {
    node.key("space")?.map_or(Ok(SPACE), |space| space.text())
}

fn flag<'a>(node: &Node<'a>, key: &'a str) -> Result<Option<bool>, ConfigError> {
    node.key(key)?.map(|flag| flag.flag()).transpose()
}

fn key(code: u16, value: Option<&[u8]>) -> Key {
    let enterprise = value.filter(|_| code == VENDOR_OPTS).and_then(<[u8]>::first_chunk);
    (code, enterprise.map_or(0, |&octets| u32::from_be_bytes(octets)))
}

/// Hexadecimal digits, or a text in single quotes.
fn binary(data: &[u8]) -> Result<Vec<u8>, String> {
    let trimmed = data.trim_ascii();
    let quoted = trimmed.strip_prefix(b"'").and_then(|text| text.strip_suffix(b"'"));
    match quoted.filter(|text| !text.is_empty()) {
        Some(text) => Ok(text.to_vec()),
        None => std::str::from_utf8(trimmed)
            .ok()
            .and_then(hex::octets)
            .ok_or_else(|| format!("needs hexadecimal digits, not \"{}\"", String::from_utf8_lossy(data))),
    }
}
