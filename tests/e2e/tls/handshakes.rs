//! Handshakes that succeed and fail, by the certificate and the order of messages.

use libtest_mimic::{Failed, Trial};

use super::certificates::{Authority, REQUESTOR};
use super::peer::{GO, Peer, QUERY, STARTTLS};
use super::server::Served;
use crate::bulk::server::frame;
use crate::support::octets::{Pattern, octets};

pub fn trials() -> Vec<Trial> {
    tests! {
        queries_are_answered_over_tls_1_3_and_1_2 needs Python,
        certificates_that_are_not_wanted_are_refused needs Python,
        octets_behind_a_starttls_close needs Python,
        a_starttls_must_come_first needs Python,
        tls_is_refused_where_it_is_off needs Python,
        every_octet_may_come_alone needs Python,
        options_of_a_starttls_are_ignored needs Python,
        a_handshake_that_stalls_is_closed needs Python,
        older_versions_and_other_ciphers_are_refused needs Python,
    }
}

/// T1, T11.
fn queries_are_answered_over_tls_1_3_and_1_2() -> Result<(), Failed> {
    for offer in ["offered", "required"] {
        let served = Served::start(offer, &[])?;
        for version in ["1.3", "1.2"] {
            let (mut peer, _) = Peer::secured(served.port, version, &served.ca.file, &served.requestor);
            peer.ask();
            peer.ask();
        }
        served.await_handshakes(&[("ok", 2)])?;
        assert_eq!(served.lqd.stop(), 0);
    }
    Ok(())
}

/// T7, T9, T10: in TLS 1.3, the refusal of the requestor's certificate shows at the first read only.
fn certificates_that_are_not_wanted_are_refused() -> Result<(), Failed> {
    let served = Served::start("offered", &[])?;
    let folder = served.fixture.directory().join("other");
    std::fs::create_dir(&folder)?;
    let other = Authority::new(&folder, "ca");
    let expired = served.ca.issue_expired(&[REQUESTOR]);
    let of_another = other.issue(&[REQUESTOR]);
    let cases = [(None, "no_certificate"), (Some(&expired), "expired"), (Some(&of_another), "unknown_ca")];
    let mut counts = Vec::new();
    for (own, result) in cases {
        for version in ["1.3", "1.2"] {
            let mut peer = Peer::starting(served.port);
            let shaken = peer.handshake(version, &served.ca.file, own);
            let end = if shaken.starts_with("ok") { peer.receive() } else { shaken };
            assert!(end.starts_with("failed") && end.contains("ALERT"), "{result}, TLS {version}: {end}");
        }
        counts.push((result, 2));
        served.await_handshakes(&counts)?;
    }
    let unnamed = served.ca.issue(&["dns:bng2.example.net"]);
    let mut peer = Peer::starting(served.port);
    assert!(peer.handshake("1.3", &served.ca.file, Some(&unnamed)).starts_with("ok"));
    peer.send(QUERY);
    assert_eq!(peer.receive(), "closed");
    counts.push(("not_listed", 1));
    // The requestor may refuse the server as well.
    let mut peer = Peer::starting(served.port);
    let shaken = peer.handshake("1.3", &other.file, Some(&served.requestor));
    assert!(shaken.contains("CERTIFICATE_VERIFY_FAILED"), "{shaken}");
    counts.push(("refused_by_peer", 1));
    served.await_handshakes(&counts)?;
    served.lqd.await_line(0, |line| line.contains("TLS handshake failed") && line.contains("::1"));
    assert_eq!(served.lqd.stop(), 0);
    Ok(())
}

/// T6: octets that came without TLS must not count as sent over it (CVE-2011-0411).
fn octets_behind_a_starttls_close() -> Result<(), Failed> {
    let served = Served::start("offered", &[])?;
    let mut peer = Peer::connect(served.port);
    peer.send_octets(&[frame(&octets(STARTTLS)), frame(&octets(QUERY))].concat());
    assert_eq!(peer.receive(), "closed", "no go-ahead");
    // Octets between go-ahead and handshake are no handshake.
    let mut peer = Peer::starting(served.port);
    peer.send(QUERY);
    let end = peer.order("receive");
    assert!(!end.starts_with("message 0f"), "{end}");
    served.await_handshakes(&[("failed", 1)])?;
    assert_eq!(served.lqd.stop(), 0);
    Ok(())
}

