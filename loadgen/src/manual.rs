//! `lqload man` and `lqload completions`: files for packages, generated from the flags.

use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::Arguments;
use crate::error::Error;

/// Arguments of both commands.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Existing folder to write into
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Writes lqload.1, and a page for each command.
pub(crate) fn man(options: &Options) -> Result<(), Error> {
    // `help` would get a page that says nothing.
    let command = Arguments::command().name("lqload").disable_help_subcommand(true);
    clap_mangen::generate_to(command, &options.folder).map_err(|source| cannot(&options.folder, source))
}

/// Writes a completion script for each shell that packages have a folder for.
pub(crate) fn completions(options: &Options) -> Result<(), Error> {
    // The shells that packages have folders for.
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Arguments::command(), "lqload", &options.folder)
            .map_err(|source| cannot(&options.folder, source))?;
    }
    Ok(())
}

fn cannot(folder: &Path, source: std::io::Error) -> Error {
    Error::Write { path: folder.to_owned(), source }
}
