//! tshark as a second reader of lqd's replies and lq's queries: it dissects every kind without complaint, and
//! its field values are the expected ones.
//!
//! `dissection` defines complaints, and a trial shows that broken packets cause some.

mod cases;
mod dissection;
mod filter;
mod pcap;
mod requestor;
mod sample;

use libtest_mimic::{Failed, Trial};

use crate::support::message::{code, msg, option, options, single};
use crate::support::need::trial;
use crate::support::{Lqd, Need, Requestor, all_passed};
use cases::{Case, Field};
use dissection::Dissection;

pub(crate) fn trials() -> Vec<Trial> {
    let needs = &[Need::Tshark];
    vec![
        trial("tshark: broken packets cause complaints", needs, filter::broken_packets_are_noticed),
        trial("tshark: Kea's own answers", needs, filter::kea_answers),
        trial("tshark: every kind of reply", needs, every_kind_of_reply),
        trial("tshark: queries of lq", needs, requestor::queries),
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
    let failures = failures_of(&cases, &replies);
    all_passed(&failures)
}

fn failures_of(cases: &[Case], replies: &[Vec<u8>]) -> Vec<String> {
    let lifted = replies.iter().flat_map(|reply| lift(reply));
    let datagrams: Vec<Vec<u8>> = replies.iter().cloned().chain(lifted).collect();
    let dissections = dissection::dissect(&datagrams);
    let (plain, lifted) = dissections.split_at(replies.len());
    let mut failures = Vec::new();
    for (case, dissection) in cases.iter().zip(plain) {
        failures
            .extend(dissection.complaints().into_iter().map(|failure| format!("{}: {failure}", case.name)));
        failures.extend(case.fields.iter().filter_map(|field| wrong_field(case, field, dissection)));
    }
    failures
        .extend(lifted.iter().flat_map(Dissection::complaints).map(|failure| format!("lifted: {failure}")));
    failures.extend(lifted_fields(cases, lifted));
    failures
}

fn wrong_field(case: &Case, (field, wanted): &Field, dissection: &Dissection) -> Option<String> {
    let got = dissection.values(field);
    let differs = (0..wanted.len().max(got.len())).find(|&at| wanted.get(at) != got.get(at))?;
    let (name, of, wanted, got) = (&case.name, wanted.len(), wanted.get(differs), got.get(differs));
    Some(format!("{name}: {field}, value {differs} of {of}: should be {wanted:?}, tshark reads {got:?}"))
}

/// Compares all lifted parts with the cases' expectations, in their order.
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

/// Lifts parts that tshark 4.0 does not dissect in place into datagrams of their own: the message in
/// `LQ_RELAY_DATA`, which it takes for text, and the FQDN, which it rejects in this message type; that goes
/// into a REPLY.
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
