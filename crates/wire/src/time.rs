//! Times on the wire: OPTION_LQ_BASE_TIME, OPTION_LQ_START_TIME, OPTION_LQ_END_TIME (RFC 7653 §6.3).

use crate::{NoRoomError, OptionCode, ParseError, ParseErrorKind, Writer};

/// Seconds from 1970-01-01 to 2000-01-01, both UTC.
const EPOCH: u32 = 946_684_800;

/// Seconds since 2000-01-01 UTC modulo 2^32, without leap seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LqTime(pub u32);

impl LqTime {
    /// Converts from seconds since 1970-01-01 UTC.
    pub fn from_unix(seconds: u32) -> Self {
        Self(seconds.wrapping_sub(EPOCH))
    }

    /// Converts to seconds since 1970-01-01 UTC modulo 2^32.
    pub fn to_unix(self) -> u32 {
        self.0.wrapping_add(EPOCH)
    }

    /// Returns whether this time is later, if both are less than 68 years apart (serial number arithmetic,
    /// RFC 1982).
    pub fn is_after(self, other: Self) -> bool {
        self.0.wrapping_sub(other.0).cast_signed() > 0
    }

    /// Parses the value of one of the three options.
    pub fn parse(value: &[u8]) -> Result<Self, ParseError> {
        let seconds = value.try_into().map(u32::from_be_bytes);
        seconds.map(Self).map_err(|_| ParseError { at: 0, kind: ParseErrorKind::Length })
    }

    /// Writes the option with this code.
    pub fn write(self, w: &mut Writer<'_>, code: OptionCode) -> Result<(), NoRoomError> {
        w.option_with(code, &self.0.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_count_from_the_year_2000() {
        assert_eq!(LqTime::from_unix(946_684_800), LqTime(0));
        // 2026-11-27 00:00:00 UTC.
        assert_eq!(LqTime::from_unix(1_795_737_600), LqTime(849_052_800));
        assert_eq!(LqTime(849_052_800).to_unix(), 1_795_737_600);
        assert_eq!(LqTime::from_unix(946_684_799), LqTime(u32::MAX));
    }

    #[test]
    fn times_compare_across_the_overflow() {
        let before = LqTime(u32::MAX);
        assert!(LqTime(1).is_after(before) && !before.is_after(LqTime(1)));
        assert!(!before.is_after(before));
    }

    #[test]
    fn a_time_has_four_octets() {
        let mut buffer = [0; 8];
        let mut w = Writer::new(&mut buffer);
        LqTime(0x0102_0304).write(&mut w, OptionCode::LQ_BASE_TIME).unwrap();
        assert_eq!(w.written(), [0, 100, 0, 4, 1, 2, 3, 4]);
        assert_eq!(LqTime::parse(&[1, 2, 3, 4]), Ok(LqTime(0x0102_0304)));
        for len in [0, 3, 5] {
            assert_eq!(LqTime::parse(&[0; 5][..len]).unwrap_err().kind, ParseErrorKind::Length);
        }
    }
}
