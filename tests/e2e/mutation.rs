//! A hundred thousand broken packets: the server survives, and answers rightly afterwards.
//!
//! Seeds are the conformance rows, so that mutants pass the first checks. `LQD_TESTS_SEED` replays a run.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libtest_mimic::{Failed, Trial};

use crate::conformance::udp::{Udp, plain_rows};
use crate::conformance::{Setup, check_rows, rows};
use crate::support::octets::octets;
use crate::support::random::Random;
use crate::support::requestor::Probe;
use crate::support::{BACK_ENDS, Requestor, trial};

const MUTANTS: u32 = 100_000;
/// Number of mutants between two probes, few enough to fit into the socket's buffer.
const BURST: u32 = 32;
const MUTANT_LEN_MAX: usize = 4096;

pub fn trials() -> Vec<Trial> {
    BACK_ENDS
        .into_iter()
        .map(|(back_end, needs)| trial(format!("mutation::{back_end}"), needs, move || survives(back_end)))
        .collect()
}

fn survives(back_end: &str) -> Result<(), Failed> {
    let seed = seed();
    let mut udp = Udp::start(Setup::Default, back_end)?;
    let requestor = Requestor::new(udp.lqd.address);
    let seeds: Vec<Vec<u8>> = rows().map(|row| octets(row.query)).collect();
    let (mut random, mut replies) = (Random(seed), 0);
    for burst in 0..MUTANTS / BURST {
        for _ in 0..BURST {
            requestor.send(&mutant(&seeds, &mut random));
        }
        let alive = replies_before_probe(&requestor, &udp.probe).filter(|_| udp.lqd.is_running());
        let Some(count) = alive else {
            let log = udp.lqd.log();
            return Err(
                format!("LQD_TESTS_SEED={seed}: dead or mute after burst {burst}; it wrote:\n{log}").into()
            );
        };
        replies += count;
    }
    assert!(replies > MUTANTS / 20, "mutants must get past the first checks, only {replies} were answered");
    check_rows(&udp, plain_rows(Setup::Default)).map_err(|failed| {
        let message = failed.message().unwrap_or_default();
        format!("LQD_TESTS_SEED={seed}: wrong answers after {MUTANTS} mutants: {message}")
    })?;
    if !udp.lqd.is_running() {
        return Err(format!("LQD_TESTS_SEED={seed}: the server ended").into());
    }
    Ok(())
}

/// Counts the mutants answered before the probe; `None` if the probe is not answered.
fn replies_before_probe(requestor: &Requestor, probe: &Probe) -> Option<u32> {
    const ATTEMPTS: u32 = 5;
    const WAIT: Duration = Duration::from_secs(2);
    let mut replies = 0;
    for _ in 0..ATTEMPTS {
        requestor.send(&probe.query);
        while let Some((reply, _)) = requestor.receive(WAIT) {
            if reply == probe.reply {
                return Some(replies);
            }
            replies += 1;
        }
    }
    None
}

fn mutant(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut packet = random.one_of(seeds).clone();
    for _ in 0..=random.below(2) {
        match random.below(7) {
            0 => flip_bits(&mut packet, random),
            1 => packet.truncate(random.below(packet.len() + 1)),
            2 => set_length(&mut packet, random),
            3 => {
                let other = random.one_of(seeds);
                splice(&mut packet, other, random);
            }
            4 => repeat_a_part(&mut packet, random),
            5 => packet = relay(&packet, random),
            _ => append_noise(&mut packet, random),
        }
        packet.truncate(MUTANT_LEN_MAX);
    }
    packet
}

fn flip_bits(packet: &mut [u8], random: &mut Random) {
    if packet.is_empty() {
        return;
    }
    for _ in 0..=random.below(8) {
        let position = random.below(packet.len());
        packet[position] ^= 1 << random.below(8);
    }
}

/// Writes a boundary value where a length or an option code may stand.
fn set_length(packet: &mut [u8], random: &mut Random) {
    let Some(last) = packet.len().checked_sub(2) else {
        return;
    };
    let position = random.below(last + 1);
    let rest = (last - position) as u16;
    let numbers =
        [0, 1, 3, 16, 17, 23, 24, rest, rest.wrapping_sub(1), rest + 1, 0x7fff, 0x8000, 0xfffc, 0xffff];
    packet[position..position + 2].copy_from_slice(&random.one_of(&numbers).to_be_bytes());
}

/// Joins the beginning of one packet and the end of another.
fn splice(packet: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    packet.truncate(random.below(packet.len() + 1));
    packet.extend_from_slice(&other[random.below(other.len() + 1)..]);
}

fn repeat_a_part(packet: &mut Vec<u8>, random: &mut Random) {
    let start = random.below(packet.len() + 1);
    let part = packet[start..start + random.below(packet.len() - start + 1)].to_vec();
    for _ in 0..=random.below(4) {
        packet.extend_from_slice(&part);
    }
}

fn append_noise(packet: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..random.below(40) {
        packet.push(random.next_u64() as u8);
    }
}

/// Wraps a packet into up to twelve relay hops, some with wrong lengths.
fn relay(packet: &[u8], random: &mut Random) -> Vec<u8> {
    let mut packet = packet.to_vec();
    for hop in 0..=random.below(12) {
        let slip = if random.below(20) == 0 { random.below(5) } else { 0 };
        let length = (packet.len() + slip) as u16;
        let mut level = octets(&format!("0c {hop:02x} 2001:db8:1::1 fe80::1  0009 {length:04x}"));
        if random.below(4) == 0 {
            level.splice(34..34, octets("0087 0002 0000"));
        }
        level.extend_from_slice(&packet);
        packet = level;
    }
    packet
}

fn seed() -> u64 {
    match std::env::var("LQD_TESTS_SEED") {
        Ok(seed) => seed.parse().expect("LQD_TESTS_SEED is a number"),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_nanos() as u64),
    }
}
