//! Lifetimes of a binding, checked against its lease.

use crate::leases::{Lease, NEVER};
use crate::run::Defect;

/// Tolerance in seconds for clocks, rounding and the time an answer is on its way.
pub(crate) const SLACK: u32 = 5;
/// An infinite lifetime (RFC 8415 §7.7).
const INFINITY: u32 = u32::MAX;

/// Whether the lease is certainly valid at the server as well.
pub(crate) fn is_due(lease: &Lease, now: u32) -> bool {
    lease.expire() > now.saturating_add(SLACK)
}

/// Checks that both lifetimes are the remaining ones, or infinity (RFC 5007 §4.1.2.2, RFC 8415 §7.7); an
/// ended preferred lifetime is 0.
pub(crate) fn check(lease: &Lease, preferred: u32, valid: u32, now: u32) -> Result<(), Defect> {
    let remains = |told: u32, end: u32| match end {
        NEVER => told == INFINITY,
        // Both clocks may differ, and the answer was on its way.
        end => told.abs_diff(end.saturating_sub(now)) <= SLACK,
    };
    if !remains(valid, lease.expire()) {
        return Err(Defect::Lifetime);
    }
    // Preferred may not exceed valid (RFC 8415 §21.6).
    let fits = preferred <= valid && remains(preferred, lease.deprecated());
    if fits { Ok(()) } else { Err(Defect::Preferred) }
}
