//! Reliability of complaints: broken packets cause some, sound ones none.

use std::path::Path;

use libtest_mimic::Failed;

use super::dissection::{Dissection, dissect};
use crate::support::hex::parse_hex;
use crate::support::message::{CLIENT_HEADER_LEN, code, msg, option, options, single};

/// Each of these defects in an otherwise sound reply causes a complaint.
pub(super) fn broken_packets_are_noticed() -> Result<(), Failed> {
    let sound = reply(&[iaaddr(24), clt_time(4)].concat());
    let truncated = &sound[..sound.len() - 3];
    let dangling = [&sound[..], &[0, 1, 0]].concat();
    let mut long_option = sound.clone();
    let client_data_len_at = top().len() + 3;
    long_option[client_data_len_at] += 1;
    let mut long_nest = nest(&sound);
    let relay_msg_len_at = 34 + 3;
    long_nest[relay_msg_len_at] -= 4;
    let odd_links = [top(), option(code::LQ_CLIENT_LINK, &[0; 17])].concat();
    let broken: [(&str, Vec<u8>); 8] = [
        ("an address of 12 octets", reply(&[iaaddr(12), clt_time(4)].concat())),
        ("a time of 3 octets", reply(&[iaaddr(24), clt_time(3)].concat())),
        ("17 octets of links", odd_links),
        ("the end cut off", truncated.to_vec()),
        ("octets after the last option", dangling),
        ("client data longer than the message", long_option),
        ("a relayed message longer than its option", long_nest),
        ("another protocol", b"\xff not DHCPv6".to_vec()),
    ];
    let whole = [sound.clone(), nest(&sound)];
    let datagrams: Vec<Vec<u8>> =
        whole.iter().chain(broken.iter().map(|(_, octets)| octets)).cloned().collect();
    let dissections = dissect(&datagrams);
    let (whole, dissected) = dissections.split_at(whole.len());
    for sound in whole {
        assert_eq!(sound.complaints(), [""; 0], "a sound reply");
    }
    for ((failure, _), dissection) in broken.iter().zip(dissected) {
        assert_ne!(dissection.complaints(), [""; 0], "{failure}");
    }
    Ok(())
}

/// Answers of Kea 3.3.1: all are sound, but for relay data of four and more relays, where it counts four
/// octets too few for each further relay.
pub(super) fn kea_answers() -> Result<(), Failed> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kea-3.3-answers");
    let mut files: Vec<_> = std::fs::read_dir(&directory).expect("the data is there").flatten().collect();
    files.retain(|file| file.path().extension().is_some_and(|extension| extension == "txt"));
    assert!(files.len() >= 58, "some of {} are missing", directory.display());
    for file in files {
        let name = file.file_name().display().to_string();
        let text = std::fs::read_to_string(file.path()).expect("it is text");
        let Some(reply) = reply_in(&text) else { continue };
        let datagrams: Vec<Vec<u8>> = relay_message(&reply).into_iter().chain([reply]).collect();
        let complaints: Vec<String> = dissect(&datagrams).iter().flat_map(Dissection::complaints).collect();
        let broken = ["odd-relays-4.txt", "odd-relays-5.txt"].contains(&&*name);
        assert_eq!(complaints.is_empty(), !broken, "{name}: {complaints:?}");
    }
    Ok(())
}

/// Returns the octets of the file's line that begins with `reply`, if Kea replied.
fn reply_in(text: &str) -> Option<Vec<u8>> {
    let line = text.lines().find_map(|line| line.strip_prefix("reply ")).expect("a line with the reply");
    let digits = line.split_whitespace().next().expect("octets in hexadecimal");
    (digits != "-").then(|| parse_hex(digits).expect("hexadecimal digits"))
}

/// Returns the message in `LQ_RELAY_DATA`, which Kea puts beside the client data, not into it.
fn relay_message(reply: &[u8]) -> Option<Vec<u8>> {
    let top = options(&reply[CLIENT_HEADER_LEN..]).expect("the outermost options are sound");
    let relay_data = single(&top, code::LQ_RELAY_DATA).expect("at most one")?;
    Some(relay_data[16..].to_vec())
}

/// Returns header, client and server identifier: 28 octets.
fn top() -> Vec<u8> {
    let identifiers = [
        option(code::CLIENTID, &[0, 3, 0, 1, 2, 0, 0, 0]),
        option(code::SERVERID, &[0, 3, 0, 1, 2, 0, 0, 0]),
    ];
    [vec![msg::LEASEQUERY_REPLY, 0, 0, 1], identifiers.concat()].concat()
}

fn reply(leases: &[u8]) -> Vec<u8> {
    let client_data = [&option(code::CLIENTID, &[0, 3, 0, 1, 2, 0, 0, 1])[..], leases].concat();
    [top(), option(code::CLIENT_DATA, &client_data)].concat()
}

fn iaaddr(length: usize) -> Vec<u8> {
    option(code::IAADDR, &[0x20; 24][..length])
}

fn clt_time(length: usize) -> Vec<u8> {
    option(code::CLT_TIME, &[0; 4][..length])
}

fn nest(message: &[u8]) -> Vec<u8> {
    let header = [&[msg::RELAY_REPL, 0][..], &[0x20; 32]].concat();
    [header, option(code::RELAY_MSG, message)].concat()
}
