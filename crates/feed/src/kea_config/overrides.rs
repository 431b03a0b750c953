//! Places that may give an option another value than the levels around a lease do: host reservations, client
//! classes, hooks and databases. A lease does not say which of them its client met, so their options are left
//! out.

use std::collections::BTreeSet;
use std::sync::Arc;

use lqd_index::Reservations;

use super::error::{ConfigError, Warning};
use super::node::Node;
use super::option_data::{Mention, OptionReader, binary};
use super::option_set::OptionSet;

/// Kinds of host reservations that count at a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Modes {
    pub(super) global: bool,
    pub(super) in_subnet: bool,
}

impl Modes {
    pub(super) const DEFAULT: Self = Self { global: false, in_subnet: true };

    /// Reads the modes at a level within `outer`, from the flags of Kea 2 and 3 or the mode of older ones.
    pub(super) fn read(level: &Node<'_>, outer: Self) -> Result<Self, ConfigError> {
        let flag = |key| level.key(key)?.map(|flag| flag.flag()).transpose();
        let mode = level.key("reservation-mode")?.map(|mode| mode.text()).transpose()?;
        // The old single setting is read first, and the newer flags override its parts.
        let outer = match mode {
            Some("global") => Self { global: true, in_subnet: false },
            Some("disabled") => Self { global: false, in_subnet: false },
            Some(_) => Self::DEFAULT,
            None => outer,
        };
        Ok(Self {
            global: flag("reservations-global")?.unwrap_or(outer.global),
            in_subnet: flag("reservations-in-subnet")?.unwrap_or(outer.in_subnet),
        })
    }
}

/// Options of the host reservations of a level.
#[derive(Clone, Debug, Default)]
pub(super) struct Reserved {
    pub(super) by_duid: Arc<Reservations>,
    /// Codes for clients that a lease does not identify, by hardware address or `flex-id`.
    pub(super) of_others: BTreeSet<u16>,
}

/// Reads the host reservations of a level.
pub(super) fn reservations<'a>(
    level: &Node<'a>,
    options: &OptionReader<'a>,
) -> Result<Reserved, ConfigError> {
    let mut by_duid = Vec::new();
    let mut of_others = BTreeSet::new();
    for host in level.list("reservations")? {
        let codes: Vec<u16> = options.codes(&host)?.iter().map(|mention| mention.code).collect();
        if codes.is_empty() {
            continue;
        }
        let duid = host.key("duid")?.map(|duid| duid.octets()).transpose()?;
        // A reservation without DUID may match any client by another identifier.
        match duid.and_then(|duid| binary(duid).ok()) {
            Some(duid) => by_duid.push((duid, codes)),
            None => of_others.extend(codes),
        }
    }
    Ok(Reserved { by_duid: Arc::new(Reservations::new(by_duid)), of_others })
}

/// Removes the global options that a client class or a hook may change.
pub(super) fn classes_and_hooks<'a>(
    dhcp6: &Node<'a>,
    options: &OptionReader<'a>,
    global: &mut OptionSet,
    warnings: &mut Vec<Warning>,
) -> Result<(), ConfigError> {
    for class in dhcp6.list_if_any("client-classes") {
        for Mention { code, never } in options.codes(&class)? {
            let there = global.write(code, &mut Vec::new());
            match never {
                // `never-send` in a class removes the option for its clients, so it is certain for none.
                true => global.cancel(code),
                false => global.hide(code),
            }
            if there || never {
                warnings.push(class.warning(format_args!(
                    "option {code} is left out where only the global options give it, since leases do not tell \
                     which clients are in this class; give it to subnets or pools"
                )));
            }
        }
    }
    // The hook can add, replace or remove options by an expression, for any client.
    for hook in hooks(dhcp6, "libdhcp_flex_option.so") {
        for option in hook.key("parameters")?.map(|all| all.list_if_any("options")).unwrap_or_default() {
            let code = option.key("code")?.map(|code| code.number(u16::MAX)).transpose()?;
            let named =
                || option.key("name").ok().flatten().and_then(|name| options.code_of(name.text().ok()?));
            // A hook that names an unknown option cannot change one that is served.
            if let Some(code) = code.or_else(named) {
                global.cancel(code);
                warnings
                    .push(option.warning(format_args!("option {code} is left out: this hook may change it")));
            }
        }
    }
    Ok(())
}

/// A place outside the configuration that may give any client any option: a database of hosts, or RADIUS.
pub(super) fn hosts_elsewhere<'a>(dhcp6: &Node<'a>) -> Result<Option<Node<'a>>, ConfigError> {
    let database = dhcp6.key("hosts-database")?;
    let databases = database.into_iter().chain(dhcp6.list_if_any("hosts-databases"));
    Ok(databases.chain(hooks(dhcp6, "libdhcp_radius.so")).next())
}

/// The databases that hold parts of the configuration.
pub(super) fn config_databases<'a>(dhcp6: &Node<'a>) -> Result<Option<Node<'a>>, ConfigError> {
    let Some(control) = dhcp6.key("config-control")? else { return Ok(None) };
    let Some(databases) = control.key("config-databases")? else { return Ok(None) };
    // An empty list names no database.
    Ok(Some(databases).filter(|databases| !databases.list_is_empty()))
}

/// Hook libraries with this file name.
fn hooks<'a>(dhcp6: &Node<'a>, library: &str) -> impl Iterator<Item = Node<'a>> {
    dhcp6.list_if_any("hooks-libraries").into_iter().filter(move |hook| {
        // The name may carry a folder, and Kea 3 accepts it without.
        let name = hook.key("library").ok().flatten();
        name.and_then(|name| name.text().ok()).is_some_and(|name| name.ends_with(library))
    })
}
