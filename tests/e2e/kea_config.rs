//! Configurations accepted by `kea-dhcp6 -t`, all of which lqd must accept too.
//!
//! Texts are Kea's examples, from Debian's package kea-doc, and texts of our own, with tokens mutated by a
//! seeded generator. lqd may accept what Kea rejects, except in the grammar of plain values: there both must
//! agree, but for equal keys and for numbers beyond Kea's range, which lqd has no need to reject.

mod mutate;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::{Failed, Trial};
use lqd_feed::kea_config::{self, KeaConfig};
use lqd_index::Links;

use crate::support::Need;
use crate::support::need::trial;
use mutate::Mutator;

/// Folder of the examples in Debian's package kea-doc.
pub(crate) const EXAMPLES: &str = "/usr/share/doc/kea/examples/kea6";

/// Number of Kea processes that run at the same time.
const THREADS: usize = 4;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("kea_config: every example of Kea is accepted", &[Need::KeaExamples], examples),
        trial("kea_config: odd values are accepted if Kea accepts them", &[Need::Kea], odd_values),
        trial("kea_config: odd digits are accepted if Kea accepts them", &[Need::Kea], odd_digits),
        trial(
            "kea_config: plain values are accepted if and only if Kea accepts them",
            &[Need::Kea],
            plain_values,
        ),
        trial("kea_config: mutated tokens are accepted if Kea accepts them", &[Need::Kea], mutated_tokens),
    ]
}

fn examples() -> Result<(), Failed> {
    // A folder without examples would pass.
    let files: Vec<PathBuf> = std::fs::read_dir(EXAMPLES)?.flatten().map(|entry| entry.path()).collect();
    assert!(files.len() > 20, "{EXAMPLES} has {} files", files.len());
    for file in files {
        let text = std::fs::read(&file)?;
        if String::from_utf8_lossy(&text).contains("\"Dhcp6\"") {
            accepts(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        }
    }
    Ok(())
}

/// Parses a configuration as `lqd` does.
fn accepts(file: &Path) -> Result<(), String> {
    let document = kea_config::read(file).map_err(|error| error.to_string())?;
    // A server takes over links as well.
    let config = KeaConfig::from_document(&document, None).map_err(|error| error.to_string())?;
    Links::new(config.links).map(drop).map_err(|error| error.to_string())
}

/// Verdicts on one text.
struct Verdict {
    text: String,
    /// Reason of Kea's rejection.
    kea: Result<(), String>,
    lqd: Result<(), String>,
}

/// Runs Kea and lqd on each text.
fn run_both(texts: &[Vec<u8>]) -> Vec<Verdict> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let one = |(number, text): (usize, &Vec<u8>)| {
        let file = folder.path().join(format!("{number}.conf"));
        std::fs::write(&file, text).expect("the folder is writable");
        // Both see the same file, so that no difference comes from copying.
        Verdict { text: text.escape_ascii().to_string(), kea: kea(&file, folder.path()), lqd: accepts(&file) }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|first| {
                let mine = texts.iter().enumerate().skip(first).step_by(THREADS);
                scope.spawn(move || mine.map(one).collect::<Vec<_>>())
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic in a thread")).collect()
    })
}

fn kea(file: &Path, folder: &Path) -> Result<(), String> {
    let mut command = Command::new("kea-dhcp6");
    command.arg("-t").arg(file).stdin(Stdio::null());
    // Files of a running Kea must not be touched.
    command.env("KEA_PIDFILE_DIR", folder).env("KEA_LOCKFILE_DIR", folder);
    let output = command.output().expect("kea-dhcp6 runs");
    let reason = [output.stdout, output.stderr].concat();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&reason).into_owned()) }
}

/// Fails with each text that only Kea accepts; returns the number of texts that Kea accepts.
fn all_accepted(verdicts: &[Verdict]) -> Result<usize, Failed> {
    let by_kea: Vec<_> = verdicts.iter().filter(|verdict| verdict.kea.is_ok()).collect();
    let refused: Vec<_> = by_kea
        .iter()
        .filter_map(|verdict| Some(format!("{}\n  {}", verdict.text, verdict.lqd.as_ref().err()?)))
        .collect();
    match refused.is_empty() {
        true => Ok(by_kea.len()),
        // All texts are shown, as one cause often explains several.
        false => Err(format!("Kea accepts, lqd rejects:\n{}", refused.join("\n")).into()),
    }
}

fn odd_values() -> Result<(), Failed> {
    let texts: Vec<_> = mutate::odd_members().map(|members| dhcp6(&members)).collect();
    let accepted = all_accepted(&run_both(&texts))?;
    // Most must be accepted, or the test checks nothing.
    assert!(accepted > texts.len() / 2, "Kea accepts {accepted} of {}", texts.len());
    Ok(())
}

fn odd_digits() -> Result<(), Failed> {
    let texts: Vec<_> = mutate::odd_digits().map(|members| dhcp6(&members)).collect();
    let accepted = all_accepted(&run_both(&texts))?;
    assert!(accepted > texts.len() / 5, "Kea accepts {accepted} of {}", texts.len());
    Ok(())
}

fn plain_values() -> Result<(), Failed> {
    let mut mutator = Mutator::new(5007);
    let texts: Vec<_> = (0..160)
        .map(|_| mutator.mutate(mutate::PLAIN))
        .map(|value| dhcp6(&[b"\"user-context\": { \"v\": ", &value[..], b"\n }"].concat()))
        .collect();
    let verdicts = run_both(&texts);
    let accepted = all_accepted(&verdicts)?;
    assert!(
        (30..150).contains(&accepted),
        "Kea accepts {accepted}: the generator mutates too much or too little"
    );
    // Duplicate keys and large numbers are refused by Kea alone.
    let allowed = |reason: &str| reason.contains("duplicate ") || reason.contains("Failed to convert");
    for verdict in verdicts {
        if let (Err(reason), Ok(())) = (verdict.kea, verdict.lqd)
            && !allowed(&reason)
        {
            return Err(format!("Kea rejects, lqd accepts: {}\n{reason}", verdict.text).into());
        }
    }
    Ok(())
}

fn mutated_tokens() -> Result<(), Failed> {
    let mut mutator = Mutator::new(8415);
    let texts: Vec<_> = (0..160).map(|_| mutator.mutate(mutate::WHOLE)).collect();
    let accepted = all_accepted(&run_both(&texts))?;
    // The mutator is tuned, so that a fifth of its texts are good.
    assert!(accepted > 20, "Kea accepts {accepted}: the generator mutates too much");
    Ok(())
}

fn dhcp6(members: &[u8]) -> Vec<u8> {
    [b"{ \"Dhcp6\": { ", members, b" } }\n"].concat()
}
