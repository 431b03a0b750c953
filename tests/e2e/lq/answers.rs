//! Answers of `lqd`, as `lq` shows them, with `lq`'s exit status.

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use super::proxy::Proxy;
use super::sample::{duid, fixture};
use crate::support::octets::octets;
use crate::support::{Fixture, Lqd, lq};

pub fn trials() -> Vec<Trial> {
    tests! {
        by_address_and_by_client_id,
        options_and_relay_data,
        reported_links_are_queried,
        no_binding_is_shown,
        status_codes_of_lqd,
        every_status_code_with_hostile_text,
        relayed_query_gets_relay_repl,
        octets_are_shown,
    }
}

/// Starts `lqd` with the sample, and returns the flag `-s` with its address; the files live as long as the
/// server.
fn server(more: &[&str]) -> ((Lqd, Fixture), [String; 2]) {
    let fixture = fixture();
    let more = more.iter().map(|&flag| flag.to_owned()).collect::<Vec<_>>();
    let lqd = Lqd::start(&[fixture.flags(), more].concat());
    let server = ["-s".to_owned(), lqd.address.to_string()];
    ((lqd, fixture), server)
}

fn ask(server: &[String; 2], arguments: &[&str]) -> Value {
    lq::json(&[&server.each_ref().map(String::as_str)[..], arguments].concat())
}

/// Returns `kind value` of each lease.
fn leases(client: &Value) -> Vec<String> {
    let leases = client["leases"].as_array().expect("a list");
    leases.iter().map(|lease| format!("{} {}", lease["kind"], lease["value"]).replace('"', "")).collect()
}

fn by_address_and_by_client_id() -> Result<(), Failed> {
    let (_lqd, server) = server(&[]);
    let all = ["address 2001:db8:1::1", "prefix 2001:db8:1:8100::/56"];
    for question in [["addr", "2001:db8:1::1"], ["addr", "2001:db8:1:81ff::7"], ["duid", &duid("01")]] {
        let answer = ask(&server, &question);
        assert_eq!(answer["result"], "found", "{question:?}: {answer}");
        let client = &answer["clients"][0];
        assert_eq!(client["client"]["duid"], Value::from(duid("01")));
        assert_eq!(client["client"]["link_layer_address"]["address"], "02:00:00:00:00:01");
        assert_eq!(leases(client), all, "{question:?}");
        let remaining = client["leases"][0]["valid_lifetime_s"].as_u64().ok_or("a number")?;
        assert!(
            (80_000..=89_900).contains(&remaining),
            "{remaining} seconds of 90,000, 100 of which are gone"
        );
        assert_eq!(answer["answers"][0]["deviations"], json!([]), "lqd departs from nothing");
    }
    Ok(())
}

fn options_and_relay_data() -> Result<(), Failed> {
    let (_lqd, server) = server(&[]);
    let answer =
        ask(&server, &["addr", "2001:db8:1::1", "-r", "relay-data,fqdn,79", "--request", "dns-servers"]);
    let client = &answer["clients"][0];
    assert_eq!(client["fqdn"], "host.example.org.");
    assert_eq!(client["link_layer_address"]["address"], "02:00:00:00:00:01");
    assert_eq!(client["options"][0]["text"], "2001:db8::53");
    let path = client["relay"]["path"].as_array().ok_or("a path")?;
    let hops: Vec<_> =
        path.iter().map(|relay| (&relay["link_address"], &relay["interface_id"]["text"])).collect();
    let (inner, outer) =
        ((json!("2001:db8:1::fffe"), json!("olt1/1")), (json!("2001:db8:1::ffff"), json!("agg1")));
    assert_eq!(hops, [(&inner.0, &inner.1), (&outer.0, &outer.1)], "from the client to the server");
    assert_eq!(path[0]["remote_id"]["enterprise"], 4491);
    let page = lq::run(&["-s", &server[1], "addr", "2001:db8:1::1", "-r", "relay-data"]);
    assert_eq!(page.code, Some(0), "{page:?}");
    let wanted = [
        "found  2001:db8:1::1 is held by a client with 2 leases",
        "DUID-LL: Ethernet 02:00:00:00:00:01",
        "relay path    client fe80::1",
        "└─ relay agent on link 2001:db8:1::fffe",
        "interface \"olt1/1\"",
        "remote-id 02:00:00:00:00:01 of CableLabs (4491)",
    ];
    for part in wanted {
        assert!(page.stdout.contains(part), "no `{part}` in\n{}", page.stdout);
    }
    Ok(())
}

