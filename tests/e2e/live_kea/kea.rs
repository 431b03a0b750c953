//! Kea's DHCPv6 server as a process, with its control channel.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::Ipv6Addr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use super::lab::Lab;
use super::plan;
use crate::support::Until;
use crate::support::hex::parse_hex;
use crate::support::lqd::{PATIENCE, signal};
use crate::support::message::{code, options, single};

/// Settings of a trial's server; `plan` has the rest.
#[derive(Clone, Copy)]
pub(super) struct Settings {
    /// Seconds between two cleanups of the lease file; 0 = none.
    pub(super) lfc_interval_s: u32,
    /// Valid lifetime of leases, in seconds; the preferred one is half of it.
    pub(super) valid_s: u32,
}

/// A lease as Kea's control channel returns it.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    pub(super) address: Ipv6Addr,
    /// Delegated length of a prefix; `None` for an address.
    pub(super) prefix_len: Option<u8>,
    pub(super) duid: Vec<u8>,
    pub(super) subnet_id: u32,
    /// Client last transaction time, seconds since 1970.
    pub(super) cltt: u64,
    pub(super) valid_s: u32,
    pub(super) preferred_s: u32,
    /// Link-layer address from a relay agent (RFC 6939), without its type; Kea's `hw-address` may be guessed
    /// from the DUID.
    pub(super) link_layer: Option<Vec<u8>>,
    /// State: 0 is assigned; declined, reclaimed and released leases have other numbers.
    pub(super) state: u64,
}

impl Lease {
    /// Returns the second from which the lease is no longer valid, since 1970.
    pub(super) fn expire(&self) -> u64 {
        self.cltt + u64::from(self.valid_s)
    }
}

/// A Kea server; drop kills the process.
pub(super) struct Kea {
    directory: tempfile::TempDir,
    process: Option<Child>,
}

impl Kea {
    /// Starts Kea at the server's end of the link, and waits until its control channel answers.
    pub(super) fn start(lab: &Lab, settings: Settings) -> Self {
        Self::start_with(lab, |directory| plan::kea_config(directory, settings))
    }