/// T4, T5.
fn a_starttls_must_come_first() -> Result<(), Failed> {
    let served = Served::start("offered", &[])?;
    let mut peer = Peer::connect(served.port);
    peer.ask();
    peer.send(STARTTLS);
    assert_eq!(peer.receive(), "closed", "behind a query");
    let (mut peer, _) = Peer::secured(served.port, "1.3", &served.ca.file, &served.requestor);
    peer.send(STARTTLS);
    assert_eq!(peer.receive(), "closed", "over TLS");
    assert_eq!(served.lqd.stop(), 0);

    let served = Served::start("required", &[])?;
    let mut peer = Peer::connect(served.port);
    peer.send(QUERY);
    assert_eq!(peer.receive(), "closed", "another first message");
    assert_eq!(served.lqd.stop(), 0);
    Ok(())
}

/// T3.
fn tls_is_refused_where_it_is_off() -> Result<(), Failed> {
    let served = Served::start("off", &[])?;
    let mut peer = Peer::connect(served.port);
    peer.send(STARTTLS);
    let answer = peer.receive();
    let refused = Pattern::parse("07 a00001  000d { 000f text }");
    assert!(refused.matches(&octets(answer.trim_start_matches("message ")), &(0..=0)), "{answer}");
    assert_ne!(answer, GO);
    peer.ask();
    assert_eq!(served.lqd.stop(), 0);
    Ok(())
}

fn every_octet_may_come_alone() -> Result<(), Failed> {
    let served = Served::start("required", &[])?;
    let mut peer = Peer::connect(served.port);
    peer.order("singly");
    peer.send(STARTTLS);
    assert_eq!(peer.receive(), GO);
    assert!(peer.handshake("1.3", &served.ca.file, Some(&served.requestor)).starts_with("ok"));
    peer.ask();
    assert_eq!(served.lqd.stop(), 0);
    Ok(())
}

/// T2: an empty CLIENTID, and an option that is cut off.
fn options_of_a_starttls_are_ignored() -> Result<(), Failed> {
    let served = Served::start("required", &[])?;
    for starttls in ["17 a00001  0001 0000", "17 a00001  0001 00ff 00"] {
        let mut peer = Peer::connect(served.port);
        peer.send(starttls);
        assert_eq!(peer.receive(), GO);
        assert!(peer.handshake("1.3", &served.ca.file, Some(&served.requestor)).starts_with("ok"));
        peer.ask();
    }
    assert_eq!(served.lqd.stop(), 0);
    Ok(())
}

/// T10.
fn a_handshake_that_stalls_is_closed() -> Result<(), Failed> {
    let served = Served::start("required", &[])?;
    let mut silent = Peer::starting(served.port);
    let mut begun = Peer::starting(served.port);
    // The header of a record with a ClientHello of 512 octets (RFC 8446 §5.1), without the rest.
    begun.send_octets(&[22, 3, 1, 2, 0, 1]);
    assert_eq!([silent.receive(), begun.receive()], ["closed", "closed"]);
    served.await_handshakes(&[("timeout", 2)])?;
    assert_eq!(served.lqd.stop(), 0);
    Ok(())
}

/// T11: a version before 1.2, a cipher without forward secrecy, one without AEAD.
fn older_versions_and_other_ciphers_are_refused() -> Result<(), Failed> {
    let served = Served::start("required", &[])?;
    for offer in ["1.1", "1.2:AES128-SHA", "1.2:ECDHE-ECDSA-AES128-SHA256"] {
        let mut peer = Peer::starting(served.port);
        let shaken = peer.handshake(offer, &served.ca.file, Some(&served.requestor));
        assert!(shaken.starts_with("failed"), "{offer}: {shaken}");
    }
    served.await_handshakes(&[("failed", 3)])?;
    assert_eq!(served.lqd.stop(), 0);
    Ok(())
}
