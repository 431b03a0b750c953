//! HdrHistogram's percentile distribution (`.hgrm`) in milliseconds, as its plotting tools read it.

use std::fmt::Write;

use hdrhistogram::Histogram;

/// Lines for each halving of the distance to 100 %.
const TICKS_PER_HALF: u32 = 5;
const NS_PER_MS: f64 = 1e6;

/// Renders the file.
pub(crate) fn text(latency: &Histogram<u64>) -> String {
    let mut out =
        format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let mut line = |ns: u64, quantile: f64, count: u64| {
        let inverse =
            // The last quantile has no finite inverse.
            if quantile < 1.0 { format!("{:>14.2}", 1.0 / (1.0 - quantile)) } else { String::new() };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{:>12.6} {quantile:>2.12} {count:>10} {inverse}", ns as f64 / NS_PER_MS);
    };
    let mut count = 0;
    for step in latency.iter_quantiles(TICKS_PER_HALF) {
        // Counts add up, as the format wants totals.
        count += step.count_since_last_iteration();
        line(step.value_iterated_to(), step.quantile(), count);
    }
    let (mean, deviation, max) = (latency.mean(), latency.stdev(), latency.max() as f64);
    let _ = write!(
        out,
        "#[Mean    = {:>12.6}, StdDeviation   = {:>12.6}]\n\
         #[Max     = {:>12.6}, Total count    = {:>12}]\n\
         #[Buckets = {:>12}, SubBuckets     = {:>12}]\n",
        mean / NS_PER_MS,
        deviation / NS_PER_MS,
        max / NS_PER_MS,
        latency.len(),
        latency.buckets(),
        latency.distinct_values()
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_rise_to_the_last_value() {
        let mut latency = Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).unwrap();
        for ms in 1..=1000 {
            latency.record(ms * 1_000_000).unwrap();
        }
        let text = text(&latency);
        let rows: Vec<Vec<f64>> = text
            .lines()
            .skip(2)
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().map(|field| field.parse().unwrap()).collect())
            .collect();
        assert!(rows.windows(2).all(|pair| pair[0][0] <= pair[1][0] && pair[0][2] <= pair[1][2]), "{text}");
        let half = rows.iter().find(|row| row[1] >= 0.5).unwrap();
        assert!((499.0..=501.0).contains(&half[0]) && half[3] == 2.0, "{half:?}");
        assert_eq!(rows.last().unwrap()[2], 1000.0);
        assert!(text.contains("Total count    =         1000]"), "{text}");
    }
}
