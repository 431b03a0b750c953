//! Line plots as inline SVG: two axes, some lines, no script. CSS classes of the page define the colors.

use std::fmt::Write;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 34.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 44.0;
/// Most points that get a mark each; a line through one point is invisible.
const MARKED_MAX: usize = 60;

/// Scale of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scale {
    Linear,
    /// Logarithmic, for values above 0.
    Log,
}

/// An axis from its first value to its last.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    pub(crate) title: &'static str,
    pub(crate) scale: Scale,
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) ticks: Vec<(f64, String)>,
}

/// Points in order, and the CSS class that defines their color.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) class: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

impl Axis {
    /// Makes an axis from 0 to the highest value, in steps of 1, 2 or 5 times a power of ten.
    pub(crate) fn linear(title: &'static str, max: f64, label: impl Fn(f64) -> String) -> Self {
        // A chart of nothing still needs an axis.
        let max = if max > 0.0 { max } else { 1.0 };
        let step = nice(max / 5.0);
        // Rounded up, so that the highest value is inside.
        let count = (max / step).ceil();
        let ticks = (0..=count as u32).map(|n| f64::from(n) * step).map(|value| (value, label(value)));
        Self { title, scale: Scale::Linear, from: 0.0, to: count * step, ticks: ticks.collect() }
    }

    /// Makes an axis from 0 to exactly this end, above 0.
    pub(crate) fn until(title: &'static str, end: f64, label: impl Fn(f64) -> String) -> Self {
        let mut axis = Self::linear(title, end, label);
        axis.to = end;
        // Ticks beyond the end would lie outside the chart.
        axis.ticks.retain(|&(value, _)| value <= end);
        axis
    }

    /// Makes a logarithmic axis around the values; both are above 0.
    pub(crate) fn log(title: &'static str, min: f64, max: f64, label: impl Fn(f64) -> String) -> Self {
        // An axis of length 0 would divide by it.
        let (min, max) = (min.min(max), max.max(min * 1.01));
        let decades = (max / min).log10();
        // Few decades leave room for more labels in each.
        let parts: &[f64] = if decades > 4.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let first = min.log10().floor() as i32;
        let last = max.log10().ceil() as i32;
        let all: Vec<f64> = (first..=last)
            .flat_map(|power| parts.iter().map(move |part| part * 10_f64.powi(power)))
            .collect();
        // The axis begins and ends at ticks, so that both are labelled.
        let from = all.iter().copied().filter(|&tick| tick <= min).fold(all[0], f64::max);
        let to = all.iter().copied().find(|&tick| tick >= max).unwrap_or(max);
        let ticks = all.into_iter().filter(|tick| (from..=to).contains(tick)).map(|tick| (tick, label(tick)));
        Self { title, scale: Scale::Log, from, to, ticks: ticks.collect() }
    }

    /// Position of a value, 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear => (value - self.from) / (self.to - self.from),
            Scale::Log => (value / self.from).ln() / (self.to / self.from).ln(),
        };
        // Values outside are drawn at the edge.
        place.clamp(0.0, 1.0)
    }
}

/// Returns the least of 1, 2, 5 times a power of ten that is not below `step`.
fn nice(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    // A step that is a hair too small by rounding counts as fitting.
    [1.0, 2.0, 5.0].iter().map(|part| part * power).find(|&nice| nice >= step * 0.999).unwrap_or(10.0 * power)
}

/// Renders the plot as an `svg` element.
pub(crate) fn plot(label: &str, x: &Axis, y: &Axis, lines: &[Line]) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_plot(&mut out, label, x, y, lines);
    out
}

fn write_plot(out: &mut String, label: &str, x: &Axis, y: &Axis, lines: &[Line]) -> std::fmt::Result {
    let across = |value: f64| LEFT + x.place(value) * (WIDTH - LEFT - RIGHT);
    let up = |value: f64| HEIGHT - BOTTOM - y.place(value) * (HEIGHT - TOP - BOTTOM);
    let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    writeln!(out, r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">"#)?;
    for (value, text) in &y.ticks {
        let at = up(*value);
        writeln!(out, r#"<line class="grid" x1="{LEFT}" x2="{right}" y1="{at:.1}" y2="{at:.1}"/>"#)?;
        writeln!(out, r#"<text class="y" x="{}" y="{:.1}">{text}</text>"#, LEFT - 8.0, at + 4.0)?;
    }
    for (value, text) in &x.ticks {
        let at = across(*value);
        writeln!(out, r#"<line class="grid" x1="{at:.1}" x2="{at:.1}" y1="{TOP}" y2="{bottom}"/>"#)?;
        writeln!(out, r#"<text class="x" x="{at:.1}" y="{}">{text}</text>"#, bottom + 18.0)?;
    }
    writeln!(out, r#"<line class="axis" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>"#)?;
    let middle = (LEFT + right) / 2.0;
    writeln!(out, r#"<text class="title" x="{middle}" y="{}">{}</text>"#, HEIGHT - 6.0, x.title)?;
    for Line { name, class, points } in lines {
        let places: Vec<_> = points.iter().map(|&(x, y)| format!("{:.1},{:.1}", across(x), up(y))).collect();
        writeln!(
            out,
            r#"<polyline class="{class}" points="{}"><title>{name}</title></polyline>"#,
            places.join(" ")
        )?;
        // Many marks would hide the line.
        if points.len() <= MARKED_MAX {
            for &(x, y) in points {
                writeln!(
                    out,
                    r#"<circle class="{class}" cx="{:.1}" cy="{:.1}" r="2.5"/>"#,
                    across(x),
                    up(y)
                )?;
            }
        }
    }
    writeln!(out, "</svg>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_span_their_values_with_round_ticks() {
        let axis = Axis::linear("", 4_321.0, |value| format!("{value}"));
        assert_eq!((axis.from, axis.to), (0.0, 5000.0));
        assert_eq!(axis.ticks.iter().map(|(value, _)| *value).collect::<Vec<_>>().len(), 6);
        assert_eq!(Axis::linear("", 0.0, |_| String::new()).to, 1.0, "nothing happened");
        let axis = Axis::until("", 12.0, |value| format!("{value}"));
        assert_eq!((axis.to, axis.ticks.last().unwrap().0), (12.0, 10.0));
        let axis = Axis::log("", 30.0, 700.0, |value| format!("{value:.0}"));
        let labels: Vec<_> = axis.ticks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels, ["20", "50", "100", "200", "500", "1000"]);
        assert!((axis.place(20.0), axis.place(1000.0)) == (0.0, 1.0) && axis.place(5.0) == 0.0);
    }

    #[test]
    fn points_are_at_their_values() {
        let x = Axis::linear("s", 10.0, |value| format!("{value}"));
        let y = Axis::log("", 1.0, 100.0, |value| format!("{value}"));
        let line = Line { name: "n", class: "a", points: vec![(0.0, 1.0), (10.0, 100.0), (5.0, 10.0)] };
        let svg = plot("p", &x, &y, &[line]);
        assert!(svg.contains(r#"points="76.0,256.0 826.0,14.0 451.0,135.0""#), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 3);
    }
}
