//! The language of comments, docs, names and texts: the field's words, headlines that name a thing, lines that fit.

use crate::files;

/// Files that must quote old words: the list below, and the changes of names.
const QUOTING: &[&str] = &["tests/tidy/language.rs", "CHANGELOG.md"];

/// Words that are not the field's, in their plain form, with the word to write instead.
const WORDS: &[(&str, &str)] = &[
    ("access row", "access rule"),
    ("board", "counters or state"),
    ("books", "counters or state"),
    ("crowd", "a name for the thing detected"),
    ("ended binding", "expired binding"),
    ("ended lease", "expired lease"),
    ("farewell", "ExitNotifier"),
    ("floor", "baseline"),
    ("held against", "checked against"),
    ("hire", "spawn"),
    ("hold against", "check against"),
    ("level of relaying", "relay hop"),
    ("load anew", "reload"),
    ("look-up", "lookup (noun), look up (verb)"),
    ("mend", "fix"),
    ("nobody", "the actor: no requestor, no process"),
    ("not taken over", "rejected"),
    ("pulse", "Liveness"),
    ("somebody", "the actor: requestor, writer, operator"),
    ("stand-in", "standby"),
    ("what become of", "outcome"),
    ("who ask", "requestor"),
];

/// First words of a headline that name nothing.
const VAGUE: &[&str] = &["What", "Where", "Who", "Those", "Its", "Of"];

/// Columns of a comment line, as of code.
const COLUMNS_MAX: usize = 110;

#[test]
fn texts_are_plain_english() {
    let plain = files(&["rs", "md"]).into_iter().filter(|(path, _)| !QUOTING.contains(&path.as_str()));
    let found: Vec<String> = plain.flat_map(|(path, text)| breaches(&path, &text)).collect();
    assert!(found.is_empty(), "{} texts to reword (see CONTRIBUTING.md):\n{}", found.len(), found.join("\n"));
}

/// Every breach of the rules in a file, as `path:line: reason`.
fn breaches(path: &str, text: &str) -> Vec<String> {
    let mut found = odd_words(text);
    if path.ends_with(".rs") {
        found.extend(vague_headlines(text));
        found.extend(long_comments(text));
    }
    found.sort();
    found.into_iter().map(|(line, reason)| format!("{path}:{line}: {reason}")).collect()
}

/// Uses of [`WORDS`], in names too, and across line ends.
fn odd_words(text: &str) -> Vec<(usize, String)> {
    let words = words(text);
    let mut found = Vec::new();
    for (odd, better) in WORDS {
        let odd: Vec<&str> = odd.split(' ').collect();
        let matches =
            |run: &&[(usize, String)]| run.iter().zip(&odd).all(|((_, word), odd)| is_form(word, odd));
        for run in words.windows(odd.len()).filter(matches) {
            found.push((run[0].0, format!("`{}`: write {better}", odd.join(" "))));
        }
    }
    found
}

/// Lower-case words with their line numbers, and an empty one for punctuation, which ends a phrase. Parts of a
/// name (`aName`, `a_name`) count as words.
fn words(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        // The one library function that has a name from the list.
        let line = line.replace(".floor()", "").replace(['.', ',', ':', ';', '(', ')', '='], " . ");
        for word in line.split(|c: char| !c.is_alphanumeric() && !['-', '.'].contains(&c)) {
            let word = word.trim_matches('-');
            found.extend(parts_of_name(word).into_iter().map(|part| (number, part)));
        }
    }
    found
}

/// Splits `aName` before the capital letter, and makes the parts lower case.
fn parts_of_name(name: &str) -> Vec<String> {
    let mut parts = String::new();
    let mut after_small = false;
    for c in name.chars() {
        if after_small && c.is_uppercase() {
            parts.push(' ');
        }
        after_small = c.is_lowercase();
        parts.extend(c.to_lowercase());
    }
    parts.split_whitespace().map(|part| part.trim_matches('.').to_owned()).collect()
}

/// Whether `word` is `plain`, its plural, or a form of the verb.
fn is_form(word: &str, plain: &str) -> bool {
    let endings = ["", "s", "d", "ed", "ing"];
    word.strip_prefix(plain).is_some_and(|ending| endings.contains(&ending))
}

/// Headlines of docs that begin with a word of [`VAGUE`].
fn vague_headlines(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_doc = false;
    for (line, number) in text.lines().zip(1..) {
        let doc = ["///", "//!"].into_iter().find_map(|mark| line.trim_start().strip_prefix(mark));
        let first = doc.and_then(|doc| doc.split_whitespace().next()).filter(|_| !in_doc);
        if let Some(vague) = first.filter(|first| VAGUE.contains(first)) {
            found
                .push((number, format!("headline begins with `{vague}`: name the thing, or say the effect")));
        }
        in_doc = doc.is_some();
    }
    found
}

/// Comment lines wider than [`COLUMNS_MAX`]; rustfmt leaves them alone.
fn long_comments(text: &str) -> Vec<(usize, String)> {
    let comments = text.lines().zip(1..).filter(|(line, _)| line.trim_start().starts_with("//"));
    let widths = comments.map(|(line, number)| (number, line.chars().count()));
    let long = widths.filter(|(_, width)| *width > COLUMNS_MAX);
    long.map(|(number, width)| (number, format!("comment of {width} columns: at most {COLUMNS_MAX}")))
        .collect()
}

#[test]
fn breaches_are_found() {
    let text = format!(
        "//! Its socket.\n\
         /// The lease is held\n\
         /// against the index by NobodyAsks.\n\
         fn look_up_hired() {{}}\n\
         /// {}",
        "x".repeat(COLUMNS_MAX)
    );
    let expected = [
        "a.rs:1: headline begins with `Its`: name the thing, or say the effect",
        "a.rs:2: `held against`: write checked against",
        "a.rs:3: `nobody`: write the actor: no requestor, no process",
        "a.rs:4: `hire`: write spawn",
        "a.rs:5: comment of 114 columns: at most 110",
    ];
    assert_eq!(breaches("a.rs", &text), expected);
    assert_eq!(
        breaches("a.md", "Its look-ups\n"),
        ["a.md:1: `look-up`: write lookup (noun), look up (verb)"]
    );
}

#[test]
fn plain_texts_pass() {
    let text = "//! Sockets of a worker.\n//! Of these, each is checked against its own baseline; access.rows is a name.\n\
                /// Returns the recommended lookup; callers look up further.\nfn floor_() { 1.5_f64.floor(); }\n";
    assert_eq!(breaches("a.rs", &text.replace("floor_", "lower")), [""; 0]);
}
