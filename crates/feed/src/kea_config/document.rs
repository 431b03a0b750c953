//! A configuration and the files it includes, as one tree of values that know where they came from.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::confinement::{Access, OUT_OF_REACH, is_out_of_reach};

use super::error::{ConfigError, Place, Warning};
use super::lexer::{Token, token};
use super::tree::{Builder, Offset, Tree, ValueId};

/// Most octets of a configuration with all that it includes. A million subnets fit; a wrong file does not eat
/// the memory.
const OCTETS_MAX: usize = 256 << 20;
/// Most files within files, as in Kea.
const DEPTH_MAX: usize = 11;
/// Most inclusions in all: files that include twice what includes twice … must end.
const INCLUDES_MAX: usize = 10_000;

/// A configuration, includes expanded.
#[derive(Debug)]
pub struct Document {
    tree: Tree,
    sources: Vec<Arc<Source>>,
    includes: Vec<Include>,
}

/// One `<?include "…"?>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Include {
    /// Where it is written.
    pub place: Place,
    /// The name as written.
    pub name: String,
    /// The file that was taken for it.
    pub taken: PathBuf,
}

/// A configuration that is being read.
#[derive(Debug, Default)]
struct Reading {
    builder: Builder,
    sources: Vec<Arc<Source>>,
    includes: Vec<Include>,
    octets_read: usize,
}

#[derive(Debug)]
struct Source {
    path: PathBuf,
    text: Vec<u8>,
}

/// Reads a configuration of Kea and the files that it includes.
///
/// A relative name in `<?include?>` means a file in the working directory, as in Kea; as that of Kea's
/// service is not known here, the folder of the including file is tried next, and [`Document::includes`] says
/// which was taken.
pub fn read(path: impl AsRef<Path>) -> Result<Document, ConfigError> {
    let mut reading = Reading::default();
    let path = path.as_ref();
    reading.file(path, load(path, OCTETS_MAX)?, &mut Vec::new())?;
    let Reading { builder, sources, includes, .. } = reading;
    let end = sources[0].text.len(); // the first source is the outermost
    let tree = builder.finish().map_err(|expected| syntax_error(sources[0].place(end), expected))?;
    Ok(Document { tree, sources, includes })
}

impl Document {
    /// The values.
    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The inclusions, in the order of the text.
    pub fn includes(&self) -> &[Include] {
        &self.includes
    }

    /// The place of the first octet of a value.
    pub(super) fn place(&self, value: ValueId) -> Place {
        let Offset { source, octet } = self.tree.offset(value);
        self.sources[source as usize].place(octet as usize)
    }

    /// Which file was taken for a name that Kea may take another for.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        let relative = self.includes().iter().filter(|include| Path::new(&include.name).is_relative());
        relative
            .map(|Include { place, name, taken }| Warning {
                path: place.to_string(),
                text: format!(
                    "\"{name}\" was read from {}; Kea looks in the working directory of its service, write \
                     the full path so that both take the same file",
                    taken.display()
                ),
            })
            .collect()
    }
}

impl Reading {
    /// Takes the tokens of a file and of what it includes; `open` are the files being read, outermost first.
    fn file(&mut self, path: &Path, text: Vec<u8>, open: &mut Vec<PathBuf>) -> Result<(), ConfigError> {
        self.octets_read += text.len();
        let source = Arc::new(Source { path: path.to_owned(), text });
        let number = self.sources.len() as u32; // at most INCLUDES_MAX + 1
        self.sources.push(Arc::clone(&source));
        open.push(identity(path));
        let mut at = 0;
        while at < source.text.len() {
            let place = || source.place(at);
            let (token, len) = token(&source.text[at..]).map_err(|fault| text_error(place(), fault))?;
            match token {
                Token::Include(name) => self.include(name, place(), open)?,
                token => {
                    let offset = Offset { source: number, octet: at as u32 }; // below OCTETS_MAX
                    self.builder.push(token, offset).map_err(|fault| syntax_error(place(), fault))?;
                }
            }
            at += len;
        }
        open.pop();
        Ok(())
    }

