//! Odd answers, odd files of questions, and output that cannot be written: `lq` ends with the right status,
//! never by a panic.

use std::fs::File;
use std::process::Stdio;

use libtest_mimic::{Failed, Trial};
use serde_json::json;

use super::file;
use super::proxy::Proxy;
use super::sample::{duid, fixture};
use crate::support::{Lqd, lq};

pub fn trials() -> Vec<Trial> {
    tests! {
        clt_time_before_1970,
        silence_about_one_link_is_incomplete,
        files_with_foreign_line_ends_and_encodings,
        folder_as_file_is_an_error,
        unwritable_output_sets_the_exit_status,
    }
}

/// Returns line number and result of each line of JSON.
fn results(stdout: &str) -> Vec<(u64, String)> {
    file::results(stdout).into_iter().map(|(line, result, _)| (line, result)).collect()
}

/// Values of OPTION_CLT_TIME beyond 1970.
fn clt_time_before_1970() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    for age in [1 << 31, u32::MAX - 1, u32::MAX] {
        let odd = Proxy::before(lqd.address, move |_, _, mut answer| {
            let option = answer.windows(4).position(|octets| octets == [0, 46, 0, 4]);
            if let Some(at) = option {
                answer[at + 4..at + 8].copy_from_slice(&u32::to_be_bytes(age));
            }
            vec![answer]
        });
        let server = odd.address.to_string();
        let page = lq::run(&["-s", &server, "addr", "2001:db8:1::1"]);
        assert_eq!(page.code, Some(0), "{page:?}");
        assert!(page.stdout.contains("1970-01-01 00:00:00 UTC"), "{page:?}");
        let directory = tempfile::tempdir()?;
        let questions = directory.path().join("questions");
        std::fs::write(&questions, "2001:db8:1::1\n2001:db8:1::2\n2001:db8:1::99\n")?;
        let file = questions.to_str().ok_or("the path is UTF-8")?;
        let ended = lq::run(&["-s", &server, "-f", file]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let want = [(1, "found"), (2, "found"), (3, "no-binding")];
        assert_eq!(results(&ended.stdout), want.map(|(line, result)| (line, result.to_owned())));
    }
    Ok(())
}

/// Bindings on one link, and silence about the other: found, but incomplete.
fn silence_about_one_link_is_incomplete() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    const SECOND_LINK: [u8; 8] = [0x20, 0x01, 0x0d, 0xb8, 0, 2, 0, 0];
    let forgetful = Proxy::before(lqd.address, |_, query, answer| {
        let asks_second = query.windows(8).any(|octets| octets == SECOND_LINK);
        if asks_second { vec![] } else { vec![answer] }
    });
    let server = forgetful.address.to_string();
    let arguments = ["-s", &server, "--timeout", "50ms", "--retries", "1", "duid", &duid("02")];
    let answer = lq::json(&arguments);
    assert_eq!((&answer["result"], &answer["exit_status"]), (&json!("incomplete"), &json!(5)), "{answer}");
    assert_eq!(answer["clients"].as_array().map(Vec::len), Some(1), "{answer}");
    let page = lq::run(&arguments);
    assert_eq!(page.code, Some(5), "{page:?}");
    assert!(page.stdout.contains("incomplete"), "{page:?}");
    Ok(())
}

/// A byte order mark, CRLF, octets that are not UTF-8, a line without end.
fn files_with_foreign_line_ends_and_encodings() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let directory = tempfile::tempdir()?;
    let questions = directory.path().join("questions");
    let long = [&b"addr 2001:db8:1::1 "[..], &[b'x'; 100_000]].concat();
    let lines: [&[u8]; 7] = [
        b"\xef\xbb\xbf2001:db8:1::1\r\n",
        b"addr 2001:db8:1::1\xff\r\n",
        b"\r\n",
        b"# \xc3\x28\n",
        &[&long[..], b"\n"].concat(),
        b"\taddr 2001:db8:1::99 \r\n",
        b"2001:db8:1::2",
    ];
    std::fs::write(&questions, lines.concat())?;
    let file = questions.to_str().ok_or("the path is UTF-8")?;
    let ended = lq::run(&["-s", &lqd.address.to_string(), "-f", file]);
    let want = [(1, "found"), (2, "not-asked"), (5, "not-asked"), (6, "no-binding"), (7, "found")];
    assert_eq!(results(&ended.stdout), want.map(|(line, result)| (line, result.to_owned())), "{ended:?}");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    Ok(())
}

/// A folder sends no query, and the error names it.
fn folder_as_file_is_an_error() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().to_str().ok_or("the path is UTF-8")?;
    let ended = lq::run(&["-s", "[::1]:9", "-f", file]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("Is a directory"), "{ended:?}");
    Ok(())
}

/// A full disk or a closed pipe gives an exit status of its own, or that of the answer if only notes were
/// lost.
fn unwritable_output_sets_the_exit_status() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let server = lqd.address.to_string();
    let full: fn() -> std::io::Result<Stdio> = || Ok(File::options().write(true).open("/dev/full")?.into());
    let gone: fn() -> std::io::Result<Stdio> = || Ok(std::io::pipe()?.1.into());
    let directory = tempfile::tempdir()?;
    let questions = directory.path().join("questions");
    std::fs::write(&questions, "2001:db8:1::1\n2001:db8:1::2\n")?;
    let file = questions.to_str().ok_or("the path is UTF-8")?;
    for arguments in [["addr", "2001:db8:1::1"], ["-f", file]] {
        for (name, sink) in [("full", full), ("gone", gone)] {
            let run = |is_stdout: bool| -> std::io::Result<Option<i32>> {
                let mut command = lq::command(&[&["-s", &server, "--trace"][..], &arguments].concat());
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                if is_stdout {
                    command.stdout(sink()?)
                } else {
                    command.stderr(sink()?)
                };
                Ok(command.status()?.code())
            };
            assert_eq!(run(false)?, Some(0), "{arguments:?}: standard error is {name}, the answer is whole");
            assert_eq!(run(true)?, Some(2), "{arguments:?}: standard output is {name}");
        }
    }
    Ok(())
}
