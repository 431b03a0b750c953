//! Settings that are one word of a few.

use clap::ValueEnum;

/// What requestors get that are not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Deny {
    /// Reply with status NotAllowed (RFC 5007, section 4.1.3)
    NotAllowed,
    /// Silence
    Drop,
}

/// What relayed queries get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Relayed {
    /// Reply by the same relays (RELAY-REPL)
    Answer,
    /// Silence
    Drop,
}

/// How workers talk to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Io {
    /// io_uring where the kernel has and allows it, else mmsg
    Auto,
    /// io_uring, Linux 6.1 or newer; lqd does not start without it
    Uring,
    /// recvmmsg and sendmmsg, every Linux
    Mmsg,
}

/// Which worker gets a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CpuSteering {
    /// By a hash of addresses and ports: a requestor keeps its worker
    Hash,
    /// The worker on the CPU that received it, one worker a CPU
    Cpu,
}

/// Whether something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// Where the kernel can
    On,
    /// Never
    Off,
}

/// Whether rights are given up that are not needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SandboxMode {
    /// What this kernel can restrict; the rest is said in the log
    Auto,
    /// All of it; lqd does not start without it
    On,
    /// Nothing, for debuggers
    Off,
}

/// What queries without a known binding get while the leases are stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WhenStale {
    /// "No binding", as when the leases are fresh
    Answer,
    /// Silence
    Silent,
    /// Reply with status UnspecFail
    Refuse,
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line, for collectors
    Json,
}
