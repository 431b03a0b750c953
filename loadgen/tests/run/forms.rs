//! Other kinds of queries and targets, and the reports beside the summary.

use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::stub::{Defect, Stub};
use crate::{lease_file, lqload, run};

/// Runs an echo server during a test; every `changes`-th datagram comes back changed.
fn with_echo<T>(changes: Option<u64>, test: impl FnOnce(&str) -> T) -> T {
    let socket = UdpSocket::bind("[::1]:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let target = socket.local_addr().unwrap().to_string();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let thread = std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        let mut number = 0;
        while !stopped.load(Ordering::Relaxed) {
            let Ok((len, source)) = socket.recv_from(&mut buffer) else { continue };
            number += 1;
            if changes.is_some_and(|every| number % every == 0) {
                buffer[len - 1] ^= 1;
            }
            let _ = socket.send_to(&buffer[..len], source);
        }
    });
    let done = test(&target);
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
    done
}

#[test]
fn an_unchanged_echo_counts_as_an_answer() {
    let directory = tempfile::tempdir().unwrap();
    let leases = lease_file(directory.path());
    let json = directory.path().join("report.json");
    let usual =
        ["--echo", "--window", "32", "--queries", "500", "--timeout", "5s", "--json", json.to_str().unwrap()];
    for flags in [&[][..], &["--relayed", "0.5", "--oro", "47"], &["--gso", "64", "--ports", "2"]] {
        let output = with_echo(None, |target| lqload(target, &leases, &[&usual, flags].concat()));
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(0), "{text}");
        let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
        assert_eq!((&report["answered"], &report["echo"]), (&500.into(), &true.into()), "{text}");
    }
    let output = with_echo(Some(10), |target| lqload(target, &leases, &usual));
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("changed: an echo that differs from the query"), "{text}");
}

#[test]
fn a_restart_queries_each_lease_of_a_link_once() {
    for threads in ["1", "2"] {
        let (status, text, report) =
            run(Defect::None, 1_000_000, &["--order", "reboot", "--verify", "--threads", threads]);
        assert_eq!((status, &report["sent"], &report["bindings"]), (Some(0), &3.into(), &3.into()), "{text}");
    }
    let (status, text, _) = run(Defect::None, 10, &["--order", "reboot", "--link", "9"]);
    assert_eq!(status, Some(2), "{text}");
    assert!(text.contains("no valid lease is of subnet 9"), "{text}");
}

#[test]
fn zipf_queries_every_subject() {
    let (status, text, report) = run(
        Defect::None,
        300,
        &["--order", "zipf=1.2", "--verify", "--mix", "address=1,prefix=1,client-id=1"],
    );
    assert_eq!((status, &report["bindings"]), (Some(0), &300.into()), "{text}");
}

#[test]
fn a_list_is_queried_without_verification() {
    let directory = tempfile::tempdir().unwrap();
    let list = directory.path().join("list");
    std::fs::write(&list, "2001:db8:1::a\n00:03:bb\n").unwrap();
    let stub = Stub::start(Defect::None);
    let output = Command::new(env!("CARGO_BIN_EXE_lqload"))
        .args(["run", "--target", &stub.target(), "--queries", "40", "--list"])
        .arg(&list)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("address 50 %, client-id 50 %"), "{text}");
    assert!(text.contains("40 with bindings"), "{text}");
}

#[test]
fn reports_are_written_and_compared() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (json, hgrm, html) = (place("a.json"), place("a.hgrm"), place("a.html"));
    let stub = Stub::start(Defect::None);
    let flags = ["--window", "8", "--queries", "200", "--json", &json, "--hgrm", &hgrm, "--html", &html];
    let output = lqload(&stub.target(), &lease_file(directory.path()), &flags);
    assert_eq!(output.status.code(), Some(0));
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    assert!(read(&hgrm).contains("Total count    =          200]"));
    let page = read(&html);
    assert_eq!(page.matches("<svg").count(), 3);
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    for elsewhere in ["http://", "https://", "<script", "<link", "@import"] {
        assert!(!page.contains(elsewhere), "the page needs {elsewhere}");
    }
    let compare = |a: &str, b: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_lqload")).args(["compare", a, b]).output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code(), text)
    };
    let (status, text) = compare(&json, &json);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("1.000") && !text.contains("differ"), "{text}");
    let (status, text) = compare(&json, &hgrm);
    assert_eq!(status, Some(2), "{text}");
    assert!(text.contains("give a report that lqload run --json has written"), "{text}");
}
