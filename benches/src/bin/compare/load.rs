//! A run of lqload against a server.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::link::Link;
use crate::programs::{CompareError, LOAD_CPU, Programs, Server};

/// Links of the lease files.
const LINKS: &str = "256";
/// Share of clients with relay data: they make records of different lengths, as in the field.
const RELAY_DATA: &str = "0.25";
/// Longest time to write a lease file; fifty million clients take minutes.
const MAKE_WITHIN: Duration = Duration::from_secs(1800);
/// Time limit of a run beyond its duration: reading the lease file, waiting for the last answers.
const RUN_SLACK: Duration = Duration::from_secs(300);
/// Maximum share of lost queries; with more, a run does not measure the CPU.
const LOST_MAX: f64 = 0.001;

/// Subject of the queries.
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

    /// Value for `lqload --mix`.
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
    /// Makes them by lqload.
    pub(crate) fn make(programs: &Programs, clients: u32) -> Result<Self, CompareError> {
        let directory =
            TempDir::new().map_err(|source| CompareError::File { path: std::env::temp_dir(), source })?;
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

    pub(crate) fn folder(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn kea_config(&self) -> PathBuf {
        self.directory.path().join("leases/kea-dhcp6.conf")
    }

    fn lease_file(&self) -> PathBuf {
        self.directory.path().join("leases/kea-leases6.csv")
    }
}

/// Result of a run.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Cost {
    /// CPU time of the server per answer, user and system.
    pub(crate) us_per_answer: f64,
    pub(crate) answered_per_s: f64,
}

/// The fields of lqload's report that are used here.
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

/// Load of the servers.
pub(crate) struct Load<'a> {
    pub(crate) programs: &'a Programs,
    pub(crate) leases: &'a Leases,
    /// Link to the servers, if not loopback.
    pub(crate) link: Option<&'a Link>,
    /// Flags of lqload and their values: number and rate of queries.
    pub(crate) pace: &'a [String],
    pub(crate) duration: Duration,
}

impl Load<'_> {
    /// Loads a server and measures it.
    pub(crate) fn run(&self, server: &Server, subject: Subject) -> Result<Cost, CompareError> {
        let json = self.leases.directory.path().join("report.json");
        self.lqload(server, subject, &json)?;
        let text =
            fs::read_to_string(&json).map_err(|source| CompareError::File { path: json.clone(), source })?;
        let unusable = |reason: String| CompareError::Report { path: json.clone(), reason };
        let report: Report = serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
        let Report { sent, answered, answered_per_s, server_cpu } = report;
        // A lost query costs the server less than an answer.
        if sent.saturating_sub(answered) as f64 > sent as f64 * LOST_MAX {
            return Err(CompareError::Lost { server: server.name, answered, sent });
        }
        // A server without CPU time has no ratio.
        let us_per_answer = server_cpu
            .and_then(|cpu| cpu.us_per_answer)
            .filter(|&us| us > 0.0)
            .ok_or_else(|| unusable("the CPU time of the server is missing".to_owned()))?;
        Ok(Cost { us_per_answer, answered_per_s })
    }

    /// Runs lqload, which fails if an answer is wrong.
    fn lqload(&self, server: &Server, subject: Subject, json: &Path) -> Result<(), CompareError> {
        let [target, pid] = [server.address.to_string(), server.pid().to_string()];
        let [leases, json] =
            [self.leases.lease_file().as_path(), json].map(|path| path.display().to_string());
        let duration = format!("{}s", self.duration.as_secs());
        // An echo is the query itself, not a reply that can be verified.
        let judge = match (server.name, subject) {
            ("baseline", _) => "--echo",
            // To a query by address Kea returns the lease of that address alone, which RFC 5007 §4.2.3
            // forbids.
            ("kea", Subject::Address | Subject::Prefix | Subject::Mix) => "--verify=false",
            _ => "--verify",
        };
        let mut arguments = vec!["run", "--target", &target, "--leases", &leases, "--mix", subject.mix()];
        arguments.extend(["--duration", &duration, "--cpus", LOAD_CPU, judge]);
        arguments.extend(["--server-pid", &pid, "--json", &json]);
        arguments.extend(self.pace.iter().map(String::as_str));
        // The load ends by itself; the limit is for one that hangs.
        self.programs.lqload(self.link, arguments, self.duration + RUN_SLACK)
    }
}
