//! A configuration and the files it includes, as one JSON value whose every octet knows where it came from.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::error::{ConfigError, Place, Warning};
use super::lexer::{Token, token};

/// Most octets of a configuration with all that it includes. A million subnets fit; a wrong file does not eat
/// the memory.
const OCTETS_MAX: usize = 256 << 20;
/// Most files within files, as in Kea.
const DEPTH_MAX: usize = 10;
/// Most inclusions in all: files that include twice what includes twice … must end.
const INCLUDES_MAX: usize = 10_000;

/// A configuration, includes expanded.
#[derive(Debug)]
pub struct Document {
    value: Value,
    expanded: Expanded,
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

/// Plain JSON text made from one or more files.
#[derive(Debug, Default)]
struct Expanded {
    text: Vec<u8>,
    sources: Vec<Arc<Source>>,
    /// Runs of octets that follow each other in one source, ascending by `start`.
    segments: Vec<Segment>,
    includes: Vec<Include>,
    /// Where `text` has a comma with nothing but space after it so far.
    comma: Option<usize>,
    /// `text` ends with an opening bracket, spaces aside; Kea refuses a comma there.
    opened: bool,
    octets_read: usize,
}

#[derive(Debug)]
struct Source {
    path: PathBuf,
    text: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    /// First octet in the expanded text.
    start: usize,
    source: usize,
    /// The same octet in the source.
    offset: usize,
}

/// Reads a configuration of Kea and the files that it includes.
///
/// A relative name in `<?include?>` means a file in the working directory, as in Kea; as that of Kea's
/// service is not known here, the folder of the including file is tried next, and [`Document::includes`] says
/// which was taken.
pub fn read(path: impl AsRef<Path>) -> Result<Document, ConfigError> {
    let mut expanded = Expanded::default();
    let path = path.as_ref();
    expanded.add(path, load(path, OCTETS_MAX)?, &mut Vec::new())?;
    let value = serde_json::from_slice(&expanded.text).map_err(|error| expanded.not_json(&error))?;
    Ok(Document { value, expanded })
}

impl Document {
    /// The JSON value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The inclusions, in the order of the text.
    pub fn includes(&self) -> &[Include] {
        &self.expanded.includes
    }

    /// Plain JSON text of the same positions.
    pub(super) fn text(&self) -> &[u8] {
        &self.expanded.text
    }

    /// Where an octet of [`Self::text`] was written.
    pub(super) fn place(&self, offset: usize) -> Place {
        self.expanded.place(offset)
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

impl Expanded {
    /// Appends a file and what it includes; `open` are the files being read, outermost first.
    fn add(&mut self, path: &Path, text: Vec<u8>, open: &mut Vec<PathBuf>) -> Result<(), ConfigError> {
        self.octets_read += text.len();
        let source = Arc::new(Source { path: path.to_owned(), text });
        let number = self.sources.len();
        self.sources.push(Arc::clone(&source));
        open.push(identity(path));
        let mut at = 0;
        self.segment(number, at);
        while at < source.text.len() {
            let rest = &source.text[at..];
            let place = || source.place(at);
            let (token, len) = token(rest).map_err(|fault| text_error(place(), fault))?;
            match token {
                Token::Include(name) => {
                    self.include(&String::from_utf8_lossy(name), place(), open)?;
                    self.segment(number, at + len);
                }
                Token::Comment => self.text.extend(rest[..len].iter().map(|&octet| blank(octet))),
                token => self.plain(token, &rest[..len]),
            }
            at += len;
        }
        open.pop();
        Ok(())
    }

    /// Appends text, and blanks a comma that turns out surplus, as Kea does: one before another comma, or
    /// before a closing bracket.
    fn plain(&mut self, token: Token<'_>, text: &[u8]) {
        if matches!(token, Token::Comma | Token::Close)
            && let Some(surplus) = self.comma
        {
            self.text[surplus] = b' ';
        }
        match token {
            Token::Space => {}
            Token::Comma => self.comma = (!self.opened).then_some(self.text.len()),
            token => (self.comma, self.opened) = (None, token == Token::Open),
        }
        self.text.extend_from_slice(text);
    }

    fn include(&mut self, name: &str, place: Place, open: &mut Vec<PathBuf>) -> Result<(), ConfigError> {
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
        let (taken, text) = find(name, &place, left)?;
        if open.contains(&identity(&taken)) {
            let fault =
                format!("\"{name}\" includes itself, directly or through others; remove one of the includes");
            return Err(text_error(place, fault));
        }
        self.includes.push(Include { place, name: name.to_owned(), taken: taken.clone() });
        // A space on each side: what follows must not grow together with what the file ends in.
        self.text.push(b' ');
        self.add(&taken, text, open)?;
        self.text.push(b' ');
        Ok(())
    }

    fn segment(&mut self, source: usize, offset: usize) {
        self.segments.push(Segment { start: self.text.len(), source, offset });
    }

    /// Where the octet at `offset` of the text was written.
    fn place(&self, offset: usize) -> Place {
        let after = self.segments.partition_point(|segment| segment.start <= offset);
        let segment = self.segments[after - 1]; // the first one starts at 0
        self.sources[segment.source].place(segment.offset + (offset - segment.start))
    }

    fn not_json(&self, error: &serde_json::Error) -> ConfigError {
        let lines = self.text.split_inclusive(|&octet| octet == b'\n');
        let before: usize = lines.take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
        let said = error.to_string();
        let what = said.split_once(" at line ").map_or(said.as_str(), |(what, _)| what);
        let fault = format!("{what}; mend it so that `kea-dhcp6 -t` accepts the file");
        text_error(self.place((before + error.column().saturating_sub(1)).min(self.text.len())), fault)
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
fn find(name: &str, place: &Place, left: usize) -> Result<(PathBuf, Vec<u8>), ConfigError> {
    let beside = place.file.parent().unwrap_or(Path::new("")).join(name);
    for candidate in [Path::new(name), &beside] {
        if candidate.try_exists().unwrap_or(true) {
            return Ok((candidate.to_owned(), load(candidate, left)?));
        }
    }
    let fault = match Path::new(name).is_absolute() {
        true => format!("there is no file \"{name}\"; mend the include"),
        false => format!(
            "there is no file \"{name}\" in the working directory nor beside this file; write the full path"
        ),
    };
    Err(text_error(place.clone(), fault))
}

/// Reads a whole file of at most `left` octets.
fn load(path: &Path, left: usize) -> Result<Vec<u8>, ConfigError> {
    let error = |fault: String| ConfigError::File { file: path.to_owned(), fault };
    let cannot = |cause: std::io::Error| error(unreadable(&cause));
    let file = File::open(path).map_err(cannot)?;
    if file.metadata().map_err(cannot)?.is_dir() {
        return Err(error("is a folder; name the configuration file in it".to_owned()));
    }
    let mut text = Vec::new();
    file.take(left as u64 + 1).read_to_end(&mut text).map_err(cannot)?;
    match text.len() > left {
        true => Err(error(format!(
            "is too large (with all includes, {OCTETS_MAX} octets are read); give Kea's own file"
        ))),
        false => Ok(text),
    }
}

fn unreadable(cause: &std::io::Error) -> String {
    match cause.kind() {
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

fn blank(octet: u8) -> u8 {
    match octet {
        b'\n' => b'\n',
        _ => b' ',
    }
}

fn text_error(place: Place, fault: impl Into<String>) -> ConfigError {
    ConfigError::Text { place, fault: fault.into() }
}
