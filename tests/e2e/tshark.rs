//! tshark as a second reader of lqd's replies and of what lq sends: it dissects every kind of them without a
//! complaint, and its field values are what was asked for.
//!
//! What counts as a complaint is in `dissection`, and a trial shows that it catches broken packets.

mod cases;
mod dissection;
mod filter;
mod pcap;
mod requestor;
mod sample;

use libtest_mimic::{Failed, Trial};

use crate::live_kea::octets::{code, msg, option, options, single};
use crate::support::need::trial;
use crate::support::{Lqd, Need, Requestor};
use cases::{Case, Field};
use dissection::Dissection;

pub(crate) fn trials() -> Vec<Trial> {
    let needs = &[Need::Tshark];
    vec![
        trial("tshark: broken packets are noticed", needs, filter::broken_packets_are_noticed),
        trial("tshark: Kea's own answers", needs, filter::kea_answers),
        trial("tshark: every kind of reply", needs, every_kind_of_reply),
        trial("tshark: what lq sends", needs, requestor::queries),
    ]
}

fn every_kind_of_reply() -> Result<(), Failed> {
    let fixture = sample::fixture();
    let open = Lqd::start(&fixture.flags());
    let closed =
        Lqd::start(&[&fixture.flags()[..], &["--allow".into(), "2001:db8:ffff::/48".into()]].concat());
    let cases = cases::all();
    let replies = cases.iter().map(|case| {
        let server = if case.allowed { &open } else { &closed };
        let (reply, _) =
            Requestor::new(server.address).ask(&case.query).ok_or(format!("{}: no reply", case.name))?;
        Ok(reply)
    });
    let replies: Vec<Vec<u8>> = replies.collect::<Result<_, String>>()?;
    let faults = faults_of(&cases, &replies);
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n").into()) }
}

fn faults_of(cases: &[Case], replies: &[Vec<u8>]) -> Vec<String> {
    let lifted = replies.iter().flat_map(|reply| lift(reply));
    let datagrams: Vec<Vec<u8>> = replies.iter().cloned().chain(lifted).collect();
    let dissections = dissection::dissect(&datagrams);
    let (plain, lifted) = dissections.split_at(replies.len());
    let mut faults = Vec::new();
    for (case, dissection) in cases.iter().zip(plain) {
        faults.extend(dissection.complaints().into_iter().map(|fault| format!("{}: {fault}", case.name)));
        faults.extend(case.fields.iter().filter_map(|field| wrong_field(case, field, dissection)));
    }
    faults.extend(lifted.iter().flat_map(Dissection::complaints).map(|fault| format!("lifted: {fault}")));
    faults.extend(lifted_fields(cases, lifted));
    faults
}

fn wrong_field(case: &Case, (field, wanted): &Field, dissection: &Dissection) -> Option<String> {
    let got = dissection.values(field);
    let differs = (0..wanted.len().max(got.len())).find(|&at| wanted.get(at) != got.get(at))?;
    let (name, of, wanted, got) = (&case.name, wanted.len(), wanted.get(differs), got.get(differs));
    Some(format!("{name}: {field}, value {differs} of {of}: should be {wanted:?}, tshark reads {got:?}"))
}

/// All that was lifted, against what the cases say about it, in their order.
fn lifted_fields(cases: &[Case], lifted: &[Dissection]) -> Vec<String> {
    let expected: Vec<(&Case, &Vec<Field>)> =
        cases.iter().flat_map(|case| case.lifted.iter().map(move |fields| (case, fields))).collect();
    if expected.len() != lifted.len() {
        return vec![format!("{} pieces to lift expected, {} found", expected.len(), lifted.len())];
    }
    let pairs = expected.into_iter().zip(lifted);
    pairs
        .flat_map(|((case, fields), got)| fields.iter().filter_map(|field| wrong_field(case, field, got)))
        .collect()
}

/// Parts of a reply that tshark 4.0 does not dissect where they are, as datagrams of their own in which it
/// does: the message in `LQ_RELAY_DATA`, which it takes for text, and the FQDN, which it refuses to read in
/// this message type; it goes into a REPLY.
fn lift(reply: &[u8]) -> Vec<Vec<u8>> {
    let find = || -> Option<Vec<(u16, Vec<u8>)>> {
        let top = options(reply.get(4..)?).ok()?;
        options(single(&top, code::CLIENT_DATA).ok()??).ok()
    };
    let client_data = find().unwrap_or_default();
    let lifted = client_data.iter().filter_map(|(code, body)| match *code {
        code::LQ_RELAY_DATA => Some(body.get(16..)?.to_vec()),
        code::CLIENT_FQDN => Some([&[msg::REPLY, 0, 0, 1][..], &option(*code, body)].concat()),
        _ => None,
    });
    lifted.collect()
}
