//! `lqload run` against a server that answers rightly, or with each kind of defect.
//!
//! The server is written octet by octet: neither its parser nor its answers share code with lqload.
#![forbid(unsafe_code)]

mod active;
mod forms;
mod paced;
mod stub;
mod truth;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use stub::{Defect, Stub};

/// Writes a lease file: client A has an address and a /56 in subnet 1, client B an address there.
fn lease_file(directory: &Path) -> PathBuf {
    let (valid, preferred) = (stub::VALID_LIFETIME, stub::PREFERRED_LIFETIME);
    let expire = stub::last_transaction() + valid;
    let text = format!(
        "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,fqdn_fwd,\
         fqdn_rev,hostname,hwaddr,state,user_context,hwtype,hwaddr_source,pool_id\n\
         2001:db8:1::a,00:03:aa,{valid},{expire},1,{preferred},0,1,128,0,0,,,0,,,,0\n\
         2001:db8:a:aa00::,00:03:aa,{valid},{expire},1,{preferred},2,1,56,0,0,,,0,,,,0\n\
         2001:db8:1::b,00:03:bb,{valid},{expire},1,{preferred},0,1,128,0,0,,,0,,,,0\n"
    );
    let path = directory.join("kea-leases6.csv");
    std::fs::write(&path, text).unwrap();
    path
}

/// Runs `lqload run` with these flags after target and leases.
fn lqload(target: &str, leases: &Path, flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lqload"))
        .args(["run", "--target", target, "--leases"])
        .arg(leases)
        .args(flags)
        .output()
        .unwrap()
}

/// Runs so many queries against a stub with this defect; returns exit status, output and report.
fn run(defect: Defect, queries: u64, flags: &[&str]) -> (Option<i32>, String, Value) {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::start(defect);
    let json = directory.path().join("report.json");
    let queries = queries.to_string();
    let usual = ["--queries", &queries, "--window", "8", "--json", json.to_str().unwrap()];
    let output = lqload(&stub.target(), &lease_file(directory.path()), &[&usual, flags].concat());
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let report = std::fs::read(&json).map_or(Value::Null, |json| serde_json::from_slice(&json).unwrap());
    (output.status.code(), text, report)
}

const VERIFY: &[&str] = &["--verify", "--mix", "address=1,prefix=1,client-id=1,miss=1"];

#[test]
fn right_answers_to_every_subject_pass() {
    let flags = [VERIFY, &["--threads", "2", "--server-duid", "00:03:55"]].concat();
    let (status, text, report) = run(Defect::None, 1001, &flags);
    assert_eq!(status, Some(0), "{text}");
    let count = |key: &str| report[key].as_u64().unwrap();
    assert_eq!(
        (count("sent"), count("answered"), count("lost"), count("wrong")),
        (1001, 1001, 0, 0),
        "{text}"
    );
    assert_eq!(count("bindings") + count("no_binding"), 1001);
    assert!((150..350).contains(&count("no_binding")), "a quarter are misses: {text}");
    assert_eq!((&report["statuses"]["0"], &report["schema"]), (&1001.into(), &"lqload-run".into()));
    let latency = |key: &str| report["latency_ns"][key].as_u64().unwrap();
    assert!(0 < latency("min") && latency("min") <= latency("p50") && latency("p50") <= latency("max"));
    assert!(text.contains("answered            1,001"), "{text}");
}

#[test]
fn every_defect_is_reported_by_its_name() {
    for (defect, name) in [
        (Defect::Rubbish, "malformed"),
        (Defect::CutOption, "malformed"),
        (Defect::Query, "malformed"),
        (Defect::TransactionId, "transaction_id"),
        (Defect::Twice, "again"),
        (Defect::Requestor, "requestor"),
        (Defect::NoServerId, "server_id"),
        (Defect::NotAllowed, "status"),
        (Defect::NoBinding, "no_binding"),
        (Defect::OtherClient, "client"),
        (Defect::NoPrefix, "incomplete"),
        (Defect::NoCltTime, "incomplete"),
        (Defect::OtherAddress, "foreign"),
        (Defect::Lifetime, "lifetime"),
        (Defect::Preferred, "preferred"),
        (Defect::CltTime, "clt_time"),
    ] {
        let (status, text, report) =
            run(defect, 40, &["--verify", "--mix", "prefix=1", "--timeout", "200ms"]);
        assert_eq!(status, Some(1), "{defect:?}: {text}");
        let defects: Vec<_> = report["wrong_by_fault"].as_object().unwrap().keys().collect();
        assert_eq!(defects, [name], "{defect:?}: {text}");
        assert!(text.starts_with("WRONG ANSWERS: "), "{text}");
        assert_eq!(report["samples"][0]["fault"], name);
    }
    let (status, text, report) = run(Defect::Unleased, 40, &["--verify", "--mix", "miss=1"]);
    assert_eq!((status, &report["wrong_by_fault"]["unleased"]), (Some(1), &40.into()), "{text}");
    let (status, text, report) = run(Defect::None, 40, &["--server-duid", "00:03:56"]);
    assert_eq!((status, &report["wrong_by_fault"]["server_id"]), (Some(1), &40.into()), "{text}");
}

