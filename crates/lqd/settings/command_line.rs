//! The command line: subcommands and their flags.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::Flags;

/// DHCPv6 Leasequery server (RFC 5007).
///
/// Answers beside Kea, from Kea's lease file, and never writes to it.
#[derive(Clone, Debug, Parser)]
#[command(name = "lqd", version, verbatim_doc_comment, next_line_help = true)]
pub(crate) struct CommandLine {
    /// Subcommand.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Subcommand of lqd.
#[derive(Clone, Debug, Subcommand)]
#[command(verbatim_doc_comment)]
pub(crate) enum Command {
    /// Answer leasequeries until SIGTERM.
    ///
    /// SIGHUP reloads the configuration; an invalid one is rejected, and the
    /// old one stays.
    #[command(verbatim_doc_comment, next_line_help = true)]
    Serve(Flags),
    /// Read everything, report what would be served, and exit.
    ///
    /// Takes the flags of serve. Exits with 0, or with 2 and the fix.
    #[command(verbatim_doc_comment, next_line_help = true)]
    Check(Flags),
    /// Write the man pages into a folder.
    #[command(hide = true)]
    Man {
        /// An existing folder.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Write completion scripts for bash, zsh and fish into a folder.
    #[command(hide = true)]
    Completions {
        /// An existing folder.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}
