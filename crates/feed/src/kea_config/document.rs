//! A configuration and the files it includes, as one tree of values with their positions in the text.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::confinement::{Access, OUT_OF_REACH, is_out_of_reach};

use super::error::{ConfigError, TextPosition, Warning};
use super::lexer::{Token, token};
use super::tree::{Builder, ExpectedToken, Offset, Tree, ValueId};

/// Largest configuration, includes added, in bytes. A million subnets fit, and a wrong file cannot exhaust
/// memory.
const BYTES_MAX: usize = 256 << 20;
/// Deepest nesting of includes, as in Kea.
const DEPTH_MAX: usize = 11;
/// Most includes in all: files that include each other twice would multiply.
const INCLUDES_MAX: usize = 10_000;

/// A configuration, includes expanded.
#[derive(Debug)]
pub struct Document {
    tree: Tree,
    sources: Vec<Arc<Source>>,
    includes: Vec<Include>,
}

/// An `<?include "…"?>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Include {
    /// Place of the directive.
    pub place: TextPosition,
    /// The name as written.
    pub name: String,
    /// The file that was read for it.
    pub taken: PathBuf,
}

/// A configuration that is being read.
#[derive(Debug, Default)]
struct Reading {
    builder: Builder,
    sources: Vec<Arc<Source>>,
    includes: Vec<Include>,
    bytes_read: usize,
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
    // The outermost file is not among the open ones yet, so it starts with an empty list.
    reading.file(path, load(path, BYTES_MAX)?, &mut Vec::new())?;
    let Reading { builder, sources, includes, .. } = reading;
    let end = sources[0].text.len(); // the first file is the outermost
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
    pub(super) fn place(&self, value: ValueId) -> TextPosition {
        let Offset { source, octet } = self.tree.offset(value);
        self.sources[source as usize].place(octet as usize)
    }

    /// Warnings about relative names, which Kea may resolve to another file.
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
    /// Takes the tokens of a file and of its includes; `open` are the files being read, outermost first.
    fn file(&mut self, path: &Path, text: Vec<u8>, open: &mut Vec<PathBuf>) -> Result<(), ConfigError> {
        // Bytes count over all files, or many includes would get past the limit of one.
        self.bytes_read += text.len();
        let source = Arc::new(Source { path: path.to_owned(), text });
        let number = self.sources.len() as u32; // at most INCLUDES_MAX + 1
        self.sources.push(Arc::clone(&source));
        // Two includes may name one file differently, so names alone would not show a circle.
        open.push(identity(path));
        let mut at = 0;
        while at < source.text.len() {
            let place = || source.place(at);
            let (token, len) =
                token(&source.text[at..]).map_err(|error| text_error(place(), error.to_string()))?;
            match token {
                Token::Include(name) => self.include(name, place(), open)?,
                token => {
                    let offset = Offset { source: number, octet: at as u32 }; // below BYTES_MAX
                    self.builder.push(token, offset).map_err(|expected| syntax_error(place(), expected))?;
                }
            }
            at += len;
        }
        // A file may be included twice in a row, as long as it does not contain itself.
        open.pop();
        Ok(())
    }

    fn include(
        &mut self,
        name: &[u8],
        place: TextPosition,
        open: &mut Vec<PathBuf>,
    ) -> Result<(), ConfigError> {
        let file = Path::new(OsStr::from_bytes(name));
        let name = file.display().to_string();
        if open.len() > DEPTH_MAX {
            return Err(text_error(
                place,
                format!("more than {DEPTH_MAX} includes within each other; put fewer"),
            ));
        }
        // Depth alone does not bound the work: two includes on each level double it.
        if self.includes.len() == INCLUDES_MAX {
            return Err(text_error(
                place,
                format!("more than {INCLUDES_MAX} includes; join some of the files"),
            ));
        }
        let left = BYTES_MAX - self.bytes_read;
        let (taken, text) = find(file, &place, left)?;
        // Without this check a circle would be reported as depth, which hides the cause.
        if open.contains(&identity(&taken)) {
            let reason =
                format!("\"{name}\" includes itself, directly or through others; remove one of the includes");
            return Err(text_error(place, reason));
        }
        self.includes.push(Include { place, name, taken: taken.clone() });
        self.file(&taken, text, open)
    }
}

impl Source {
    fn place(&self, offset: usize) -> TextPosition {
        let before = &self.text[..offset.min(self.text.len())];
        // Positions are computed only for errors, so the lexer need not count lines.
        let line_start = before.iter().rposition(|&octet| octet == b'\n').map_or(0, |newline| newline + 1);
        let line = before.iter().filter(|&&octet| octet == b'\n').count() + 1;
        // Columns count characters, as editors do, and the text may not be UTF-8.
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        TextPosition { file: self.path.clone(), line, column }
    }
}

/// Returns the file of an include, and its text.
fn find(file: &Path, place: &TextPosition, left: usize) -> Result<(PathBuf, Vec<u8>), ConfigError> {
    let beside = place.file.parent().unwrap_or(Path::new("")).join(file);
    // Kea opens the name in its own working directory, which is not known here.
    for candidate in [file, &beside] {
        // A file that may not be examined counts as there, so that the error names it.
        if candidate.try_exists().unwrap_or(true) {
            return Ok((candidate.to_owned(), load(candidate, left)?));
        }
    }
    let name = file.display();
    let reason = match file.is_absolute() {
        true => format!("there is no file \"{name}\"; fix the include"),
        false => format!(
            "there is no file \"{name}\" in the working directory nor beside this file; write the full path"
        ),
    };
    Err(text_error(place.clone(), reason))
}

/// Reads a whole file of at most `left` bytes.
fn load(path: &Path, left: usize) -> Result<Vec<u8>, ConfigError> {
    let error = |kind, reason| ConfigError::File { file: path.to_owned(), kind, reason };
    let cannot = |cause: std::io::Error| error(cause.kind(), unreadable(path, &cause));
    let file = File::open(path).map_err(cannot)?;
    // Opening a folder succeeds, and reading it fails with a cause that says little.
    if file.metadata().map_err(cannot)?.is_dir() {
        return Err(error(
            ErrorKind::IsADirectory,
            "is a folder; name the configuration file in it".to_owned(),
        ));
    }
    let mut text = Vec::new();
    // One byte more than allowed shows that the file is too large.
    file.take(left as u64 + 1).read_to_end(&mut text).map_err(cannot)?;
    match text.len() > left {
        true => Err(error(
            ErrorKind::InvalidData,
            format!("is too large (with all includes, {BYTES_MAX} bytes are read); give Kea's own file"),
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

/// Resolves a name, so that two names of one file compare equal.
fn identity(path: &Path) -> PathBuf {
    // A file that vanished is reported by the read; here its name has to do.
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn syntax_error(place: TextPosition, expected: ExpectedToken) -> ConfigError {
    text_error(place, format!("{expected}; fix it so that `kea-dhcp6 -t` accepts the file"))
}

fn text_error(place: TextPosition, reason: impl Into<String>) -> ConfigError {
    ConfigError::Text { place, reason: reason.into() }
}
