//! Many questions from a file or standard input.

use std::io::Write;
use std::process::Stdio;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use super::proxy::Proxy;
use super::sample::fixture;
use crate::support::{Lqd, lq};

pub fn trials() -> Vec<Trial> {
    tests! {
        one_line_per_question_in_order,
        outstanding_queries_are_limited,
        questions_from_standard_input,
    }
}

const QUESTIONS: &str = "\
# who holds what
2001:db8:1::1

addr 2001:db8:1::99
duid 00:03:00:01:02:00:00:00:00:02 link=2001:db8:2::
what is this?
00-03-00-01-02-00-00-00-00-02
addr 2001:db8:ffff::1
";

/// Line, result and exit_status of each line.
const RESULTS: [(u64, &str, u64); 6] = [
    (2, "found", 0),
    (4, "no-binding", 1),
    (5, "found", 0),
    (6, "not-asked", 2),
    (7, "found", 0),
    (8, "refused", 3),
];

/// Returns line number, result and exit_status of each line of JSON.
pub(super) fn results(stdout: &str) -> Vec<(u64, String, u64)> {
    let read = |line: &str| -> Value { serde_json::from_str(line).expect("a line of JSON") };
    let number = |value: &Value| value.as_u64().expect("a number");
    let lines = stdout.lines().map(read);
    lines
        .map(|line| {
            let result = line["result"].as_str().expect("a word").to_owned();
            (number(&line["line"]), result, number(&line["exit_status"]))
        })
        .collect()
}

fn assert_results(stdout: &str) {
    let want = RESULTS.map(|(line, result, exit)| (line, result.to_owned(), exit));
    assert_eq!(results(stdout), want, "{stdout}");
}

fn one_line_per_question_in_order() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let directory = tempfile::tempdir()?;
    let questions = directory.path().join("questions");
    std::fs::write(&questions, QUESTIONS)?;
    let file = questions.to_str().ok_or("the path is UTF-8")?;
    for concurrency in ["1", "64"] {
        let ended = lq::run(&["-s", &lqd.address.to_string(), "-f", file, "--concurrency", concurrency]);
        assert_eq!(ended.code, Some(3), "the worst of all: {ended:?}");
        assert_results(&ended.stdout);
        let summary = "3 found, 0 incomplete, 1 without binding, 1 refused, 0 without reply, 1 not asked";
        assert!(ended.stderr.starts_with("6 queries in ") && ended.stderr.contains(summary), "{ended:?}");
    }
    let missing = lq::run(&["-f", directory.path().join("none").to_str().ok_or("the path is UTF-8")?]);
    assert_eq!(missing.code, Some(2), "{missing:?}");
    assert!(missing.stderr.contains("none: No such file"), "{missing:?}");
    Ok(())
}

/// A server that holds its answers back until it has the permitted number of queries: fewer outstanding
/// queries would get no reply, and it must never see more.
fn outstanding_queries_are_limited() -> Result<(), Failed> {
    const ALLOWED: usize = 8;
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let to_lqd = crate::support::Requestor::new(lqd.address);
    let mut held: Vec<Vec<u8>> = Vec::new();
    let bunching = Proxy::start(Box::new(move |_, query| {
        held.push(query.to_vec());
        if held.len() < ALLOWED {
            return Vec::new();
        }
        held.drain(..).map(|query| to_lqd.ask(&query).expect("lqd answers").0).collect()
    }));
    let directory = tempfile::tempdir()?;
    let questions = directory.path().join("questions");
    // Equal questions would be sent once.
    let different: String = (0..ALLOWED).map(|host| format!("2001:db8:1::9{host}\n")).collect();
    std::fs::write(&questions, different)?;
    let file = questions.to_str().ok_or("the path is UTF-8")?;
    let flags = ["--concurrency", "8", "--timeout", "30s", "--retries", "0", "-f", file];
    let ended = lq::run(&[&["-s", &bunching.address.to_string()][..], &flags].concat());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(results(&ended.stdout).len(), ALLOWED);
    assert_eq!(
        bunching.queries.lock().expect("no panic while held").len(),
        ALLOWED,
        "nothing was sent again"
    );
    Ok(())
}

fn questions_from_standard_input() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let mut command = lq::command(&["-s", &lqd.address.to_string(), "--file", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().ok_or("it is piped")?.write_all(QUESTIONS.as_bytes())?;
    let output = child.wait_with_output()?;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_results(&String::from_utf8(output.stdout)?);
    Ok(())
}
