//! Times on the command line, for `--start-time` and `--end-time`.

use std::time::{SystemTime, UNIX_EPOCH};

use lqd_requestor::LqTime;

/// Text that is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a UTC time such as 2026-11-27T16:00:00Z, from 2000 on, or an age such as 15m")]
pub(crate) struct TimeError;

/// Parses a UTC time (RFC 3339; the `T` and `Z` may be left out), or an age.
pub(crate) fn parse(text: &str) -> Result<LqTime, TimeError> {
    parse_at(text, SystemTime::now())
}

fn parse_at(text: &str, now: SystemTime) -> Result<LqTime, TimeError> {
    let at = match humantime::parse_rfc3339_weak(text) {
        Ok(at) => at,
        Err(_) => {
            let age = humantime::parse_duration(text).map_err(|_| TimeError)?;
            now.checked_sub(age).ok_or(TimeError)?
        }
    };
    let unix = at.duration_since(UNIX_EPOCH).map_err(|_| TimeError)?.as_secs();
    // Times on the wire wrap around; one before their epoch would mean another one.
    let is_representable = (946_684_800..946_684_800 + (1 << 32)).contains(&unix);
    // Truncated like LqTime itself: both are modulo 2^32.
    if is_representable { Ok(LqTime::from_unix(unix as u32)) } else { Err(TimeError) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_and_ages_are_parsed() {
        let now = UNIX_EPOCH + Duration::from_secs(1_795_737_600); // 2026-11-27 00:00:00 UTC
        let rows = [
            ("2000-01-01T00:00:00Z", 0),
            ("2026-11-27T00:00:00Z", 849_052_800),
            ("2026-11-27 00:00:00", 849_052_800),
            ("2136-02-07T06:28:15Z", u32::MAX),
            ("15m", 849_052_800 - 900),
            ("1h 30s", 849_052_800 - 3630),
        ];
        for (text, want) in rows {
            assert_eq!(parse_at(text, now), Ok(LqTime(want)), "{text}");
        }
        for text in ["", "now", "15", "1999-12-31T23:59:59Z", "2136-02-07T06:28:16Z", "100y"] {
            assert_eq!(parse_at(text, now), Err(TimeError), "{text}");
        }
    }
}
