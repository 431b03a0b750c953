//! A network that loses, repeats, delays and forges: invalid answers are logged and ignored.

use libtest_mimic::{Failed, Trial};

use super::proxy::Proxy;
use super::sample::fixture;
use crate::support::{Fixture, Lqd, lq};

pub fn trials() -> Vec<Trial> {
    tests! {
        lost_queries_are_retransmitted,
        forged_and_corrupted_answers_are_ignored,
        late_and_duplicate_answers_are_ignored,
        no_reply_after_all_transmissions,
    }
}

/// Starts a server; its files live as long as it does.
fn lqd() -> (Lqd, Fixture) {
    let fixture = fixture();
    (Lqd::start(&fixture.flags()), fixture)
}

/// Retransmissions are unchanged; lqd-requestor tests their times with a virtual clock.
fn lost_queries_are_retransmitted() -> Result<(), Failed> {
    const LOST: usize = 2;
    let (lqd, _files) = lqd();
    let lossy =
        Proxy::before(lqd.address, |number, _, answer| if number < LOST { vec![] } else { vec![answer] });
    let server = lossy.address.to_string();
    let ended =
        lq::run(&["-s", &server, "--timeout", "20ms", "--retries", "9", "--trace", "addr", "2001:db8:1::1"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for transmission in 1..=LOST + 1 {
        let part = format!(" to {server}, {transmission} of 10, 67 octets");
        assert!(ended.stderr.contains(&part), "no `{part}` in\n{}", ended.stderr);
    }
    assert!(ended.stdout.contains("found  2001:db8:1::1"), "{ended:?}");
    let queries = lossy.queries.lock().expect("no panic while held");
    assert!(
        queries.len() > LOST && queries.iter().all(|query| *query == queries[0]),
        "the same octets each time"
    );
    Ok(())
}

fn forged_and_corrupted_answers_are_ignored() -> Result<(), Failed> {
    let (lqd, _files) = lqd();
    let forging = Proxy::before(lqd.address, |_, query, answer| {
        let changed = |at: usize| {
            let mut octets = answer.clone();
            octets[at] ^= 0x55;
            octets
        };
        let without_server_id = [&answer[..18], &answer[32..]].concat(); // header 4, client-id 14, server-id 14
        let cut = answer[..answer.len() - 1].to_vec();
        vec![changed(2), changed(17), without_server_id, cut, query.to_vec(), vec![15], answer]
    });
    let ended = lq::run(&["-s", &forging.address.to_string(), "--trace", "addr", "2001:db8:1::1"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let reasons = [
        "belongs to no query of ours",
        "the client-id is another requestor's",
        "no server-id",
        "malformed: the octets end inside an option or header",
        "a LEASEQUERY, which only servers accept",
        "too short for a DHCPv6 message",
    ];
    for reason in reasons {
        let line = ended.stderr.lines().find(|line| line.contains("ignored from") && line.contains(reason));
        assert!(line.is_some(), "no line that ignores for `{reason}` in\n{}", ended.stderr);
    }
    assert!(ended.stderr.lines().any(|line| line.contains(" answer ")), "{ended:?}");
    assert!(ended.stdout.contains("found  2001:db8:1::1"), "{ended:?}");
    Ok(())
}

/// The answer to the first question is held back until the second is asked, whose answer comes twice. The
/// second copy counts as late or as duplicate, depending on the exchange that ends first in `lq`; an
/// unanswered third question makes `lq` still read it.
fn late_and_duplicate_answers_are_ignored() -> Result<(), Failed> {
    let (lqd, _files) = lqd();
    let mut held = None;
    let slow = Proxy::before(lqd.address, move |_, _, answer| match held.take() {
        None => {
            held = Some(answer);
            vec![]
        }
        Some(late) => vec![late, answer.clone(), answer],
    });
    let directory = tempfile::tempdir()?;
    let questions = directory.path().join("questions");
    std::fs::write(&questions, "2001:db8:1::1\n2001:db8:1::2\n2001:db8:1::3\n")?;
    let server = slow.address.to_string();
    let questions = questions.to_str().ok_or("the path is UTF-8")?;
    let flags = ["--timeout", "200ms", "--retries", "0", "--concurrency", "1", "--trace", "-f", questions];
    let ended = lq::run(&[&["-s", &server][..], &flags].concat());
    assert_eq!(ended.code, Some(4), "{ended:?}");
    let ignored: Vec<_> = ended.stderr.lines().filter(|line| line.contains(" ignored from ")).collect();
    assert_eq!(ignored.len(), 2, "{}", ended.stderr);
    assert!(ignored[0].contains("late: the exchange"), "{}", ended.stderr);
    assert!(
        ["late: the exchange", "duplicate"].iter().any(|why| ignored[1].contains(why)),
        "{}",
        ended.stderr
    );
    let results: Vec<_> = ended.stdout.lines().map(|line| line.contains(r#""result":"found""#)).collect();
    assert_eq!(results, [false, true, false], "{ended:?}");
    Ok(())
}

fn no_reply_after_all_transmissions() -> Result<(), Failed> {
    let silent = Proxy::start(Box::new(|_, _| Vec::new()));
    let server = silent.address.to_string();
    let ended = lq::run(&["-s", &server, "--timeout", "10ms", "--retries", "2", "addr", "2001:db8:1::1"]);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    let want = format!("unanswered  no reply from {server} to 3 transmissions\n");
    assert_eq!(ended.stdout, want, "{ended:?}");
    assert_eq!(silent.queries.lock().expect("no panic while held").len(), 3);
    Ok(())
}
