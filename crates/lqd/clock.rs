//! The wall clock, by which lifetimes are measured: steps are told, as they change what is answered.

use std::time::{Instant, SystemTime};

use tracing::warn;

/// Steps that are told, in seconds; chrony and systemd-timesyncd slew away what is smaller.
const STEP_MIN: i64 = 2;

/// The wall clock beside one that never steps.
pub(crate) struct Clock {
    steady: Instant,
    wall: SystemTime,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// Tells if the clock was set since the last look.
    pub(crate) fn look(&mut self) {
        let now = Self::new();
        let step = self.step_until(&now);
        *self = now;
        if step.abs() >= STEP_MIN {
            warn!(
                seconds = step,
                "the clock was set; leases end by it, so see that this host and Kea's have the right time"
            );
        }
    }

    /// Seconds by which the wall clock went ahead of the steady one.
    fn step_until(&self, later: &Self) -> i64 {
        let whole = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
        let wall = match later.wall.duration_since(self.wall) {
            Ok(forward) => whole(forward.as_secs()),
            Err(back) => -whole(back.duration().as_secs()),
        };
        wall.saturating_sub(whole(later.steady.duration_since(self.steady).as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn steps_are_what_time_does_not_explain() {
        let start = Clock::new();
        let steady = start.steady + Duration::from_secs(10);
        let later = |wall| start.step_until(&Clock { steady, wall });
        assert_eq!(later(start.wall + Duration::from_secs(10)), 0);
        assert_eq!(later(start.wall + Duration::from_secs(3_610)), 3_600);
        assert_eq!(later(start.wall - Duration::from_secs(3_590)), -3_600);
    }
}
