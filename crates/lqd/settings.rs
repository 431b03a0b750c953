//! Settings of the operator, from flags and the configuration file.
//!
//! [`flags`] is the one table: a row declares a flag, its key of the file, help, limits, default, and whether
//! a reload applies it; `table` makes [`Flags`] (typed) and [`Settings`] (resolved) from it. Both ways of
//! typing a value go through the same `FromStr` of one small type ([`spelled`]), so that flag and key accept
//! the same texts and give the same advice. crates/lqd/DESIGN.md weighs this against other designs.
//!
//! Flags stay as typed for the life of the process; at SIGHUP [`Settings::read`] lays them over the file
//! again.

mod access;
mod active;
mod admin;
mod certificate;
mod choice;
mod command_line;
mod config_help;
mod cpus;
mod duid;
mod error;
mod file;
mod flags;
mod interface;
mod link_address;
mod listen;
mod network;
mod number;
mod query_log;
mod sensitive;
mod source;
mod spelled;
mod table;
mod tls;

#[cfg(test)]
mod tests;

pub(crate) use self::access::{AccessRule, Rate, Rights};
pub(crate) use self::admin::AdminAddress;
pub(crate) use self::choice::{
    ActiveTransport, BulkTls, CpuSteering, Deny, Io, LogFormat, Relayed, SandboxMode, Switch, WhenStale,
};
pub(crate) use self::command_line::{Command, CommandLine};
pub(crate) use self::error::SettingsError;
pub(crate) use self::flags::{Flags, Settings};
pub(crate) use self::link_address::LinkAddress;
pub(crate) use self::query_log::{LogTarget, QueryLog};
pub(crate) use self::source::SourceSettings;
pub(crate) use self::tls::TlsFiles;

impl Settings {
    /// Lays `flags` over the file that `--config` names, if any, and resolves them.
    ///
    /// Reads that file, and asks the kernel for the numbers of interfaces and for how many CPUs there are.
    pub(crate) fn read(flags: &Flags) -> Result<Self, SettingsError> {
        let file = flags.config.as_deref().map_or_else(|| Ok(Flags::default()), file::read)?;
        Self::resolve(&flags.clone().over(file))
    }
}
