//! Active leasequery: its transport, and settings that depend on each other.

use std::time::Duration;

use super::choice::{ActiveTransport, BulkTls};
use super::number::Within;
use super::{Flags, SettingsError};

/// Size of the change log in MiB.
pub(super) type HistorySize = Within<usize, 1, 65_536>;

/// A timer of active leasequery in seconds.
pub(super) type Timer = Within<u32, 5, 3_600>;

/// Resolves the transport; active leasequery needs connections, and those of `tls` TLS.
pub(super) fn transport(typed: &Flags) -> Result<ActiveTransport, SettingsError> {
    let transport = typed.active.unwrap_or(ActiveTransport::Off);
    if transport != ActiveTransport::Off && typed.bulk.is_none() {
        return Err(error(
            transport,
            "needs an address for its connections; give --bulk too, or leave --active out",
        ));
    }
    if transport == ActiveTransport::Tls && matches!(typed.bulk_tls, None | Some(BulkTls::Off)) {
        return Err(error(
            transport,
            "needs TLS on the connections of --bulk; give --bulk-tls too, or insecure where that will do",
        ));
    }
    Ok(transport)
}

/// Resolves a timer, `default` in seconds.
pub(super) fn timer(typed: Option<Timer>, default: u32) -> Duration {
    Duration::from_secs(typed.map_or(default, |seconds| seconds.0).into())
}

fn error(transport: ActiveTransport, fault: &str) -> SettingsError {
    SettingsError::Value { setting: "active", value: transport.name().to_owned(), fault: fault.to_owned() }
}
