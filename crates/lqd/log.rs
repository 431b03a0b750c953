//! What is said, and how: tracing to standard error, as text or as one JSON object a line.

use tracing_subscriber::EnvFilter;

use crate::Failure;
use crate::settings::{LogFormat, Settings};

/// Target of the line that says that queries are answered; it is written whatever the filter says.
pub(crate) const READY: &str = "lqd::ready";

/// Starts logging as the settings say.
pub(crate) fn start(settings: &Settings) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&settings.log).map_err(Failure::unusable)?;
    let filter = filter.add_directive(format!("{READY}=info").parse().map_err(Failure::unusable)?);
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Text => subscriber.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => subscriber.json().flatten_event(true).init(),
    }
    Ok(())
}
