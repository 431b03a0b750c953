//! `lq bulk --tls` as the other side: a server that is proved, and every certificate that is not.

use std::fs;
use std::path::Path;

use libtest_mimic::{Failed, Trial};

use super::certificates::{Authority, Issued, REQUESTOR};
use super::server::Served;
use crate::support::lq;
use crate::support::lqd::Ended;

/// Name in the server's certificate.
const NAME: &str = "lqd.example.net";

pub fn trials() -> Vec<Trial> {
    tests! {
        bindings_are_the_same_with_and_without_tls,
        lq_names_the_fault_of_each_certificate,
        a_server_without_tls_gets_no_query,
    }
}

/// Runs `lq bulk` on a link of the sample network.
fn bulk(port: u16, flags: &[&str]) -> Ended {
    let server = format!("[::1]:{port}");
    lq::run(&[&["-s", &server, "bulk", "--link", "2001:db8:2::1", "--json"][..], flags].concat())
}

/// Runs it with TLS, expecting `name` in the server's certificate.
fn encrypted(port: u16, own: &Issued, ca: &Path, name: &str) -> Ended {
    let [cert, key, ca] = [&own.certificate, &own.key, ca].map(|path| path.to_str().expect("UTF-8"));
    bulk(port, &["--tls", "--cert", cert, "--key", key, "--ca", ca, "--tls-name", name])
}

/// The bindings, without times of arrival.
fn values(ended: &Ended) -> Vec<String> {
    let lines =
        ended.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let leases = lines.flat_map(|line| line["leases"].as_array().cloned().unwrap_or_default());
    leases.map(|lease| lease["value"].to_string()).collect()
}

fn bindings_are_the_same_with_and_without_tls() -> Result<(), Failed> {
    let served = Served::start("offered", &[])?;
    let ended = encrypted(served.port, &served.requestor, &served.ca.file, NAME);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let plain = bulk(served.port, &[]);
    assert_eq!(plain.code, Some(0), "{plain:?}");
    assert!(!values(&plain).is_empty() && values(&ended) == values(&plain), "{ended:?}\n{plain:?}");
    served.await_handshakes(&[("ok", 1)])
}

fn lq_names_the_fault_of_each_certificate() -> Result<(), Failed> {
    let served = Served::start("required", &[])?;
    let folder = served.fixture.directory().join("other");
    fs::create_dir(&folder)?;
    let other = Authority::new(&folder, "other");
    let stranger = other.issue(&[REQUESTOR]);
    let rows = [
        (&served.requestor, &other.file, NAME, "is not of a CA in --ca"),
        (&served.requestor, &served.ca.file, "other.example.net", "is for another name"),
        (&stranger, &served.ca.file, NAME, "perhaps for the certificate of --cert"),
    ];
    for (own, ca, name, part) in rows {
        let ended = encrypted(served.port, own, ca, name);
        assert_eq!(ended.code, Some(3), "{part}: {ended:?}");
        assert!(ended.stderr.contains(part) && ended.stdout.is_empty(), "{part}: {ended:?}");
    }
    // Without TLS, and with it again.
    let plain = bulk(served.port, &[]);
    assert_eq!((plain.code, plain.stdout.as_str()), (Some(4), ""), "{plain:?}");
    let ended = encrypted(served.port, &served.requestor, &served.ca.file, NAME);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    Ok(())
}

fn a_server_without_tls_gets_no_query() -> Result<(), Failed> {
    let served = Served::start("off", &[])?;
    let ended = encrypted(served.port, &served.requestor, &served.ca.file, NAME);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("the server refuses TLS: TLSConnectionRefused(15)"), "{ended:?}");
    Ok(())
}
