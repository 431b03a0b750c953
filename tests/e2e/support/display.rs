//! Shows octets to a human who must find the difference. Nothing here decides whether a test passes.

use std::fmt::Write;

/// Options that hold nothing but options, after so many octets of their own.
const NESTED: &[(u16, usize)] = &[(5, 24), (26, 25), (44, 17), (45, 0)];

/// Two hexdumps side by side, with a mark at each line that differs, and both decoded below.
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

/// Hexadecimal digits, a blank after each second octet.
pub fn hex(octets: &[u8]) -> String {
    let mut text = String::new();
    for (position, octet) in octets.iter().enumerate() {
        let blank = if position % 2 == 0 && position > 0 { " " } else { "" };
        let _ = write!(text, "{blank}{octet:02x}");
    }
    text
}

/// A message, one option a line, indented by nesting; what does not decode is shown as it is.
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
    while let Some((&[c0, c1, l0, l1], rest)) = options.split_first_chunk() {
        let (code, length) = (u16::from_be_bytes([c0, c1]), usize::from(u16::from_be_bytes([l0, l1])));
        let Some((body, rest)) = rest.split_at_checked(length) else {
            break;
        };
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
