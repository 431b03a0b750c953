//! CPUs of the threads of bulk leasequery.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tracing::{info, warn};

/// CPUs that the threads may use.
#[derive(Clone)]
pub(super) enum CpuSetting {
    /// The named ones.
    Named(Vec<usize>),
    /// All but these, to which workers are pinned.
    Beside(Vec<usize>),
}

impl CpuSetting {
    /// `named`: `--bulk-cpus`; `workers`: CPUs to which workers are pinned.
    pub(super) fn new(named: Option<&[usize]>, workers: &[usize]) -> Self {
        named.map_or_else(|| Self::Beside(workers.to_vec()), |named| Self::Named(named.to_vec()))
    }

    /// Restricts the calling thread to the CPUs; one that cannot be restricted runs anywhere.
    pub(super) fn apply(&self) {
        let Ok(available) = sched_getaffinity(None) else { return };
        let cpus = self.set(&available);
        if cpus.count() == 0 {
            info!(
                "bulk leasequery shares the workers' CPUs: they have all there are; name some with --bulk-cpus"
            );
        } else if let Err(reason) = sched_setaffinity(None, &cpus) {
            warn!(%reason, "bulk leasequery runs on any CPU: those of --bulk-cpus cannot be used");
        }
    }

    fn set(&self, available: &CpuSet) -> CpuSet {
        let usable =
            |cpus: &[usize]| cpus.iter().copied().filter(|cpu| *cpu < CpuSet::MAX_CPU).collect::<Vec<_>>();
        match self {
            Self::Named(cpus) => {
                let mut set = CpuSet::new();
                usable(cpus).into_iter().for_each(|cpu| set.set(cpu));
                set
            }
            Self::Beside(cpus) => {
                let mut set = *available;
                usable(cpus).into_iter().for_each(|cpu| set.unset(cpu));
                set
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(named: Option<&[usize]>, workers: &[usize]) -> Vec<usize> {
        let mut available = CpuSet::new();
        (0..4).for_each(|cpu| available.set(cpu));
        let set = CpuSetting::new(named, workers).set(&available);
        (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect()
    }

    #[test]
    fn threads_keep_off_the_workers_cpus_unless_told_otherwise() {
        assert_eq!(chosen(None, &[0, 2]), [1, 3]);
        assert_eq!(chosen(None, &[]), [0, 1, 2, 3], "no worker is pinned");
        assert_eq!(chosen(None, &[0, 1, 2, 3]), [0; 0], "nothing left: the thread stays where it is");
        assert_eq!(chosen(Some(&[2, 0]), &[0, 1]), [0, 2]);
        assert_eq!(chosen(Some(&[usize::MAX, 1]), &[]), [1]);
    }
}
