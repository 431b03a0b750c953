//! The wall clock, by which lifetimes are measured: steps are told, as they change what is answered.

use std::time::{Duration, Instant, SystemTime};

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
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let wall = match later.wall.duration_since(self.wall) {
            Ok(forward) => millis(forward),
            Err(back) => -millis(back.duration()),
        };
        let step = wall.saturating_sub(millis(later.steady.duration_since(self.steady)));
        step.saturating_add(500).div_euclid(1_000) // the nearest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_what_time_does_not_explain() {
        let start = Clock::new();
        let steady = start.steady + Duration::from_secs(10);
        let later = |wall| start.step_until(&Clock { steady, wall });
        assert_eq!(later(start.wall + Duration::from_secs(10)), 0);
        assert_eq!(later(start.wall + Duration::from_secs(3_610)), 3_600);
        assert_eq!(later(start.wall - Duration::from_secs(3_590)), -3_600);
        assert_eq!(later(start.wall - Duration::from_millis(3_589_600)), -3_600);
    }
}
