//! Settings with a few possible words; the texts of the words are shown in `--help`.

use clap::ValueEnum;

/// Answer to requestors that are not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Deny {
    /// Reply with status NotAllowed (RFC 5007, section 4.1.3)
    NotAllowed,
    /// No reply
    Drop,
}

/// Answer to relayed queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Relayed {
    /// Reply through the same relays (RELAY-REPL)
    Answer,
    /// No reply
    Drop,
}

/// System calls that receive and send datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Io {
    /// io_uring if the kernel has and allows it, else mmsg
    Auto,
    /// io_uring, Linux 6.1 or newer; lqd does not start without it
    Uring,
    /// recvmmsg and sendmmsg, every Linux
    Mmsg,
}

/// Distribution of datagrams over workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CpuSteering {
    /// By a hash of addresses and ports: a requestor keeps its worker
    Hash,
    /// By receiving CPU, to the worker on that CPU
    Cpu,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// If the kernel can
    On,
    /// Never
    Off,
}

/// Dropping of privileges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SandboxMode {
    /// All that this kernel can restrict; the log names the rest
    Auto,
    /// Everything; lqd does not start without it
    On,
    /// Nothing, for debuggers
    Off,
}

/// TLS on connections of bulk leasequery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BulkTls {
    /// STARTTLS is answered TLSConnectionRefused
    Off,
    /// TLS for those that begin with STARTTLS; others without
    Offered,
    /// Connections that begin otherwise are closed
    Required,
}

/// Response to queries with no lease while lease data is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WhenStale {
    /// "No binding", as when the leases are fresh
    Answer,
    /// No reply
    Silent,
    /// Reply with status UnspecFail
    Refuse,
}

/// Transport of active leasequery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ActiveTransport {
    /// Not offered
    Off,
    /// Over TLS, with certificates of both sides
    Tls,
    /// Over TCP: not encrypted, and open to forgery
    Insecure,
}

impl ActiveTransport {
    /// Returns the word of the flag.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Tls => "tls",
            Self::Insecure => "insecure",
        }
    }
}

/// Format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Text for people
    Text,
    /// One JSON object a line, for log collectors
    Json,
}
