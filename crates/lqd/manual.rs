//! `lqd man` and `lqd completions`: man pages and completion scripts for packages, made from the table of
//! flags.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::error::ExitError;
use crate::settings::CommandLine;

/// Shells with a folder for completions in packages.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// Writes lqd.1, and a page for each command, into `folder`.
pub(crate) fn man(folder: &Path) -> Result<(), ExitError> {
    let command = CommandLine::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, folder).map_err(|error| cannot(folder, &error))
}

/// Writes a completion script for each of [`SHELLS`] into `folder`.
pub(crate) fn completions(folder: &Path) -> Result<(), ExitError> {
    for shell in SHELLS {
        clap_complete::generate_to(shell, &mut CommandLine::command(), "lqd", folder)
            .map_err(|error| cannot(folder, &error))?;
    }
    Ok(())
}

fn cannot(folder: &Path, error: &std::io::Error) -> ExitError {
    ExitError::unusable(format!(
        "{}: {error}; name a folder that exists and can be written to",
        folder.display()
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Returns the sorted names of the files in `folder`.
    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn each_command_has_a_page_with_every_flag() {
        let folder = tempfile::tempdir().unwrap();
        man(folder.path()).unwrap_or_else(|_| panic!("written"));
        assert_eq!(names(folder.path()), ["lqd-check.1", "lqd-serve.1", "lqd.1"]);
        let page = fs::read_to_string(folder.path().join("lqd-serve.1")).unwrap();
        let command = CommandLine::command();
        let serve = command.find_subcommand("serve").unwrap();
        for flag in serve.get_arguments().filter_map(clap::Arg::get_long) {
            assert!(page.contains(&format!("\\-\\-{}", flag.replace('-', "\\-"))), "--{flag} is missing");
        }
    }

    #[test]
    fn three_shells_have_completions() {
        let folder = tempfile::tempdir().unwrap();
        completions(folder.path()).unwrap_or_else(|_| panic!("written"));
        assert_eq!(names(folder.path()), ["_lqd", "lqd.bash", "lqd.fish"]);
    }
}
