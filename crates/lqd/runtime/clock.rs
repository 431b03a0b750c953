//! Steps of the system clock, logged because lease expiry depends on it.

use std::time::{Duration, Instant, SystemTime};

use tracing::warn;

/// Smallest step that is logged, in seconds; chrony and systemd-timesyncd slew smaller ones.
const STEP_MIN: i64 = 2;

/// Readings of the system clock and the monotonic clock at one moment.
pub(super) struct Clock {
    steady: Instant,
    wall: SystemTime,
}

impl Clock {
    /// Reads both clocks.
    pub(super) fn new() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// Logs a step since the previous call.
    pub(super) fn check(&mut self) {
        let now = Self::new();
        let step = self.step_until(&now);
        *self = now;
        if step.abs() >= STEP_MIN {
            warn!(
                seconds = step,
                "system clock stepped: lease expiry depends on it; check NTP here and on the Kea host"
            );
        }
    }

    /// Seconds by which the system clock advanced more than the monotonic clock.
    fn step_until(&self, later: &Self) -> i64 {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let wall = match later.wall.duration_since(self.wall) {
            Ok(forward) => millis(forward),
            Err(back) => -millis(back.duration()),
        };
        // The monotonic clock is never stepped, so the difference is the step alone.
        let step = wall.saturating_sub(millis(later.steady.duration_since(self.steady)));
        step.saturating_add(500).div_euclid(1_000) // rounded to the nearest second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_the_difference_between_the_clocks() {
        let start = Clock::new();
        let steady = start.steady + Duration::from_secs(10);
        let later = |wall| start.step_until(&Clock { steady, wall });
        assert_eq!(later(start.wall + Duration::from_secs(10)), 0);
        assert_eq!(later(start.wall + Duration::from_secs(3_610)), 3_600);
        assert_eq!(later(start.wall - Duration::from_secs(3_590)), -3_600);
        assert_eq!(later(start.wall - Duration::from_millis(3_589_600)), -3_600);
    }
}
