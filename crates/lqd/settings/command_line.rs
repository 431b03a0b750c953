//! The command line: what lqd is asked to do, and the flags that go with it.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::Flags;

/// DHCPv6 Leasequery server (RFC 5007).
///
/// It answers beside Kea, from Kea's lease file, and changes nothing there.
#[derive(Clone, Debug, Parser)]
#[command(name = "lqd", version, verbatim_doc_comment, next_line_help = true)]
pub(crate) struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What lqd is asked to do.
#[derive(Clone, Debug, Subcommand)]
#[command(verbatim_doc_comment)]
pub(crate) enum Command {
    /// Answer leasequeries until SIGTERM.
    ///
    /// SIGHUP reads the configuration again; one that cannot be used is refused,
    /// and the old one stays.
    #[command(verbatim_doc_comment, next_line_help = true)]
    Serve(Flags),
    /// Read everything, say what would be served, and exit.
    ///
    /// Takes the flags of serve. Exits with 0, or with 2 after saying what to mend.
    #[command(verbatim_doc_comment, next_line_help = true)]
    Check(Flags),
    /// Write the man pages into a folder.
    #[command(hide = true)]
    Man {
        /// A folder that exists.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Write completion scripts for bash, zsh and fish into a folder.
    #[command(hide = true)]
    Completions {
        /// A folder that exists.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}
