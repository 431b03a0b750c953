//! The configuration file: TOML whose keys are the flags.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::{Flags, SettingsError};

/// Longest file read, octets; a file with every setting is a hundredth of that.
const LEN_MAX: u64 = 1 << 20;

/// Reads the file at `path`; paths in it start from its folder.
pub(super) fn read(path: &Path) -> Result<Flags, SettingsError> {
    let unreadable = |cause: String| SettingsError::Unreadable { file: path.to_owned(), cause };
    let mut octets = Vec::new();
    let opened = File::open(path).and_then(|file| file.take(LEN_MAX + 1).read_to_end(&mut octets));
    opened.map_err(|cause| unreadable(cause.to_string()))?;
    if octets.len() as u64 > LEN_MAX {
        return Err(unreadable("it is longer than 1 MiB, which no configuration is".to_owned()));
    }
    let text = std::str::from_utf8(&octets).map_err(|fault| {
        let good = str::from_utf8(&octets[..fault.valid_up_to()]).unwrap_or_default();
        at(path, good, good.len(), "is not UTF-8; save the file as UTF-8".to_owned())
    })?;
    let mut flags: Flags = toml::from_str(text).map_err(|fault| located(path, text, &fault))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    for path in [&mut flags.kea_config, &mut flags.kea_leases].into_iter().flatten() {
        *path = folder.join(PathBuf::from(&*path));
    }
    Ok(flags)
}

/// The fault with its place, and with the key whose value it is in.
fn located(path: &Path, text: &str, fault: &toml::de::Error) -> SettingsError {
    let start = fault.span().map_or(0, |span| span.start);
    let message = fault.message();
    let table = DeTable::parse(text).ok();
    let key = table.as_ref().and_then(|table| {
        let (key, _) = table.get_ref().iter().find(|(_, value)| value.span().contains(&start))?;
        Some(key.get_ref())
    });
    at(path, text, start, key.map_or_else(|| message.to_owned(), |key| format!("{key}: {message}")))
}

/// The fault at octet `offset` of `text`.
fn at(path: &Path, text: &str, offset: usize, fault: String) -> SettingsError {
    let before = text.get(..offset).unwrap_or(text);
    let (line, column) =
        before.split('\n').fold((0, 0), |(line, _), last| (line + 1, last.chars().count() + 1));
    SettingsError::Text { file: path.to_owned(), line, column, fault }
}