    /// Starts Kea with another configuration, made for its directory.
    pub(super) fn start_with(lab: &Lab, config: impl FnOnce(&Path) -> Value) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let config = config(directory.path());
        let text = serde_json::to_string_pretty(&config).expect("JSON is text");
        std::fs::write(directory.path().join("kea-dhcp6.conf"), text).expect("the directory is writable");
        let mut kea = Self { directory, process: None };
        kea.resume(lab);
        kea
    }

    /// Starts the process again, with the same configuration and lease file.
    ///
    /// Kea refuses to start during a cleanup of the lease file, so this retries, as a service manager would.
    pub(super) fn resume(&mut self, lab: &Lab) {
        assert!(self.process.is_none(), "Kea runs already");
        let mut process = self.spawn(lab);
        let until = Until::patience();
        while self.ask("version-get", Value::Null).is_err() {
            assert!(until.pending(), "Kea is not ready; it wrote:\n{}", self.log());
            if process.try_wait().expect("it is our child").is_some() {
                process = self.spawn(lab);
            }
        }
        self.process = Some(process);
    }

    fn spawn(&self, lab: &Lab) -> Child {
        let directory = self.directory.path();
        let output = std::fs::File::create(directory.join("kea.out")).expect("the directory is writable");
        let mut command = lab.server("kea-dhcp6");
        command
            .arg("-c")
            .arg(self.config())
            .env("KEA_PIDFILE_DIR", directory)
            .env("KEA_LOCKFILE_DIR", directory);
        command.stdin(Stdio::null()).stdout(output.try_clone().expect("a descriptor")).stderr(output);
        command.spawn().expect("kea-dhcp6 starts")
    }

    /// Ends Kea by SIGTERM, as a service manager would.
    pub(super) fn terminate(&mut self) {
        let mut child = self.process.take().expect("Kea runs");
        signal(child.id(), "TERM");
        let until = Until::patience();
        while child.try_wait().expect("it is our child").is_none() {
            assert!(until.pending(), "Kea does not end; it wrote:\n{}", self.log());
        }
    }

    /// Ends Kea by SIGKILL, as a crash would.
    pub(super) fn kill(&mut self) {
        let mut child = self.process.take().expect("Kea runs");
        child.kill().expect("it is our child");
        child.wait().expect("it is our child");
    }

    pub(super) fn config(&self) -> PathBuf {
        self.directory.path().join("kea-dhcp6.conf")
    }

    pub(super) fn lease_file(&self) -> PathBuf {
        self.directory.path().join(plan::LEASE_FILE)
    }

    /// Returns addresses (of prefixes too) and DUIDs of all rows in the lease file and in those of a cleanup.
    pub(super) fn rows(&self) -> (BTreeSet<Ipv6Addr>, BTreeSet<Vec<u8>>) {
        let current = self.lease_file();
        let with = |suffix: &str| PathBuf::from(format!("{}{suffix}", current.display()));
        let files = [current.clone(), with(".1"), with(".2"), with(".completed")];
        let text: String = files.iter().filter_map(|file| std::fs::read_to_string(file).ok()).collect();
        let rows = text.lines().filter_map(|row| {
            let mut columns = row.split(',');
            Some((columns.next()?.parse::<Ipv6Addr>().ok()?, parse_hex(columns.next()?).ok()?))
        });
        rows.unzip()
    }

    /// Sends a command and returns its `arguments`; panics if Kea refuses it.
    pub(super) fn command(&self, name: &str, arguments: Value) -> Value {
        let mut answer = self.ask(name, arguments).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(answer["result"], 0, "{name}: {answer}");
        answer["arguments"].take()
    }

    /// Makes Kea ignore clients, so that its leases do not change: on a busy host, messages of former clients
    /// may still wait in its socket.
    pub(super) fn pause_service(&self) {
        self.command_done("dhcp-disable");
    }

    /// Makes Kea serve clients again.
    pub(super) fn resume_service(&self) {
        self.command_done("dhcp-enable");
    }

    fn command_done(&self, name: &str) {
        let answer = self.ask(name, Value::Null).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(answer["result"], 0, "{name}: {answer}");
    }

    /// Returns all of Kea's leases, in any state.
    pub(super) fn leases(&self) -> Vec<Lease> {
        const EMPTY: u64 = 3;
        let answer =
            self.ask("lease6-get-all", Value::Null).unwrap_or_else(|e| panic!("lease6-get-all: {e}"));
        assert!(matches!(answer["result"].as_u64(), Some(0 | EMPTY)), "lease6-get-all: {answer}");
        let leases = answer["arguments"]["leases"].as_array().cloned().unwrap_or_default();
        leases
            .iter()
            .map(|lease| lease_of(lease).unwrap_or_else(|| panic!("a lease lacks a field: {lease}")))
            .collect()
    }

    fn ask(&self, name: &str, arguments: Value) -> Result<Value, String> {
        let command = match arguments {
            Value::Null => json!({ "command": name }),
            arguments => json!({ "command": name, "arguments": arguments }),
        };
        let answer = converse(&self.directory.path().join(plan::CONTROL_SOCKET), &command.to_string());
        serde_json::from_str(&answer.map_err(|e| e.to_string())?).map_err(|e| e.to_string())
    }

    fn log(&self) -> String {
        ["kea.out", plan::LOG_FILE]
            .map(|file| std::fs::read_to_string(self.directory.path().join(file)).unwrap_or_default())
            .concat()
    }
}

impl Drop for Kea {
    fn drop(&mut self) {
        if let Some(child) = &mut self.process {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("Kea's last lines were:\n{}", lines[lines.len().saturating_sub(30)..].join("\n"));
        }
    }
}

/// Sends one command and returns the answer, after which Kea closes the stream.
fn converse(socket: &Path, command: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(command.as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn lease_of(lease: &Value) -> Option<Lease> {
    let number = |key: &str| lease[key].as_u64();
    let prefix_len = match lease["type"].as_str()? {
        "IA_NA" => None,
        "IA_PD" => Some(u8::try_from(number("prefix-len")?).ok()?),
        _ => return None,
    };
    Some(Lease {
        address: lease["ip-address"].as_str()?.parse().ok()?,
        prefix_len,
        duid: parse_hex(lease["duid"].as_str()?).ok()?,
        subnet_id: u32::try_from(number("subnet-id")?).ok()?,
        cltt: number("cltt")?,
        valid_s: u32::try_from(number("valid-lft")?).ok()?,
        preferred_s: u32::try_from(number("preferred-lft")?).ok()?,
        link_layer: link_layer_by_relay(lease),
        state: number("state")?,
    })
}

/// Returns the Ethernet address in the relay options that Kea keeps with the lease (`store-extended-info`).
fn link_layer_by_relay(lease: &Value) -> Option<Vec<u8>> {
    let kept = &lease["user-context"]["ISC"];
    let relays = ["relay-info", "relays"].iter().find_map(|key| kept[*key].as_array())?; // `relays` before Kea 2.3.2
    let stored =
        relays.iter().filter_map(|relay| parse_hex(relay["options"].as_str()?.strip_prefix("0x")?).ok());
    let mut addresses = stored.filter_map(|octets| {
        let options = options(&octets).ok()?;
        let body = single(&options, code::CLIENT_LINKLAYER_ADDR).ok()??;
        body.strip_prefix(&[0, 1]).map(<[u8]>::to_vec)
    });
    addresses.next()
}