#[test]
fn without_verify_client_data_is_not_judged() {
    for defect in
        [Defect::OtherClient, Defect::NoPrefix, Defect::Lifetime, Defect::Preferred, Defect::CltTime]
    {
        let (status, text, report) = run(defect, 40, &["--mix", "prefix=1"]);
        assert_eq!((status, &report["wrong"]), (Some(0), &0.into()), "{defect:?}: {text}");
    }
}

#[test]
fn every_report_says_whether_answers_were_verified() {
    let directory = tempfile::tempdir().unwrap();
    let html = directory.path().join("report.html");
    let page = ["--html", html.to_str().unwrap()];
    let shown = |flags: &[&str]| {
        let (status, text, report) = run(Defect::None, 40, &[flags, &page].concat());
        assert_eq!(status, Some(0), "{text}");
        (text, report, std::fs::read_to_string(&html).unwrap())
    };
    let (text, report, page_text) = shown(&[]);
    assert!(text.starts_with("WARNING: the answers were not verified: "), "{text}");
    assert!(text.contains(", NOT VERIFIED\n") && text.contains("  not verified\n"), "{text}");
    assert_eq!(report["verified"], false);
    assert!(report["warnings"][0].as_str().unwrap().starts_with("the answers were not verified"), "{report}");
    for part in
        [r#"<p class="warning">the answers were not verified"#, "NOT VERIFIED", "wrong (not verified)"]
    {
        assert!(page_text.contains(part), "{part}: {page_text}");
    }
    let (text, report, page_text) = shown(&["--verify"]);
    assert_eq!(
        (&report["verified"], &report["warnings"]),
        (&true.into(), &Value::Array(Vec::new())),
        "{text}"
    );
    for shown in [&text, &page_text] {
        assert!(shown.contains(", verified") && !shown.to_lowercase().contains("not verified"), "{shown}");
    }
}

#[test]
fn lost_and_late_answers_are_not_wrong() {
    let short: &[&str] = &["--timeout", "300ms"];
    let (status, text, report) = run(Defect::EveryFourthLost, 40, &[VERIFY, short].concat());
    let count = |report: &Value, key: &str| report[key].as_u64().unwrap();
    assert_eq!((status, count(&report, "sent"), count(&report, "wrong")), (Some(0), 40, 0), "{text}");
    assert!(count(&report, "lost") >= 10, "{text}");
    assert_eq!(count(&report, "answered") + count(&report, "lost"), 40, "{text}");
    let flags = [VERIFY, short, &["--duration", "1200ms"]].concat();
    let (status, text, report) = run(Defect::FirstLate, 1_000_000_000, &flags);
    assert_eq!((status, count(&report, "wrong")), (Some(0), 0), "{text}");
    assert!(count(&report, "lost") >= 1 && count(&report, "late") >= 1, "{text}");
}

#[test]
fn the_servers_cpu_time_is_reported() {
    let pid = std::process::id().to_string();
    let (status, text, report) = run(Defect::None, 40, &["--server-pid", &pid]);
    assert_eq!(status, Some(0), "{text}");
    assert_eq!(report["server_cpu"]["pid"], std::process::id());
    assert!(report["server_cpu"]["seconds"].as_f64().unwrap() >= 0.0);
    assert!(text.contains("µs per answer"), "{text}");
}

#[test]
fn errors_end_with_status_2_and_their_cause() {
    let directory = tempfile::tempdir().unwrap();
    let leases = lease_file(directory.path());
    let empty = directory.path().join("empty.csv");
    std::fs::write(&empty, "").unwrap();
    let stub = Stub::start(Defect::None);
    let silent = Stub::start(Defect::Silent);
    let closed = stub::closed_port();
    for (what, target, leases, flags, why) in [
        ("no file", stub.target(), Path::new("/no/such/file"), &[][..], "/no/such/file: "),
        ("empty file", stub.target(), &empty, &[], "it is empty"),
        ("closed port", closed, &leases, &[], "nothing listens at"),
        ("silence", silent.target(), &leases, &["--timeout", "50ms"], "no answer from"),
        ("IPv4", "127.0.0.1:547".to_owned(), &leases, &[], "over IPv6"),
        ("no such process", stub.target(), &leases, &["--server-pid", "4294967295"], "no such process"),
        ("no such CPU", stub.target(), &leases, &["--cpus", "9999"], "--cpus: CPU 9999"),
        ("misspelt mix", stub.target(), &leases, &["--mix", "adress=1"], "none of address"),
    ] {
        let output = lqload(&target, leases, &[&["--queries", "1"], flags].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{what}: {error}");
        assert!(error.contains(why), "{what}: {error}");
    }
}

#[test]
fn a_mix_queries_only_what_the_leases_have() {
    let directory = tempfile::tempdir().unwrap();
    let leases = lease_file(directory.path());
    let text = std::fs::read_to_string(&leases).unwrap();
    let addresses: Vec<&str> = text.lines().filter(|line| !line.contains("a:aa00")).collect();
    std::fs::write(&leases, addresses.join("\n")).unwrap();
    let stub = Stub::start(Defect::None);
    let output = lqload(&stub.target(), &leases, &["--mix", "prefix=1", "--queries", "1"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("--mix queries prefix, but no valid lease is a prefix"), "{error}");
    let output = lqload(&stub.target(), &leases, &["--queries", "10"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("address 50 %, client-id 50 %"), "{text}");
}
