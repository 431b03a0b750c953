//! Certificates and access rules that change while the server runs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use super::certificates::{Authority, Issued};
use super::peer::{Peer, QUERY};
use super::server::Served;
use crate::bulk::server::await_bulk;
use crate::support::http::get_unix;

pub fn trials() -> Vec<Trial> {
    tests! {
        open_connections_outlive_a_renewal needs Python,
        changed_files_are_read_without_a_signal needs Python,
        unusable_files_leave_the_old_ones needs Python,
        a_certificate_is_known_by_any_name needs Python,
        a_reload_ends_connections_of_certificates_that_it_no_longer_names needs Python,
        the_query_log_names_the_certificate needs Python,
        expiry_is_told_everywhere needs Python,
        the_commands_of_the_documents_make_certificates needs Python,
    }
}

fn secured(served: &Served) -> (Peer, String) {
    Peer::secured(served.port, "1.3", &served.ca.file, &served.requestor)
}

/// The SHA-256 of a certificate or key, by openssl.
fn sha256(command: &str) -> Result<String, Failed> {
    let output = Command::new("sh").args(["-c", &format!("{command} | openssl dgst -sha256 -r")]).output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.split_whitespace().next().ok_or("a digest")?.to_owned())
}

fn digest_of(issued: &Issued) -> Result<String, Failed> {
    sha256(&format!("openssl x509 -in {} -outform DER", issued.certificate.display()))
}

/// T12.
fn open_connections_outlive_a_renewal() -> Result<(), Failed> {
    let served = Served::start("required", &[])?;
    let (mut old, before) = secured(&served);
    old.ask();
    let renewed = served.ca.issue_server();
    served.reload();
    let (mut new, after) = secured(&served);
    assert_ne!(after, before);
    assert_eq!(after, digest_of(&renewed)?);
    new.ask();
    old.ask();
    assert_eq!(served.lqd.stop(), 0);
    Ok(())
}

/// T12: the files are moved to their places one by one, under the sandbox.
fn changed_files_are_read_without_a_signal() -> Result<(), Failed> {
    let served = Served::start("required", &["--sandbox=auto"])?;
    let (mut old, _) = secured(&served);
    let renewed = served.ca.issue_server();
    served.lqd.await_line(0, |line| line.contains("new connections get the new certificate"));
    let (mut new, after) = secured(&served);
    assert_eq!(after, digest_of(&renewed)?);
    new.ask();
    old.ask();
    let metrics = get_unix(&served.fixture.admin_socket(), "/metrics").body;
    assert!(metrics.contains("lqd_tls_renewals_total{result=\"applied\"} 1\n"), "{metrics}");
    assert_eq!(served.lqd.stop(), 0);
    Ok(())
}

fn unusable_files_leave_the_old_ones() -> Result<(), Failed> {
    let served = Served::start("required", &[])?;
    let (_, before) = secured(&served);
    let certificate = served.fixture.directory().join("tls/server.pem");
    let good = fs::read(&certificate)?;
    fs::write(&certificate, &good[..good.len() / 2])?;
    served.lqd.await_line(0, |line| {
        line.contains("unusable; those read before stay") && line.contains("server.pem")
    });
    let lines = served.lqd.line_count();
    served.lqd.signal("HUP");
    served
        .lqd
        .await_line(lines, |line| line.contains("configuration rejected") && line.contains("server.pem"));
    let (mut peer, after) = secured(&served);
    assert_eq!(after, before);
    peer.ask();
    // A certificate with the key of another one.
    let stranger = served.ca.issue_expired(&["dns:lqd.example.net"]);
    fs::copy(&stranger.certificate, &certificate)?;
    let lines = served.lqd.line_count();
    served.lqd.signal("HUP");
    served.lqd.await_line(lines, |line| line.contains("server.key") && line.contains("does not belong"));
    fs::write(&certificate, good)?;
    served.reload();
    secured(&served).0.ask();
    assert_eq!(served.lqd.stop(), 0);
    Ok(())
}

