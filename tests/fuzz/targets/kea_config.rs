//! Random text as Kea configuration: valid links, or an error that names its fix and position.
#![no_main]
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;

use libfuzzer_sys::{Corpus, fuzz_target};
use lqd_feed::kea_config::{self, ConfigError, Document, KeaConfig, TextPosition};
use lqd_index::{Link, Links, Prefix};
use lqd_wire::Options;
use serde_json::Value;
use tempfile::TempDir;

/// Contents of files that the text may include, by any of [`NAMES`].
const INCLUDED: &str = "{ \"id\": 9, \"subnet\": \"2001:db8:9::/64\" } // the end of it";
const NAMES: [&str; 3] = ["a", "subnets.json", "options.json"];

/// A directory for the text under test and the files it may include; removed when dropped.
struct Etc {
    _directory: TempDir,
    file: PathBuf,
}

impl Etc {
    fn new() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        for name in NAMES {
            // Written once, as only the text under test changes.
            fs::write(directory.path().join(name), INCLUDED).expect("a file to include");
        }
        let file = directory.path().join("kea-dhcp6.conf");
        Self { _directory: directory, file }
    }

    fn read(&self, text: &[u8]) -> Result<Document, ConfigError> {
        fs::write(&self.file, text).expect("a file in a directory of our own");
        kea_config::read(&self.file)
    }
}

/// Included files must be ours: a device or a pipe elsewhere on this machine would not test the parser.
fn includes_elsewhere(text: &[u8]) -> bool {
    let mut includes = text.split(|&octet| octet == b'<').filter(|rest| rest.starts_with(b"?"));
    // Every include, even in a comment or a string.
    includes.any(|rest| {
        let name = rest.split(|&octet| octet == b'"').nth(1).unwrap_or_default();
        name.contains(&b'/')
    })
}

/// Checks that every error has a text; one in the text has a position.
fn check_error(error: &ConfigError, text: &[u8]) {
    assert!(!error.to_string().is_empty());
    let (ConfigError::Text { place, reason } | ConfigError::Value { place, reason, .. }) = error else {
        return;
    };
    assert!(!reason.is_empty());
    let included = place.file.file_name().is_some_and(|name| NAMES.iter().any(|&known| name == known));
    // The position must be in the file that it names.
    check_place(place, if included { INCLUDED.as_bytes() } else { text });
}

fn check_place(place: &TextPosition, text: &[u8]) {
    let mut lines = text.split(|&octet| octet == b'\n');
    let line = place.line.checked_sub(1).and_then(|before| lines.nth(before));
    let line = line.unwrap_or_else(|| panic!("{place} is behind the end of the text"));
    // One more, as an error may be behind the last character.
    let columns = String::from_utf8_lossy(line).chars().count() + 1;
    assert!((1..=columns).contains(&place.column), "{place}: that line ends at {columns}");
}

/// Checks that plain JSON is accepted, except for escapes of whole characters, which Kea rejects.
fn check_plain(read: &Result<Document, ConfigError>, text: &[u8]) {
    // Kea refuses some escapes that JSON allows.
    if !text.windows(2).any(|pair| pair == b"\\u") && serde_json::from_slice::<Value>(text).is_ok() {
        read.as_ref().unwrap_or_else(|error| panic!("plain JSON: {error}"));
    }
}

fn check_links(links: &[Link]) {
    for subnet in links.iter().flat_map(|link| &link.subnets) {
        for &Prefix { address, len } in subnet.pd_pools.iter().chain([&subnet.prefix]) {
            // Host bits would make lookups miss.
            let beyond = u128::MAX.checked_shr(len.into()).unwrap_or(0);
            assert!(len <= 128 && u128::from(address) & beyond == 0, "{address}/{len} has host bits");
        }
        let options = &subnet.options;
        let pools = options.pools.iter().chain(&options.pd_pools).map(|pool| &pool.given);
        for given in pools.chain([&options.given]) {
            assert_eq!(Options::new(given).validate(), Ok(()), "options of subnet {}", subnet.id);
        }
    }
    // Links may be refused, but with a reason.
    if let Err(fault) = Links::new(links.to_vec()) {
        assert!(!fault.to_string().is_empty());
    }
}

thread_local! {
    static ETC: RefCell<Etc> = RefCell::new(Etc::new());
}

fuzz_target!(|text: &[u8]| -> Corpus {
    // The fuzzer must not learn paths of this machine.
    if includes_elsewhere(text) {
        return Corpus::Reject;
    }
    let read = ETC.with_borrow(|etc| etc.read(text));
    check_plain(&read, text);
    match read.and_then(|document| KeaConfig::from_document(&document, None)) {
        Ok(kea) => {
            check_links(&kea.links);
            assert!(kea.warnings.iter().all(|warning| !warning.text.is_empty()));
        }
        Err(error) => check_error(&error, text),
    }
    Corpus::Keep
});
