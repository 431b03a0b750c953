//! One run of lqload against one server.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::link::Link;
use crate::programs::{Fault, LOAD_CPU, Programs, Server};

/// Links of the lease files.
const LINKS: &str = "256";
/// Share of clients with relay data: they make records of different lengths, as in the field.
const RELAY_DATA: &str = "0.25";
/// Longest time to write a lease file; fifty million clients take minutes.
const MAKE_WITHIN: Duration = Duration::from_secs(1800);
/// Time that a run may take beyond its length: reading the lease file, waiting for the last answers.
const RUN_SLACK: Duration = Duration::from_secs(300);
/// Share of queries without an answer that a run may have; more of them, and it shows something else than the
/// CPU.
const LOST_MAX: f64 = 0.001;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Subject {
    Address,
    Prefix,
    ClientId,
    /// The three in equal parts.
    Mix,
}

impl Subject {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Prefix => "prefix",
            Self::ClientId => "client-id",
            Self::Mix => "mix",
        }
    }

    /// As `lqload --mix` takes it.
    fn mix(self) -> &'static str {
        match self {
            Self::Address => "address=1",
            Self::Prefix => "prefix=1",
            Self::ClientId => "client-id=1",
            Self::Mix => "address=1,prefix=1,client-id=1",
        }
    }
}

/// A lease file and its configuration, removed at the end.
pub(crate) struct Leases {
    pub(crate) clients: u32,
    directory: TempDir,
}

impl Leases {
    /// Lets lqload write them.
    pub(crate) fn make(programs: &Programs, clients: u32) -> Result<Self, Fault> {
        let directory =
            TempDir::new().map_err(|source| Fault::File { path: std::env::temp_dir(), source })?;
        let out = directory.path().join("leases").display().to_string();
        let number = clients.to_string();
        let arguments = [
            "make-leases",
            "--clients",
            &number,
            "--links",
            LINKS,
            "--relay-data",
            RELAY_DATA,
            "--out",
            &out,
        ];
        programs.lqload(None, arguments, MAKE_WITHIN)?;
        Ok(Self { clients, directory })
    }

    pub(crate) fn kea_config(&self) -> PathBuf {
        self.directory.path().join("leases/kea-dhcp6.conf")
    }

    fn lease_file(&self) -> PathBuf {
        self.directory.path().join("leases/kea-leases6.csv")
    }
}

/// What one run has shown.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Cost {
    /// CPU time of the server, user and system, for each answer.
    pub(crate) us_per_answer: f64,
    pub(crate) answered_per_s: f64,
}

/// The part of lqload's report that is needed here.
#[derive(Deserialize)]
struct Report {
    sent: u64,
    answered: u64,
    answered_per_s: f64,
    server_cpu: Option<ServerCpu>,
}

#[derive(Deserialize)]
struct ServerCpu {
    us_per_answer: Option<f64>,
}

/// How the servers are loaded.
pub(crate) struct Load<'a> {
    pub(crate) programs: &'a Programs,
    pub(crate) leases: &'a Leases,
    /// Over which the servers are loaded, if not over loopback.
    pub(crate) link: Option<&'a Link>,
    /// Flags of lqload and their values: how many queries, and how many at once.
    pub(crate) pace: &'a [String],
    pub(crate) duration: Duration,
}

impl Load<'_> {
    /// Loads a server and measures it.
    pub(crate) fn run(&self, server: &Server, subject: Subject) -> Result<Cost, Fault> {
        let json = self.leases.directory.path().join("report.json");
        self.lqload(server, subject, &json)?;
        let text = fs::read_to_string(&json).map_err(|source| Fault::File { path: json.clone(), source })?;
        let fault = |what: String| Fault::Report { path: json.clone(), what };
        let report: Report = serde_json::from_str(&text).map_err(|error| fault(error.to_string()))?;
        let Report { sent, answered, answered_per_s, server_cpu } = report;
        if sent.saturating_sub(answered) as f64 > sent as f64 * LOST_MAX {
            return Err(Fault::Lost { server: server.name, answered, sent });
        }
        let us_per_answer = server_cpu
            .and_then(|cpu| cpu.us_per_answer)
            .filter(|&us| us > 0.0)
            .ok_or_else(|| fault("it has no CPU time of the server".to_owned()))?;
        Ok(Cost { us_per_answer, answered_per_s })
    }

    /// Runs lqload, which fails if an answer is wrong.
    fn lqload(&self, server: &Server, subject: Subject, json: &Path) -> Result<(), Fault> {
        let [target, pid] = [server.address.to_string(), server.pid().to_string()];
        let [leases, json] =
            [self.leases.lease_file().as_path(), json].map(|path| path.display().to_string());
        let duration = format!("{}s", self.duration.as_secs());
        let judge = if server.name == "floor" { "--echo" } else { "--verify" };
        let mut arguments = vec!["run", "--target", &target, "--leases", &leases, "--mix", subject.mix()];
        arguments.extend(["--duration", &duration, "--cpus", LOAD_CPU, judge]);
        arguments.extend(["--server-pid", &pid, "--json", &json]);
        arguments.extend(self.pace.iter().map(String::as_str));
        self.programs.lqload(self.link, arguments, self.duration + RUN_SLACK)
    }
}
