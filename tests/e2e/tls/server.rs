//! A server with TLS, its certificates, and its configuration.

use std::fs;
use std::path::PathBuf;

use libtest_mimic::Failed;
use serde_json::Value;

use super::certificates::{Authority, Issued, REQUESTOR};
use crate::bulk::server::{await_bulk, bulk_flag, with_admin};
use crate::conformance::fixture;
use crate::support::lqd::Ended;
use crate::support::{Fixture, Lqd};

/// Server, and files of both sides.
pub struct Served {
    pub lqd: Lqd,
    pub port: u16,
    pub fixture: Fixture,
    pub ca: Authority,
    /// The requestor's certificate, which the access rule names.
    pub requestor: Issued,
    config: PathBuf,
    flags: Vec<String>,
}

impl Served {
    /// Starts a server with `--bulk-tls USE` and more flags, whose access rule names [`REQUESTOR`].
    ///
    /// # Errors
    /// Files cannot be written.
    pub fn start(bulk_tls: &str, more: &[&str]) -> Result<Self, Failed> {
        let fixture = fixture();
        let folder = fixture.directory().join("tls");
        fs::create_dir(&folder)?;
        let ca = Authority::new(&folder, "ca");
        let (server, requestor) = (ca.issue_server(), ca.issue(&[REQUESTOR]));
        let config = fixture.directory().join("lqd.toml");
        // Relative, as from the file's folder.
        let files = "tls-certificate = 'tls/server.pem'\ntls-key = 'tls/server.key'\ntls-ca = 'tls/ca.pem'\n";
        assert!(server.certificate.ends_with("tls/server.pem"));
        fs::write(&config, format!("{files}{}", rule(&[REQUESTOR])))?;
        let (bulk, flag) = bulk_flag();
        let own = ["--bulk-tls", bulk_tls, "--config", config.to_str().expect("the path is UTF-8")];
        let flags = [with_admin(&fixture, &[&own, more].concat()), flag].concat();
        let lqd = Lqd::start(&flags);
        Ok(Self { lqd, port: bulk.port(), fixture, ca, requestor, config, flags })
    }

    /// Replaces the names of certificates in the access rule, and reloads.
    ///
    /// # Errors
    /// The configuration cannot be written.
    pub fn name(&self, names: &[&str]) -> Result<(), Failed> {
        let text = fs::read_to_string(&self.config)?;
        let files = text.split_once("[[access]]").ok_or("it has a rule")?.0;
        fs::write(&self.config, format!("{files}{}", rule(names)))?;
        self.reload();
        Ok(())
    }

    /// Reloads, and waits until the configuration is applied.
    pub fn reload(&self) {
        let before = self.lqd.line_count();
        self.lqd.signal("HUP");
        self.lqd.await_line(before, |line| line.contains("configuration applied"));
    }

    /// Runs `lqd check` with the flags of the server.
    pub fn check(&self) -> Ended {
        Lqd::run(&[&["check".to_owned()], self.flags.as_slice()].concat())
    }

    /// Waits until the handshakes have these results, and no others.
    ///
    /// # Errors
    /// The status cannot be read.
    pub fn await_handshakes(&self, results: &[(&str, u64)]) -> Result<(), Failed> {
        let of =
            |result: &str| results.iter().find(|(name, _)| *name == result).map_or(0, |(_, count)| *count);
        let is_so = |(result, count): (&String, &Value)| count.as_u64() == Some(of(result));
        await_bulk(&self.fixture, |bulk| {
            bulk["tls_handshakes"].as_object().is_some_and(|counts| counts.iter().all(is_so))
        })?;
        Ok(())
    }
}

fn rule(names: &[&str]) -> String {
    let names = names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    format!("[[access]]\nprefix = '::1'\nallow = true\ncertificates = [{names}]\n")
}
