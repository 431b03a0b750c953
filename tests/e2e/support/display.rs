//! Formatting of octets for failure messages; no test passes or fails by it.

use std::fmt::Write;

use super::hex::grouped_hex;
use super::message::split_option;

/// Options that contain only options after a fixed part: code, octets of the fixed part.
const NESTED: &[(u16, usize)] = &[(5, 24), (26, 25), (44, 17), (45, 0)];

/// Returns two hexdumps side by side, differing lines marked, and both messages decoded below.
pub fn side_by_side(wanted: &[u8], got: &[u8]) -> String {
    let mut text =
        format!("  {:<40}  {:<40}\n", format!("wanted ({})", wanted.len()), format!("got ({})", got.len()));
    for line in 0..wanted.len().max(got.len()).div_ceil(16) {
        let part = |octets: &[u8]| octets.chunks(16).nth(line).map(hex).unwrap_or_default();
        let (left, right) = (part(wanted), part(got));
        let mark = if left == right { ' ' } else { '!' };
        let _ = writeln!(text, "{mark} {left:<40}  {right:<40}");
    }
    let _ = write!(text, "wanted:\n{}got:\n{}", decoded(wanted), decoded(got));
    text
}

/// Writes hexadecimal digits, with a blank after each second octet.
pub fn hex(octets: &[u8]) -> String {
    grouped_hex(octets, 2, " ")
}

/// Returns a decoded message, one option a line, indented by nesting; undecodable octets are shown in
/// hexadecimal.
pub fn decoded(message: &[u8]) -> String {
    let mut text = String::new();
    show_message(message, 1, &mut text);
    text
}

fn show_message(message: &[u8], depth: usize, text: &mut String) {
    let header = match message.first() {
        Some(12 | 13) => 34,
        _ => 4,
    };
    let (header, options) = message.split_at(header.min(message.len()));
    let _ = writeln!(text, "{:1$}message {2}", "", depth * 2, hex(header));
    show_options(options, depth + 1, text);
}

fn show_options(mut options: &[u8], depth: usize, text: &mut String) {
    let indent = depth * 2;
    while let Some((code, body, rest)) = split_option(options) {
        let length = body.len();
        options = rest;
        let nested = NESTED.iter().find(|&&(nesting, own)| nesting == code && own <= length);
        let own = nested.map_or(length, |&(_, own)| own);
        let shown = if code == 9 || (code == 47 && length > 16) {
            length.min(16 * usize::from(code == 47))
        } else {
            own
        };
        let _ = writeln!(text, "{:indent$}option {code} length {length}: {}", "", hex(&body[..shown]));
        match code {
            9 | 47 if shown < length => show_message(&body[shown..], depth + 1, text),
            _ => show_options(&body[shown..], depth + 1, text),
        }
    }
    if !options.is_empty() {
        let _ = writeln!(text, "{:indent$}not an option: {}", "", hex(options));
    }
}
