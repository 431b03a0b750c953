//! Random lives of a lease file. Whatever happened, once it is quiet the changes add up to what the files
//! say.
//!
//! A failure prints the line that replays it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::kea::{HEADER, Kea};
use super::links::behind_links;
use super::*;

/// SplitMix64: any seed is a good one, and the same seed is the same life on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % limit as u64) as usize
    }
}

/// Actions of Kea and its administrator, with their weights in this life.
const WEIGHTS_MAX: [usize; 9] = [60, 30, 10, 6, 12, 4, 2, 2, 3];

struct Life {
    random: Random,
    weights: [usize; WEIGHTS_MAX.len()],
    kea: Kea,
    /// So many steps of kea-lfc are done.
    cleaned: usize,
    clock: u32,
}

impl Life {
    /// Every life leaves out some of the operations, so that the rare ones also meet each other.
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let weights = WEIGHTS_MAX.map(|max| if random.below(3) == 0 { 0 } else { 1 + random.below(max) });
        Self { random, weights, kea: Kea::new(), cleaned: 0, clock: 1_700_000_000 }
    }

    fn event(&mut self) -> super::kea::Event {
        self.clock += 1;
        let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, self.random.below(30) as u16);
        let ended = self.random.below(3) == 0;
        (address, (!ended).then_some((1 + self.clock % 7, self.clock)))
    }

    fn operation(&mut self) {
        let mut ticket = self.random.below(self.weights.iter().sum::<usize>().max(1));
        let chosen = self.weights.iter().position(|&weight| {
            let hit = ticket < weight;
            ticket = ticket.saturating_sub(weight);
            hit
        });
        match chosen.unwrap_or(0) {
            0 => {
                let event = self.event();
                self.kea.append(event);
            }
            1 => {
                let (event, cut) = (self.event(), self.random.below(1000));
                self.kea.append_half(event, cut);
            }
            2 => self.kea.append_no_row(
                ["", "x", "2001:db8:0:1::1,00,1,2", ",,,,,,,,,,,,,,,,,"][self.random.below(4)],
            ),
            3 if self.kea.can_rotate() => {
                self.kea.rotate_away();
                self.cleaned = 0;
                self.kea.rotate_and_recreate(HEADER.len() - self.random.below(3) * 20);
            }
            4 if !self.kea.can_rotate() => {
                self.kea.clean_up(self.cleaned);
                self.cleaned += 1;
            }
            5 => {
                let event = self.event();
                self.kea.replace_by_dump(Some(event.0), || {});
            }
            6 => self.kea.truncate(),
            7 => self.kea.remove_and_create(),
            8 => (0..self.random.below(300)).for_each(|_| {
                let event = self.event();
                self.kea.append(event);
            }),
            _ => {}
        }
    }
}

fn seeds(test: &str, count: u64) -> impl Iterator<Item = u64> {
    let given = std::env::var("LQD_SEED").ok().map(|seed| seed.parse().expect("LQD_SEED is a number"));
    println!("replay a failure with LQD_SEED=<the seed printed last> cargo test -p lqd-feed {test}");
    let seeds = given.map_or(0..count, |seed| seed..seed + 1);
    seeds.inspect(|seed| println!("seed {seed}"))
}

#[test]
fn changes_add_up_to_the_leases_of_the_files() {
    let mut rotations = 0;
    let mut reloads = 0;
    for seed in seeds("changes_add_up_to_the_leases_of_the_files", 150) {
        let mut life = Life::new(seed);
        let (_links, files) = behind_links(&life.kea, seed);
        let mut reader = Reader::new(files);
        let polls_one_in = 1 + life.random.below(20);
        for operation in 0..200 {
            life.operation();
            if life.random.below(polls_one_in) == 0 {
                reader.settle();
                let (known, expected) =
                    [&reader.leases, &life.kea.leases()].map(|leases| life.kea.without_half(leases)).into();
                assert_eq!(known, expected, "after operation {operation}");
            } else if life.random.below(3) == 0 {
                reader.step(Duration::ZERO);
            }
        }
        life.kea.finish_row();
        reader.settle();
        assert_eq!(reader.leases, life.kea.leases());
        assert_eq!(reader.follower.status().lag, 0);
        rotations += reader.follower.status().rotations;
        reloads += reader.reloads.len();
    }
    if std::env::var_os("LQD_SEED").is_none() {
        assert!(rotations > 100 && reloads > 100, "{rotations} rotations, {reloads} reloads: hardly a test");
    }
}

#[test]
fn a_follower_of_a_writing_kea_misses_nothing() {
    for seed in seeds("a_follower_of_a_writing_kea_misses_nothing", 20) {
        let mut life = Life::new(seed);
        let (_links, files) = behind_links(&life.kea, seed);
        let mut reader = Reader::new(files);
        let done = AtomicBool::new(false);
        let expected = thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for _ in 0..400 {
                    life.operation();
                    if life.random.below(4) == 0 {
                        thread::yield_now();
                    }
                }
                life.kea.finish_row();
                done.store(true, Ordering::Release);
                life.kea.leases()
            });
            let limit = Instant::now() + LIMIT;
            while !done.load(Ordering::Acquire) && Instant::now() < limit {
                reader.step(Duration::from_millis(1));
            }
            writer.join().unwrap()
        });
        reader.wait_for(&expected);
        reader.settle();
        assert_eq!(reader.leases, expected);
    }
}