    fn include(&mut self, name: &[u8], place: Place, open: &mut Vec<PathBuf>) -> Result<(), ConfigError> {
        let file = Path::new(OsStr::from_bytes(name));
        let name = file.display().to_string();
        if open.len() > DEPTH_MAX {
            return Err(text_error(
                place,
                format!("more than {DEPTH_MAX} includes within each other; put fewer"),
            ));
        }
        if self.includes.len() == INCLUDES_MAX {
            return Err(text_error(
                place,
                format!("more than {INCLUDES_MAX} includes; join some of the files"),
            ));
        }
        let left = OCTETS_MAX - self.octets_read;
        let (taken, text) = find(file, &place, left)?;
        if open.contains(&identity(&taken)) {
            let fault =
                format!("\"{name}\" includes itself, directly or through others; remove one of the includes");
            return Err(text_error(place, fault));
        }
        self.includes.push(Include { place, name, taken: taken.clone() });
        self.file(&taken, text, open)
    }
}

impl Source {
    fn place(&self, offset: usize) -> Place {
        let before = &self.text[..offset.min(self.text.len())];
        let line_start = before.iter().rposition(|&octet| octet == b'\n').map_or(0, |newline| newline + 1);
        let line = before.iter().filter(|&&octet| octet == b'\n').count() + 1;
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        Place { file: self.path.clone(), line, column }
    }
}

/// The file that an include means, and its text.
fn find(file: &Path, place: &Place, left: usize) -> Result<(PathBuf, Vec<u8>), ConfigError> {
    let beside = place.file.parent().unwrap_or(Path::new("")).join(file);
    for candidate in [file, &beside] {
        if candidate.try_exists().unwrap_or(true) {
            return Ok((candidate.to_owned(), load(candidate, left)?));
        }
    }
    let name = file.display();
    let fault = match file.is_absolute() {
        true => format!("there is no file \"{name}\"; fix the include"),
        false => format!(
            "there is no file \"{name}\" in the working directory nor beside this file; write the full path"
        ),
    };
    Err(text_error(place.clone(), fault))
}

/// Reads a whole file of at most `left` octets.
fn load(path: &Path, left: usize) -> Result<Vec<u8>, ConfigError> {
    let error = |kind, fault| ConfigError::File { file: path.to_owned(), kind, fault };
    let cannot = |cause: std::io::Error| error(cause.kind(), unreadable(path, &cause));
    let file = File::open(path).map_err(cannot)?;
    if file.metadata().map_err(cannot)?.is_dir() {
        return Err(error(
            ErrorKind::IsADirectory,
            "is a folder; name the configuration file in it".to_owned(),
        ));
    }
    let mut text = Vec::new();
    file.take(left as u64 + 1).read_to_end(&mut text).map_err(cannot)?;
    match text.len() > left {
        true => Err(error(
            ErrorKind::InvalidData,
            format!("is too large (with all includes, {OCTETS_MAX} octets are read); give Kea's own file"),
        )),
        false => Ok(text),
    }
}

fn unreadable(path: &Path, cause: &std::io::Error) -> String {
    match cause.kind() {
        kind if is_out_of_reach(path, kind, Access::Read) => OUT_OF_REACH.to_owned(),
        ErrorKind::NotFound => "there is no such file; name Kea's DHCPv6 configuration".to_owned(),
        ErrorKind::PermissionDenied => {
            "may not be read; run lqd in the group that may (Debian: _kea)".to_owned()
        }
        _ => format!("cannot be read: {cause}"),
    }
}

/// What two names of one file have in common.
fn identity(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn syntax_error(place: Place, expected: &str) -> ConfigError {
    text_error(place, format!("{expected}; fix it so that `kea-dhcp6 -t` accepts the file"))
}

fn text_error(place: Place, fault: impl Into<String>) -> ConfigError {
    ConfigError::Text { place, fault: fault.into() }
}
