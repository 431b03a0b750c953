//! When a query is sent again (RFC 5007 §4.3.2, RFC 8415 §15).

use std::time::Duration;

/// Largest share by which a timeout is randomised, up or down (RFC 8415 §15).
pub const RAND_MAX: f64 = 0.1;

/// No timeout is longer, whatever the parameters: arithmetic on them must not overflow.
const TIMEOUT_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The parameters of retransmission (RFC 5007 §4.1.4). MRD is 0 there: no bound but the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// IRT: how long the first transmission waits for an answer. RFC 5007: 1 second.
    pub initial: Duration,
    /// MRT: the timeout doubles up to this. RFC 5007: 10 seconds.
    pub max: Duration,
    /// MRC: how often a query is sent, the first time included, until the exchange has failed. RFC 5007: 5.
    /// There is no "without end": 0 counts as 1.
    pub transmissions_max: u32,
    /// How long other servers still may answer once one has answered with bindings, or one has answered a multicast.
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

/// The timeouts of one exchange, one after the other.
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

    /// Counts one transmission and gives RT, the time to wait after it; `None` if there shall be no further one.
    ///
    /// `rand` is uniform in -0.1..=0.1.
    pub(crate) fn transmit(&mut self, rand: f64) -> Option<Duration> {
        if self.transmissions >= self.timers.transmissions_max {
            return None;
        }
        self.transmissions += 1;
        let rand = rand.clamp(-RAND_MAX, RAND_MAX);
        let timeout = match self.previous {
            None => self.timers.initial.mul_f64(1.0 + rand),
            Some(previous) => previous.mul_f64(2.0 + rand),
        };
        let timeout = if timeout > self.timers.max { self.timers.max.mul_f64(1.0 + rand) } else { timeout };
        self.previous = Some(timeout);
        Some(timeout)
    }

    /// How often was sent.
    pub(crate) fn transmissions(&self) -> u32 {
        self.transmissions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn without_randomisation_it_doubles_up_to_mrt() {
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
    fn endless_parameters_do_no_harm() {
        let timers = Timers { initial: Duration::MAX, max: Duration::MAX, ..Timers::default() };
        assert_eq!(Retransmission::new(timers).transmit(0.1), Some(TIMEOUT_LIMIT.mul_f64(1.1)));
    }

    proptest! {
        /// The formula of RFC 8415 §15, in seconds, as written there.
        #[test]
        fn as_rfc_8415_15_computes(rands in prop::collection::vec(-0.1..=0.1, 12)) {
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
