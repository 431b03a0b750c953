//! The configuration file (TOML), whose keys are the flags.

use std::fmt::Display;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use lqd_feed::{Access, OUT_OF_REACH, is_out_of_reach};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Flags, SettingsError, access};

/// Longest file in bytes; one with every setting has a hundredth of that.
const LEN_MAX: u64 = 1 << 20;

/// Reads the file at `path`; paths in it start from its folder.
pub(super) fn read(path: &Path) -> Result<Flags, SettingsError> {
    let unreadable = |kind, cause: &dyn Display| {
        let cause = match is_out_of_reach(path, kind, Access::Read) {
            true => OUT_OF_REACH.to_owned(),
            false => format!("cannot be read: {cause}; name a file that lqd may read with --config"),
        };
        SettingsError::Unreadable { file: path.to_owned(), kind, cause }
    };
    let mut octets = Vec::new();
    let opened = File::open(path).and_then(|file| file.take(LEN_MAX + 1).read_to_end(&mut octets));
    opened.map_err(|cause| unreadable(cause.kind(), &cause))?;
    if octets.len() as u64 > LEN_MAX {
        let cause = "it is longer than 1 MiB, which no configuration is";
        return Err(unreadable(ErrorKind::InvalidData, &cause));
    }
    let text = std::str::from_utf8(&octets).map_err(|fault| {
        let good = str::from_utf8(&octets[..fault.valid_up_to()]).unwrap_or_default();
        at(path, good, good.len(), "is not UTF-8; save the file as UTF-8".to_owned())
    })?;
    let mut flags: Flags = toml::from_str(text).map_err(|fault| located(path, text, &fault))?;
    if let Err((place, fault)) = access::check(flags.access.as_deref().unwrap_or_default()) {
        return Err(at(path, text, place.start, fault));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let paths = [
        &mut flags.kea_config,
        &mut flags.kea_leases,
        &mut flags.tls_certificate,
        &mut flags.tls_key,
        &mut flags.tls_ca,
    ];
    for path in paths.into_iter().flatten() {
        *path = folder.join(PathBuf::from(&*path));
    }
    flags.source.iter_mut().flatten().for_each(|source| source.below(folder));
    if let Some(target) = &mut flags.query_log {
        target.below(folder);
    }
    Ok(flags)
}

/// Converts an error of the parser: adds its place, and the key of its value.
fn located(path: &Path, text: &str, fault: &toml::de::Error) -> SettingsError {
    let start = fault.span().map_or(0, |span| span.start);
    let message = fault.message();
    let table = DeTable::parse(text).ok();
    let keys = table.as_ref().and_then(|table| keys_to(table.get_ref(), start)).unwrap_or_default();
    at(path, text, start, format!("{keys}{message}"))
}

/// Returns the path of keys, each followed by a colon, to the value at byte `start`.
fn keys_to(table: &DeTable<'_>, start: usize) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        if key.span().contains(&start) {
            return Some(String::new());
        }
        // The span of a table below [[header]] does not contain its keys.
        let inner =
            |value: &Spanned<DeValue<'_>>| value.get_ref().as_table().and_then(|table| keys_to(table, start));
        let below = match value.get_ref() {
            DeValue::Array(rows) => rows.iter().find_map(inner),
            _ => inner(value),
        };
        let here = value.span().contains(&start).then(String::new);
        let is_here = |value: &Spanned<DeValue<'_>>| value.span().contains(&start);
        let here = here.or_else(|| value.get_ref().as_array()?.iter().any(is_here).then(String::new));
        below.or(here).map(|below| format!("{}: {below}", key.get_ref()))
    })
}

/// Returns an error at byte `offset` of `text`.
fn at(path: &Path, text: &str, offset: usize, fault: String) -> SettingsError {
    let before = text.get(..offset).unwrap_or(text);
    let (line, column) =
        before.split('\n').fold((0, 0), |(line, _), last| (line + 1, last.chars().count() + 1));
    SettingsError::Text { file: path.to_owned(), line, column, fault }
}