/// T8.
fn a_certificate_is_known_by_any_name() -> Result<(), Failed> {
    let served = Served::start("required", &[])?;
    let names = ["dns:other.example.net", "uri:urn:example:bng:7", "ip:2001:db8::7"];
    let own = served.ca.issue(&names);
    let public_key = format!("openssl x509 -in {} -pubkey -noout", own.certificate.display());
    let pin = format!("sha256:{}", sha256(&format!("{public_key} | openssl pkey -pubin -outform DER"))?);
    let wrong = format!("sha256:{}", "0".repeat(64));
    for name in names.into_iter().chain([pin.as_str()]) {
        served.name(&[&wrong, name])?;
        Peer::secured(served.port, "1.3", &served.ca.file, &own).0.ask();
    }
    served.name(&[&wrong])?;
    let (mut peer, _) = Peer::secured(served.port, "1.3", &served.ca.file, &own);
    assert_eq!(peer.receive(), "closed");
    let line = served.lqd.await_line(0, |line| line.contains("does not name its certificate"));
    assert!(line.contains(&pin) && line.contains("uri:urn:example:bng:7"), "{line}");
    // No names at all: none is admitted.
    served.name(&[])?;
    let (mut peer, _) = Peer::secured(served.port, "1.3", &served.ca.file, &own);
    assert_eq!(peer.receive(), "closed");
    assert_eq!(served.lqd.stop(), 0);
    Ok(())
}

/// T13.
fn a_reload_ends_connections_of_certificates_that_it_no_longer_names() -> Result<(), Failed> {
    let served = Served::start("required", &[])?;
    let (mut peer, _) = secured(&served);
    peer.ask();
    served.name(&["dns:bng2.example.net"])?;
    peer.send(QUERY);
    assert_eq!(peer.receive(), "closed");
    await_bulk(&served.fixture, |bulk| bulk["connections"]["open"] == 0)?;
    assert_eq!(served.lqd.stop(), 0);
    Ok(())
}

fn the_query_log_names_the_certificate() -> Result<(), Failed> {
    let log = tempfile::tempdir()?;
    let file = log.path().join("queries.log");
    let served = Served::start("offered", &[&format!("--query-log={}", file.display())])?;
    secured(&served).0.ask();
    assert_eq!(served.lqd.stop(), 0);
    let text = fs::read_to_string(&file)?;
    let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let seen: Vec<_> =
        lines.iter().map(|line| (&line["outcome"], &line["transport"], &line["certificate"])).collect();
    let certificate = Value::from("dns:bng1.example.net");
    assert_eq!(
        seen,
        [
            (&"tls_started".into(), &"tcp".into(), &Value::Null),
            (&"unknown_query_type".into(), &"tls".into(), &certificate)
        ]
    );
    Ok(())
}

/// At a reload, in `lqd check` and in metrics; an expired certificate and an open key are no reason to stop.
fn expiry_is_told_everywhere() -> Result<(), Failed> {
    let served = Served::start("offered", &[])?;
    let expired = served.ca.issue_server_for((2020, 2021));
    fs::set_permissions(&expired.key, fs::Permissions::from_mode(0o644))?;
    served.reload();
    served.lqd.await_line(0, |line| line.contains("has expired, 2021-01-01") && line.contains("server.pem"));
    served.lqd.await_line(0, |line| line.contains("has mode 0644") && line.contains("chmod 0600"));
    let metrics = get_unix(&served.fixture.admin_socket(), "/metrics").body;
    // 2021-01-01 and 2100-01-01, by date -d.
    for line in [
        "lqd_tls_not_after_timestamp_seconds{certificate=\"server\"} 1609459200",
        "lqd_tls_not_after_timestamp_seconds{certificate=\"ca\"} 4102444800",
        "lqd_tls_handshakes_total{result=\"ok\"} 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
    let checked = served.check();
    assert_eq!(checked.code, Some(0), "{checked:?}");
    for part in ["TLS            offered for bulk", "2021-01-01T00:00:00Z, expired", "2100-01-01T00:00:00Z"] {
        assert!(checked.stdout.contains(part), "{part} in {checked:?}");
    }
    let other = Authority::new(served.fixture.directory(), "other");
    fs::copy(&other.file, &expired.certificate)?;
    let checked = served.check();
    assert_eq!(checked.code, Some(2), "{checked:?}");
    assert!(checked.stderr.contains("server.key: the private key does not belong"), "{checked:?}");
    assert_eq!(served.lqd.stop(), 0);
    Ok(())
}

/// The commands of deploy/BULK.md, as written there.
fn the_commands_of_the_documents_make_certificates() -> Result<(), Failed> {
    let served = Served::start("required", &[])?;
    let document = include_str!("../../../deploy/BULK.md");
    let blocks = document.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let commands = blocks.filter(|block| block.contains("openssl req")).collect::<String>();
    let folder = served.fixture.directory().join("tls");
    let done = Command::new("sh").args(["-ec", &commands]).current_dir(&folder).output()?;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    served.reload();
    let own = Issued { certificate: folder.join("bng1.pem"), key: folder.join("bng1.key") };
    Peer::secured(served.port, "1.3", &folder.join("ca.pem"), &own).0.ask();
    assert_eq!(served.lqd.stop(), 0);
    Ok(())
}
