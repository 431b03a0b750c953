//! Arbitrary octets in arbitrary pieces, amid changes: messages that parse, and one outcome a message.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Octets(Vec<u8>),
    /// One of the messages that are good, with an octet that is replaced, and cut behind so many octets.
    Message(u8, Option<(usize, u8)>, usize),
    Change(u8),
    Send,
    End,
    Terminate,
}

fn step() -> impl Strategy<Value = Step> {
    let wrong = prop::option::weighted(0.3, (0_usize..200, any::<u8>()));
    let len = prop_oneof![4 => Just(usize::MAX), 1 => 0_usize..60];
    prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Step::Octets),
        6 => (0_u8..6, wrong, len).prop_map(|(number, wrong, len)| Step::Message(number, wrong, len)),
        4 => (0_u8..20).prop_map(Step::Change),
        4 => Just(Step::Send),
        1 => Just(Step::End),
        1 => Just(Step::Terminate),
    ]
}

fn message(number: u8) -> Vec<u8> {
    let by_link = option(44, &[&[4][..], &octets("2001:db8:1::1"), &base_time_requested()].concat());
    match number {
        0 => by_relay_id(1),
        1 => query(2, 4, "2001:db8:1::1", &[]),
        2 => framed(23, 3, &[]),
        3 => active(4, &[]),
        4 => active(5, &[by_link, time_option(101, NOW)]),
        _ => active(6, &[option(6, &[0, 100, 0, 47])]),
    }
}

/// A session, all that it sent, and the end.
struct Run {
    live: Live,
    out: Vec<u8>,
    is_closed: bool,
}

impl Run {
    fn receive(&mut self, octets: &[u8], piece: usize) {
        for octets in octets.chunks(piece) {
            // The caller reads only then; what it has read before a STARTTLS may come, too.
            if self.live.session.wants_octets() {
                self.live.receive(octets);
            }
        }
    }

    fn send(&mut self) -> Progress {
        assert!(!self.is_closed, "nothing after the end");
        let progress = self.live.send(&mut self.out);
        match progress {
            Progress::StartTls => self.live.session.secured(),
            Progress::Close => self.is_closed = true,
            _ => {}
        }
        progress
    }

    fn run(&mut self, step: &Step, piece: usize) {
        match step {
            Step::Octets(octets) => self.receive(octets, piece),
            Step::Message(number, wrong, len) => {
                let mut octets = message(*number);
                if let Some((at, value)) = *wrong {
                    let at = at % octets.len();
                    octets[at] = value;
                }
                octets.truncate(*len);
                self.receive(&octets, piece);
            }
            Step::Change(host) if host.is_multiple_of(3) => {
                self.live.remove(&format!("2001:db8:1::{host:x}"));
            }
            Step::Change(host) => self.live.put(&[row(host % 4, &format!("2001:db8:1::{host:x}"), 128, 1)]),
            Step::Send => drop(self.send()),
            Step::End => self.live.session.receive_end(),
            Step::Terminate => self.live.session.terminate(),
        }
    }
}

proptest! {
    #[test]
    fn any_octets_get_messages_that_parse_and_one_outcome_each(
        steps in prop::collection::vec(step(), 0..30),
        piece in 1_usize..80,
        tls in prop_oneof![Just(Tls::Refused), Just(Tls::Offered), Just(Tls::Required)],
    ) {
        let mut run = Run { live: Live::new(&[row(1, "2001:db8:1::1", 128, 1)]), out: vec![], is_closed: false };
        run.live.session = Live::session_of(&run.live.log).with_tls(tls);
        for step in &steps {
            if !run.is_closed {
                run.run(step, piece);
            }
        }
        run.live.session.terminate();
        while !run.is_closed {
            prop_assert!(run.send() != Progress::Idle, "a session that is terminated comes to its end");
        }
        let kinds: Vec<_> = follower::frames(&run.out).iter().map(|&(kind, _)| kind).collect();
        prop_assert!(kinds.iter().all(|kind| [7, 15, 16, 17].contains(kind)), "{kinds:?}");
        let finished: Vec<_> = std::iter::from_fn(|| run.live.session.finished()).collect();
        prop_assert!(finished.len() as u64 <= run.live.session.frames() + 1, "one more if a frame is broken");
        // Each message that was sent is that of a query with an outcome, and each answer has one beginning.
        let sent: u64 = finished.iter().map(|query| query.messages).sum();
        prop_assert_eq!(sent, kinds.len() as u64);
        let begun = finished.iter().filter(|query| query.messages > 0).count();
        prop_assert_eq!(begun, kinds.iter().filter(|kind| [7, 15].contains(kind)).count());
    }
}
