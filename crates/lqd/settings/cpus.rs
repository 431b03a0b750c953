//! Lists of CPUs, written as in /sys/devices/system/cpu/online.

use std::str::FromStr;

use super::spelled::{Literal, Spelled};

/// Highest CPU number; a mask of the C library holds 1,024 (CPU_SETSIZE).
const CPU_MAX: usize = 1_023;

/// Most workers by default: the limit of `--workers`.
const WORKERS_MAX: usize = 256;

/// CPUs in the order given, at least one, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CpuList(pub(super) Vec<usize>);

impl FromStr for CpuList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut cpus = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return Err(format!("{part} runs backwards; write {last}-{first}"));
            }
            for cpu in first..=last {
                // Rejects repeats, so a list has at most `CPU_MAX` + 1 entries, however long the text.
                if cpus.contains(&cpu) {
                    return Err(format!("names CPU {cpu} twice; leave one out"));
                }
                cpus.push(cpu);
            }
        }
        Ok(Self(cpus))
    }
}

fn number(text: &str) -> Result<usize, String> {
    // `parse` would take a sign.
    let digits = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let number = text.parse().ok().filter(|cpu| digits && *cpu <= CPU_MAX);
    number.ok_or_else(|| format!("must be {}", CpuList::form()))
}

/// Default number of workers: one for each CPU of the list, or of those that the process may use.
pub(super) fn one_worker_each(cpus: Option<&CpuList>) -> usize {
    // The number is unknown only where /proc and the affinity call are both barred.
    let available = || std::thread::available_parallelism().map_or(1, Into::into);
    cpus.map_or_else(available, |list| list.0.len()).min(WORKERS_MAX)
}

impl Spelled for CpuList {
    const LITERAL: Literal = Literal::Either;

    fn form() -> String {
        format!("numbers of CPUs in 0..={CPU_MAX} and ranges of them, such as \"0,2-5\"")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lists_keep_their_order() {
        for (text, want) in [
            ("0", vec![0]),
            ("0,2-5", vec![0, 2, 3, 4, 5]),
            ("7,3-4,0", vec![7, 3, 4, 0]),
            ("5-5", vec![5]),
            ("1023", vec![1_023]),
        ] {
            assert_eq!(text.parse::<CpuList>().unwrap().0, want, "{text:?}");
        }
    }

    #[test]
    fn errors_say_how_to_write_a_list() {
        const FORM: &str = "must be numbers of CPUs in 0..=1023 and ranges of them, such as \"0,2-5\"";
        for text in ["", ",", "0,", "a", "-1", "1-", "1-2-3", "+1", " 1", "1024", "0-99999999999999999999"] {
            assert_eq!(text.parse::<CpuList>().unwrap_err(), FORM, "{text:?}");
        }
        assert_eq!("5-2".parse::<CpuList>().unwrap_err(), "5-2 runs backwards; write 2-5");
        assert_eq!("3-2".parse::<CpuList>().unwrap_err(), "3-2 runs backwards; write 2-3");
        assert_eq!("0-3,2".parse::<CpuList>().unwrap_err(), "names CPU 2 twice; leave one out");
    }

    /// Formats a list as the shortest text.
    fn formatted(cpus: &[usize]) -> String {
        let runs = cpus.chunk_by(|cpu, next| cpu + 1 == *next);
        let runs: Vec<_> = runs
            .map(|run| match run {
                [first, .., last] => format!("{first}-{last}"),
                one => one[0].to_string(),
            })
            .collect();
        runs.join(",")
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = text.parse::<CpuList>();
        }

        #[test]
        fn a_parsed_list_is_within_limits(text in "[0-9,-]{0,40}") {
            if let Ok(CpuList(cpus)) = text.parse() {
                prop_assert!((1..=CPU_MAX + 1).contains(&cpus.len()));
                prop_assert!(cpus.iter().all(|cpu| *cpu <= CPU_MAX));
            }
        }

        #[test]
        fn a_list_survives_formatting(
            cpus in proptest::sample::subsequence((0..=CPU_MAX).collect::<Vec<_>>(), 1..40).prop_shuffle()
        ) {
            prop_assert_eq!(formatted(&cpus).parse(), Ok(CpuList(cpus)));
        }

        #[test]
        fn ranges_survive_formatting(first in 0..=900_usize, len in 1..=100_usize, apart in 1_001..=CPU_MAX) {
            let cpus: Vec<_> = [apart].into_iter().chain(first..first + len).collect();
            prop_assert_eq!(formatted(&cpus).parse(), Ok(CpuList(cpus)));
        }
    }
}
