//! Times of retransmission (RFC 5007 §4.3.2, RFC 8415 §15).

use std::time::Duration;

/// Largest fraction by which a timeout is randomized, up or down (RFC 8415 §15).
pub const RAND_MAX: f64 = 0.1;

/// Upper bound of every timeout, so that arithmetic with any parameters cannot overflow.
const TIMEOUT_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Parameters of retransmission (RFC 5007 §4.1.4). MRD is 0 there: only the count bounds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// IRT: timeout of the first transmission. RFC 5007: 1 second.
    pub initial: Duration,
    /// MRT: upper bound of the doubling timeout. RFC 5007: 10 seconds.
    pub max: Duration,
    /// MRC: number of transmissions, the first included, after which the exchange has failed. RFC 5007: 5.
    ///
    /// There is no "forever": 0 counts as 1.
    pub transmissions_max: u32,
    /// Time that other servers have left to answer, once one has answered with bindings, or one has answered
    /// a multicast.
    ///
    /// The RFC names no such time; the default is IRT, as for the answers to a Solicit (RFC 8415 §18.2.1).
    pub gather: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(10),
            transmissions_max: 5,
            gather: Duration::from_secs(1),
        }
    }
}

/// The sequence of timeouts of one exchange.
#[derive(Clone, Debug)]
pub(crate) struct Retransmission {
    timers: Timers,
    previous: Option<Duration>,
    transmissions: u32,
}

impl Retransmission {
    pub(crate) fn new(mut timers: Timers) -> Self {
        timers.initial = timers.initial.min(TIMEOUT_LIMIT);
        timers.max = timers.max.min(TIMEOUT_LIMIT);
        timers.transmissions_max = timers.transmissions_max.max(1);
        Self { timers, previous: None, transmissions: 0 }
    }

    /// Counts one transmission and returns RT, the time to wait after it; `None` if no further one is
    /// allowed.
    ///
    /// `rand` is uniform in -0.1..=0.1.
    pub(crate) fn transmit(&mut self, rand: f64) -> Option<Duration> {
        if self.transmissions >= self.timers.transmissions_max {
            return None;
        }
        self.transmissions += 1;
        // A caller's generator out of range must not break the bounds of RFC 8415 §15.
        let rand = rand.clamp(-RAND_MAX, RAND_MAX);
        let timeout = match self.previous {
            None => self.timers.initial.mul_f64(1.0 + rand),
            Some(previous) => previous.mul_f64(2.0 + rand),
        };
        // RFC 8415 §15: MRT replaces the doubled timeout, with its own randomization.
        let timeout = if timeout > self.timers.max { self.timers.max.mul_f64(1.0 + rand) } else { timeout };
        self.previous = Some(timeout);
        Some(timeout)
    }

    /// Number of transmissions so far.
    pub(crate) fn transmissions(&self) -> u32 {
        self.transmissions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn timeouts_double_up_to_mrt() {
        let mut retransmission = Retransmission::new(Timers::default());
        let seconds: Vec<u64> =
            std::iter::from_fn(|| retransmission.transmit(0.0)).map(|timeout| timeout.as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 10]);
        assert_eq!(retransmission.transmissions(), 5);
    }

    #[test]
    fn the_first_timeout_is_capped_too() {
        let timers = Timers { max: Duration::from_millis(500), ..Timers::default() };
        assert_eq!(Retransmission::new(timers).transmit(0.1), Some(Duration::from_millis(550)));
    }

    #[test]
    fn huge_parameters_do_not_overflow() {
        let timers = Timers { initial: Duration::MAX, max: Duration::MAX, ..Timers::default() };
        assert_eq!(Retransmission::new(timers).transmit(0.1), Some(TIMEOUT_LIMIT.mul_f64(1.1)));
    }

    proptest! {
        /// The formula as written in RFC 8415 §15, in seconds.
        #[test]
        fn equals_the_formula_of_rfc_8415_15(rands in prop::collection::vec(-0.1..=0.1, 12)) {
            let (irt, mrt) = (1.0, 10.0);
            let timers = Timers { transmissions_max: 12, ..Timers::default() };
            let mut retransmission = Retransmission::new(timers);
            let mut rt_prev = None;
            for rand in rands {
                let mut rt = match rt_prev {
                    None => irt + rand * irt,
                    Some(prev) => 2.0 * prev + rand * prev,
                };
                if rt > mrt {
                    rt = mrt + rand * mrt;
                }
                let got = retransmission.transmit(rand).expect("one of twelve").as_secs_f64();
                prop_assert!((got - rt).abs() < 1e-6, "{got} instead of {rt}");
                rt_prev = Some(rt);
            }
        }
    }
}
