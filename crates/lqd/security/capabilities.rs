//! Capabilities: kept until port 547 is bound and receive buffers are enlarged.

use std::thread;

use caps::{CapSet, Capability, CapsHashSet, errors::CapsError};

/// Runs `work` on a thread without capabilities; see [`super::Sandbox::without_capabilities`].
pub(super) fn bare<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let bared = || {
        // An error occurs again in the last step, and is reported there.
        let _ = drop_all();
        work()
    };
    // A thread of its own, since capabilities belong to threads and this one still needs them.
    thread::scope(|scope| scope.spawn(bared).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Drops all capabilities of this thread except root's right to read, as Kea's files belong to another user.
pub(super) fn drop_all() -> Result<(), String> {
    drop_all_but(&kept()).map_err(|error| error.to_string())
}

fn kept() -> CapsHashSet {
    let is_root = rustix::process::geteuid().is_root();
    // Root without capabilities may read only its own files; other users never had the right.
    is_root.then_some(Capability::CAP_DAC_READ_SEARCH).into_iter().collect()
}

fn drop_all_but(kept: &CapsHashSet) -> Result<(), CapsError> {
    let permitted = caps::read(None, CapSet::Permitted)?;
    // The kernel refuses a set with one that is not permitted, as in a container.
    let kept: CapsHashSet = kept.intersection(&permitted).copied().collect();
    caps::clear(None, CapSet::Ambient)?;
    caps::clear(None, CapSet::Inheritable)?;
    // Permitted goes last: effective must be within it at any time (capabilities(7)).
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_has_no_capability_but_to_read_as_root() {
        let before = caps::read(None, CapSet::Permitted).unwrap();
        let inside = bare(|| {
            // A thread of the work's own, too.
            let read = || [CapSet::Permitted, CapSet::Effective].map(|set| caps::read(None, set).unwrap());
            thread::spawn(read).join().unwrap()
        });
        let kept: CapsHashSet = kept().intersection(&before).copied().collect();
        assert_eq!(inside, [kept.clone(), kept]);
        assert_eq!(caps::read(None, CapSet::Permitted).unwrap(), before, "this thread keeps its own");
    }
}