fn reported_links_are_queried() -> Result<(), Failed> {
    let (_lqd, server) = server(&[]);
    let answer = ask(&server, &["duid", &duid("02")]);
    let clients = answer["clients"].as_array().ok_or("a list")?;
    let found: Vec<_> = clients.iter().map(|client| (client["link"].clone(), leases(client))).collect();
    let want =
        [1, 2].map(|link| (json!(format!("2001:db8:{link}::")), vec![format!("address 2001:db8:{link}::2")]));
    assert_eq!(found, want);
    let contents: Vec<_> =
        answer["answers"].as_array().ok_or("a list")?.iter().map(|one| &one["content"]).collect();
    assert_eq!(contents, ["links", "data", "data"], "one query for each link (R17)");
    let on_one = ask(&server, &["duid", &duid("02"), "--link", "2001:db8:2::77"]);
    assert_eq!(leases(&on_one["clients"][0]), ["address 2001:db8:2::2"]);
    assert_eq!(on_one["answers"].as_array().map(Vec::len), Some(1));
    Ok(())
}

fn no_binding_is_shown() -> Result<(), Failed> {
    let (_lqd, server) = server(&[]);
    for question in [["addr", "2001:db8:1::99"], ["duid", "00:03:00:01:ff:ff:ff:ff:ff:ff"]] {
        let answer = ask(&server, &question);
        assert_eq!(
            (&answer["result"], &answer["exit_status"]),
            (&json!("no-binding"), &json!(1)),
            "{question:?}"
        );
    }
    let page = lq::run(&["-s", &server[1], "addr", "2001:db8:1::99"]);
    assert!(page.stdout.starts_with("no binding  no client holds 2001:db8:1::99\n"), "{page:?}");
    Ok(())
}

/// Status codes that `lqd` sends for well-formed queries.
fn status_codes_of_lqd() -> Result<(), Failed> {
    let (_open, to_open) = server(&[]);
    let (_closed, to_closed) = server(&["--allow", "2001:db8:ffff::/48"]);
    for (server, code, name) in [(to_open, 9, "NotConfigured"), (to_closed, 10, "NotAllowed")] {
        let answer = ask(&server, &["addr", "2001:db8:ffff::1"]);
        assert_eq!((&answer["result"], &answer["exit_status"]), (&json!("refused"), &json!(3)), "{answer}");
        assert_eq!(answer["answers"][0]["status"]["code"], code);
        assert_eq!(answer["answers"][0]["status"]["name"], name);
    }
    Ok(())
}

/// Every status code, including those for queries that `lq` cannot send; their texts are hostile.
fn every_status_code_with_hostile_text() -> Result<(), Failed> {
    for (code, name) in [
        (1, "UnspecFail"),
        (7, "UnknownQueryType"),
        (8, "MalformedQuery"),
        (9, "NotConfigured"),
        (10, "NotAllowed"),
        (77, "status 77"),
    ] {
        let stub = Proxy::start(Box::new(move |_, query| {
            let text = "1b5b324a c29b 22"; // ESC [ 2 J, CSI, "
            let options = octets(&format!(
                "0001 000a 0003 0001 0200 5e00 53aa  0002 0003 0004bb  000d 0009 {code:04x} {text}"
            ));
            vec![[&[15], &query[1..4], &options].concat()]
        }));
        let page = lq::run(&["-s", &stub.address.to_string(), "--color", "never", "addr", "2001:db8::1"]);
        assert_eq!(page.code, Some(3), "{page:?}");
        assert!(page.stdout.contains(name), "{page:?}");
        assert!(page.stdout.contains(r#"\u{1b}[2J\u{9b}\""#), "{page:?}");
        assert!(page.stdout.chars().all(|c| c == '\n' || !c.is_control()), "{page:?}");
    }
    Ok(())
}

fn relayed_query_gets_relay_repl() -> Result<(), Failed> {
    let as_relay = ["--relay", "2001:db8:1::ffff", "--relay-peer", "fe80::7", "--relay-interface-id", "eth0"];
    let (_lqd, to_lqd) = server(&[]);
    let answer = ask(&to_lqd, &[&as_relay[..], &["addr", "2001:db8:1::1", "--hex"]].concat());
    assert_eq!(answer["result"], "found", "{answer}");
    assert_eq!(answer["answers"][0]["deviations"], json!([]));
    let octets = answer["answers"][0]["answer_hex"].as_str().ok_or("octets")?;
    assert!(octets.starts_with("0d00"), "RELAY-REPL: {octets}");
    let (_deaf, to_deaf) = server(&["--relayed", "drop"]);
    let once = ["--timeout", "50ms", "--retries", "0", "addr", "2001:db8:1::1"];
    assert_eq!(ask(&to_deaf, &[&as_relay[..], &once].concat())["exit_status"], 4);
    Ok(())
}

fn octets_are_shown() -> Result<(), Failed> {
    let (_lqd, server) = server(&[]);
    let page = lq::run(&["-s", &server[1], "--hex", "addr", "2001:db8:1::1"]);
    // The query as RFC 5007 §4.1.2.1 draws it, but for its transaction-id: 4 + 14 + 4 + 45 octets.
    assert!(page.stdout.contains("\nquery, 67 octets\n  0000  0e "), "{page:?}");
    assert!(page.stdout.contains("\n  0010  53 aa 00 2c 00 2d 01 00  00 00 "), "{page:?}");
    assert!(page.stdout.contains(&format!("\nanswer of {}, ", server[1])), "{page:?}");
    Ok(())
}
