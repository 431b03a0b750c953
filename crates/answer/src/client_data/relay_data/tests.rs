//! Relay data as hexadecimal text, written by hand, and relay chains of any depth from an independent writer.

use proptest::prelude::*;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

/// Strips options of these codes from OPTION_LQ_RELAY_DATA.
fn stripped(option: &[u8], codes: &[u16]) -> Option<Vec<u8>> {
    let mut octets = option.to_vec();
    let len = strip(&mut octets, |code| codes.contains(&code.0))?;
    octets.truncate(len);
    Some(octets)
}

/// The peer-address, and the link-address and peer-address of each relay hop.
const PEER: &str = "20010db8000000010000000000000001";
const OUTER: &str = "20010db8000000010000000000000001 fe800000000000000000000000000001";
const INNER: &str = "20010db8000000020000000000000001 fe800000000000000000000000000002";

#[test]
fn sensitive_options_are_removed_at_every_relay_hop() {
    // Interface-Id (18), remote-id (37), client link-layer address (79).
    // Lengths: 16 + 34 + 9 + 12 + 4 + 34 + 9 + 12.
    let whole = format!(
        "002f0082 {PEER} 0c01 {OUTER} 0012 0005 6f6c742d37 004f 0008 0001020000000701
           0009 0037 0c00 {INNER} 0025 0005 0000118b01 004f 0008 0001020000000701"
    );
    let without_79 = format!(
        "002f006a {PEER} 0c01 {OUTER} 0012 0005 6f6c742d37
           0009 002b 0c00 {INNER} 0025 0005 0000118b01"
    );
    let bare = format!("002f0058 {PEER} 0c01 {OUTER} 0009 0022 0c00 {INNER}");
    assert_eq!(stripped(&hex(&whole), &[79]), Some(hex(&without_79)));
    assert_eq!(stripped(&hex(&whole), &[18, 37, 79]), Some(hex(&bare)));
    assert_eq!(stripped(&hex(&whole), &[39]), Some(hex(&whole)), "nothing to leave out");
    assert_eq!(stripped(&hex(&whole), &[9]), Some(hex(&whole)), "the message inside is structure");
}

#[test]
fn sensitive_options_after_the_relay_message_option_are_removed() {
    let whole = format!(
        "002f006d {PEER} 0c01 {OUTER} 0009 002b 0c00 {INNER} 004f 0005 0001020304 0012 0001 61 0026 0003 737562"
    );
    let kept = format!("002f005d {PEER} 0c01 {OUTER} 0009 0022 0c00 {INNER} 0012 0001 61");
    assert_eq!(stripped(&hex(&whole), &[38, 79]), Some(hex(&kept)));
}

#[test]
fn relay_data_that_does_not_parse_is_refused() {
    let whole =
        hex(&format!("002f0048 {PEER} 0c00 {OUTER} 0012 0001 61 004f 0001 62 0025 0004 0000118b 004f 0000"));
    assert!(stripped(&whole, &[79]).is_some());
    let ends_between_options = [20 + 34, 20 + 39, 20 + 44, 20 + 52];
    for len in 0..whole.len() {
        let parses = ends_between_options.contains(&len);
        assert_eq!(stripped(&whole[..len], &[79]).is_some(), parses, "{len} octets");
    }
    let mut other = whole.clone();
    other[20] = 1;
    assert_eq!(stripped(&other, &[79]), None, "a client's message");
}

#[test]
fn up_to_33_relay_hops_are_stripped() {
    let hops = |count| chain(&vec![vec![(79, vec![7; 8]), (18, vec![1])]; count]);
    let kept = |count| chain(&vec![vec![(18, vec![1])]; count]);
    for count in [1, 32, 33] {
        assert_eq!(stripped(&hops(count), &[79]), Some(kept(count)), "{count} relay hops");
    }
    assert_eq!(stripped(&hops(34), &[79]), None);
}

/// Options of one relay hop: code and value.
type Hop = Vec<(u16, Vec<u8>)>;

/// OPTION_LQ_RELAY_DATA of these relay hops, the outermost first.
fn chain(hops: &[Hop]) -> Vec<u8> {
    let option = |code: u16, value: &[u8]| {
        [&code.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat()
    };
    let mut message = Vec::new();
    for hop in hops.iter().rev() {
        let inside = if message.is_empty() { Vec::new() } else { option(9, &message) };
        let options: Vec<u8> = hop.iter().flat_map(|(code, value)| option(*code, value)).collect();
        message = [&[12, 0][..], &[0xfd; 32], &options, &inside].concat();
    }
    option(47, &[&[0xfd; 16][..], &message].concat())
}

proptest! {
    /// Compares with a model that leaves the options out before it writes the chain.
    #[test]
    fn a_stripped_chain_equals_one_written_without_the_options(
        hops in prop::collection::vec(
            prop::collection::vec((prop::sample::select(vec![18_u16, 37, 38, 79, 300]), prop::collection::vec(any::<u8>(), 0..9)), 0..5),
            1..9,
        ),
        codes in prop::collection::vec(prop::sample::select(vec![18_u16, 37, 38, 79, 300]), 0..3),
    ) {
        let kept: Vec<Hop> = hops
            .iter()
            .map(|hop| hop.iter().filter(|(code, _)| !codes.contains(code)).cloned().collect())
            .collect();
        prop_assert_eq!(stripped(&chain(&hops), &codes), Some(chain(&kept)));
    }

    #[test]
    fn stripping_any_octets_does_not_panic(mut octets in prop::collection::vec(any::<u8>(), 0..120), cut in 0..120_usize) {
        let mut near = chain(&[vec![(79, octets.clone())], vec![(18, octets.clone())]]);
        if let Some(octet) = near.get_mut(cut) {
            *octet ^= 0x41;
        }
        let _ = strip(&mut near, |code| code.0 == 79);
        let _ = strip(&mut octets, |code| code.0 == 79);
    }
}
