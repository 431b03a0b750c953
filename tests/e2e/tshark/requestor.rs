//! Queries of `lq`, read by tshark.

use libtest_mimic::Failed;

use super::dissection::{Dissection, dissect};
use crate::lq::proxy::Proxy;
use crate::support::lq;

/// Queries with every flag that shapes them, direct and relayed, have the expected fields.
pub(super) fn queries() -> Result<(), Failed> {
    let target = "00:03:00:01:02:00:00:00:00:01";
    let rich = [
        "--link",
        "2001:db8:1::",
        "-r",
        "relay-data,fqdn,1234",
        "--server-id",
        "00:03:00:01:02:00:5e:00:53:01",
    ];
    let relay = ["--relay", "2001:db8:1::1", "--relay-peer", "fe80::2", "--relay-interface-id", "eth0"];
    let [addr, duid] = [["addr", "2001:db8:1::1"], ["duid", target]];
    let questions: [Vec<&str>; 5] = [
        addr.to_vec(),
        [&rich[..], &duid].concat(),
        [&relay[..], &addr].concat(),
        [&relay[..], &rich, &duid].concat(),
        [&relay[..2], &addr].concat(),
    ];
    let queries: Vec<Vec<u8>> = questions.iter().map(|question| sent(question)).collect();
    let dissections = dissect(&queries);
    let complaints: Vec<String> = dissections.iter().flat_map(Dissection::complaints).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    let fields: [(usize, &str, &[&str]); 13] = [
        (0, "dhcpv6.msgtype", &["14"]),
        (0, "dhcpv6.iaaddr.ip", &["2001:db8:1::1"]),
        (0, "dhcpv6.duid.bytes", &[lq::OWN_DUID]),
        (1, "dhcpv6.lq_query", &["2"]),
        (1, "dhcpv6.lq_query_link_address", &["2001:db8:1::"]),
        (1, "dhcpv6.duid.bytes", &[lq::OWN_DUID, "00:03:00:01:02:00:5e:00:53:01", target]),
        (1, "dhcpv6.requested_option_code", &["47", "39", "1234"]),
        (2, "dhcpv6.msgtype", &["12", "14"]),
        (2, "dhcpv6.linkaddr", &["2001:db8:1::1"]),
        (2, "dhcpv6.peeraddr", &["fe80::2"]),
        (2, "dhcpv6.interface_id", &["65:74:68:30"]),
        (3, "dhcpv6.option.type", &["18", "135", "9", "1", "2", "44", "1", "6"]),
        (4, "dhcpv6.option.type", &["135", "9", "1", "44", "5"]),
    ];
    for (query, field, want) in fields {
        assert_eq!(dissections[query].values(field), want, "query {query}, {field}");
    }
    Ok(())
}

/// Returns the first datagram that `lq` sends for this question.
fn sent(question: &[&str]) -> Vec<u8> {
    let silent = Proxy::start(Box::new(|_, _| Vec::new()));
    let server = silent.address.to_string();
    let ended = lq::run(&[&["-s", &server, "--timeout", "10ms", "--retries", "0"][..], question].concat());
    assert_eq!(ended.code, Some(4), "{ended:?}");
    let queries = silent.queries.lock().expect("no panic while held");
    queries.first().cloned().unwrap_or_else(|| panic!("nothing was sent: {ended:?}"))
}
