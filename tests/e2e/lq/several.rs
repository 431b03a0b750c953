//! Several servers: merging of answers (RFC 5007 §4.3.4), choice of the next server (§4.3.2).

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use super::proxy::Proxy;
use super::sample::{duid, fixture_of, lease};
use crate::support::{Lqd, lq};

pub fn trials() -> Vec<Trial> {
    tests! {
        disjoint_and_overlapping_data_are_merged,
        no_binding_needs_every_answer,
        servers_are_queried_in_turn,
    }
}

/// Starts a silent server; the flags [`SHORT`] keep the wait for it short.
fn silent() -> Proxy {
    Proxy::start(Box::new(|_, _| Vec::new()))
}

const SHORT: [&str; 4] = ["--timeout", "50ms", "--retries", "1"];

fn ask(servers: &[String], arguments: &[&str]) -> Value {
    let servers = servers.iter().flat_map(|server| ["-s", server]).collect::<Vec<_>>();
    lq::json(&[&servers, arguments].concat())
}

/// Returns `value from` of each lease, sorted.
fn leases_by_server(list: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut words: Vec<_> = list
        .as_array()
        .expect("a list")
        .iter()
        .map(|lease| (text(&lease["value"]), text(&lease["from"])))
        .collect();
    words.sort();
    words
}

fn disjoint_and_overlapping_data_are_merged() -> Result<(), Failed> {
    let old = fixture_of(&(lease("1", "now-5000", 9000) + &lease("2", "now-5000", 9000)));
    let new = fixture_of(&(lease("1", "now-10", 70_000) + &lease("3", "now-10", 70_000)));
    let servers = [&old, &new].map(|fixture| Lqd::start(&fixture.flags()));
    let [from_old, from_new] = servers.each_ref().map(|lqd| lqd.address.to_string());
    for servers in [[from_old.clone(), from_new.clone()], [from_new.clone(), from_old.clone()]] {
        let answer = ask(&servers, &["duid", &duid("01")]);
        let clients = answer["clients"].as_array().ok_or("a list")?;
        assert_eq!(clients.len(), 1, "one client on one link: {answer}");
        let want = [("2001:db8:1::1", &from_new), ("2001:db8:1::2", &from_old), ("2001:db8:1::3", &from_new)];
        let want = want.map(|(address, from)| (address.to_owned(), from.clone()));
        assert_eq!(
            leases_by_server(&clients[0]["leases"]),
            want,
            "disjoint leases are put together, of ::1 the newer counts"
        );
        assert_eq!(
            leases_by_server(&clients[0]["superseded"]),
            [("2001:db8:1::1".to_owned(), from_old.clone())]
        );
    }
    let page = lq::run(&["-s", &from_old, "-s", &from_new, "duid", &duid("01")]);
    let note = format!("{from_old} reports 2001:db8:1::1 with other lifetimes");
    assert!(page.stdout.contains(&note), "{page:?}");
    Ok(())
}

/// R13, R18.
fn no_binding_needs_every_answer() -> Result<(), Failed> {
    let (files, silent) = (fixture_of(""), silent());
    let server = Lqd::start(&files.flags());
    let [lqd, silent_address] = [server.address, silent.address].map(|address| address.to_string());
    let question = [&SHORT[..], &["addr", "2001:db8:1::1"]].concat();
    assert_eq!(ask(std::slice::from_ref(&lqd), &question)["result"], "no-binding");
    let doubt = ask(&[lqd, silent_address], &question);
    assert_eq!((&doubt["result"], &doubt["exit_status"]), (&json!("no-reply"), &json!(4)), "{doubt}");
    assert!(
        doubt["error"].as_str().is_some_and(|error| error.contains("which alone proves nothing")),
        "{doubt}"
    );
    Ok(())
}

/// R15, R19.
fn servers_are_queried_in_turn() -> Result<(), Failed> {
    let (files, none) = (fixture_of(&lease("1", "now-10", 9000)), fixture_of(""));
    let lqd = Lqd::start(&files.flags());
    let closed = Lqd::start(&[none.flags(), vec!["--allow".into(), "2001:db8:ffff::/48".into()]].concat());
    let silent = silent();
    let servers = [silent.address, closed.address, lqd.address].map(|address| address.to_string());
    let answer = ask(&servers, &[&SHORT[..], &["--in-turn", "addr", "2001:db8:1::1"]].concat());
    assert_eq!(answer["result"], "found", "{answer}");
    let contents: Vec<_> =
        answer["answers"].as_array().ok_or("a list")?.iter().map(|one| &one["content"]).collect();
    assert_eq!(contents, ["refused", "data"], "silence and NotAllowed lead on");
    Ok(())
}
