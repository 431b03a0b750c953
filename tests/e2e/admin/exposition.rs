//! A strict parser of the Prometheus text format.

use std::collections::BTreeMap;

use libtest_mimic::{Failed, Trial};

/// Labels of a sample, by name.
pub type Labels = BTreeMap<String, String>;

/// All metric families of a scrape.
#[derive(Debug, Default)]
pub struct Scrape {
    families: BTreeMap<String, Family>,
}

#[derive(Debug)]
struct Family {
    kind: String,
    /// Name with suffix, labels, value.
    samples: Vec<(String, Labels, f64)>,
}

impl Scrape {
    /// Parses a whole scrape; errors name the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut scrape = Self::default();
        let mut current: Option<String> = None;
        let mut help: Option<String> = None;
        // Prometheus wants a line end at the end.
        if !text.ends_with('\n') {
            return Err("the last line does not end".to_owned());
        }
        for line in text.lines() {
            let error = |what: &str| format!("{what}: {line}");
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, text) = rest.split_once(' ').ok_or_else(|| error("no text"))?;
                // A family that comes twice would be joined by no reader.
                if text.is_empty() || scrape.families.contains_key(name) {
                    return Err(error("help is empty, or the family is repeated"));
                }
                help = Some(name.to_owned());
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').ok_or_else(|| error("no type"))?;
                // HELP and TYPE stand together, in this order.
                if help.as_deref() != Some(name) || !["counter", "gauge", "histogram"].contains(&kind) {
                    return Err(error("no help before it, or an unknown type"));
                }
                let family = Family { kind: kind.to_owned(), samples: Vec::new() };
                scrape.families.insert(name.to_owned(), family);
                current = Some(name.to_owned());
            } else {
                let name = current.as_deref().ok_or_else(|| error("a sample before any family"))?;
                let family = scrape.families.get_mut(name).ok_or_else(|| error("no family"))?;
                family.push(name, sample(line).ok_or_else(|| error("not a sample"))?).map_err(error)?;
            }
        }
        // Buckets can only be judged when all samples are read.
        for (name, family) in scrape.families.iter().filter(|(_, family)| family.kind == "histogram") {
            family.check_buckets(name)?;
        }
        Ok(scrape)
    }

    /// Returns whether there is a sample of this name; histograms need a suffix.
    pub fn has(&self, name: &str) -> bool {
        self.families.values().flat_map(|family| &family.samples).any(|(sample, ..)| sample == name)
    }

    /// Returns the samples of this name.
    pub fn all(&self, name: &str) -> Vec<(&Labels, f64)> {
        let samples = self.families.values().flat_map(|family| &family.samples);
        samples.filter(|(sample, ..)| sample == name).map(|(_, labels, value)| (labels, *value)).collect()
    }

    /// Returns the sum of the samples of this name.
    pub fn sum(&self, name: &str) -> f64 {
        self.all(name).iter().map(|(_, value)| value).sum()
    }

    /// Returns the one sample of this name with this label.
    ///
    /// # Panics
    /// If there is none.
    pub fn labelled(&self, name: &str, label: &str, value: &str) -> f64 {
        let all = self.all(name);
        let found = all.iter().find(|(labels, _)| labels.get(label).is_some_and(|found| found == value));
        found.unwrap_or_else(|| panic!("no {name}{{{label}=\"{value}\"}} in {all:?}")).1
    }
}

impl Family {
    fn push(&mut self, family: &str, sample: (String, Labels, f64)) -> Result<(), &'static str> {
        let (name, labels, value) = &sample;
        let suffix = name.strip_prefix(family).ok_or("a sample of another family")?;
        let suffixes: &[&str] = if self.kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        // A suffix outside histograms makes another family.
        if !suffixes.contains(&suffix) {
            return Err("a suffix that does not belong to the type");
        }
        if (suffix == "_bucket") != labels.contains_key("le") {
            return Err("label le on another sample than a bucket, or a bucket without it");
        }
        if self.kind == "counter" && (!family.ends_with("_total") || *value < 0.0) {
            return Err("a counter that is negative, or does not end in _total");
        }
        if self.samples.iter().any(|(other, others, _)| other == name && others == labels) {
            return Err("a repeated sample");
        }
        self.samples.push(sample);
        Ok(())
    }

    fn check_buckets(&self, name: &str) -> Result<(), String> {
        let buckets = self.samples.iter().filter(|(sample, ..)| sample.ends_with("_bucket"));
        let buckets: Vec<(f64, f64)> =
            buckets.filter_map(|(_, labels, count)| Some((number(labels.get("le")?)?, *count))).collect();
        // Cumulative buckets never fall.
        let ascending = buckets.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
        let count =
            self.samples.iter().find(|(sample, ..)| sample.ends_with("_count")).map(|sample| sample.2);
        match buckets.last() {
            Some((limit, all)) if ascending && *limit == f64::INFINITY && Some(*all) == count => Ok(()),
            _ => Err(format!("{name}: buckets are not cumulative up to +Inf = count: {buckets:?}")),
        }
    }
}

fn sample(line: &str) -> Option<(String, Labels, f64)> {
    let name_len = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
    let (name, mut rest) = line.split_at(name_len);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, value) = rest.split_once("=\"")?;
            let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if label.is_empty() || !label.chars().all(legal) {
                return None;
            }
            let (value, after) = quoted(value)?;
            // A repeated label has no meaning.
            if labels.insert(label.to_owned(), value).is_some() {
                return None;
            }
            if let Some(end) = after.strip_prefix('}') {
                rest = end;
                break;
            }
            rest = after.strip_prefix(',')?;
        }
    }
    Some((name.to_owned(), labels, number(rest.strip_prefix(' ')?)?))
}

/// Splits off the value up to its closing quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((position, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[position + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                // No other escapes are defined.
                _ => return None,
            }),
            c => value.push(c),
        }
    }
    None
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        // Words such as `inf` parse as numbers and are none here.
        text if text.bytes().all(|c| c.is_ascii_digit() || b".e-+".contains(&c)) => text.parse().ok(),
        _ => None,
    }
}

pub fn trials() -> Vec<Trial> {
    tests! {
        parser_accepts_only_valid_text,
    }
}

fn parser_accepts_only_valid_text() -> Result<(), Failed> {
    const GOOD: &str = "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"1\\\"\",y=\"2\"} 5\na_total 1.5\n\
                        # HELP h H.\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 3\nh_sum 9\nh_count 3\n";
    let scrape = Scrape::parse(GOOD)?;
    assert_eq!((scrape.sum("a_total"), scrape.labelled("a_total", "x", "1\"")), (6.5, 5.0));
    assert!(scrape.has("h_bucket") && !scrape.has("h"));
    for (from, to) in [
        ("a_total 1.5\n", "a_total 1.5"),
        ("a_total 1.5", "a_total{} 1.5"),
        ("a_total 1.5", "a_total{y=\"2\",x=\"1\\\"\"} 1"),
        ("a_total 1.5", "b_total 1.5"),
        ("a_total 1.5", "a_total 1.5 1"),
        ("a_total 1.5", "a_total -1"),
        ("a_total 1.5", "a_total NaNo"),
        ("x=\"1\\\"\"", "x=\"1\""),
        ("# HELP a_total A.\n", ""),
        ("TYPE a_total counter", "TYPE a_total sum"),
        ("h_bucket{le=\"1\"} 1", "h_bucket{le=\"1\"} 4"),
        ("h_count 3", "h_count 4"),
        ("h_bucket{le=\"+Inf\"} 3\n", ""),
        ("h_sum 9", "h_total 9"),
    ] {
        let text = if to.is_empty() || from.ends_with('\n') && !to.ends_with('\n') {
            format!("{}{to}", GOOD.replacen(from, "", 1))
        } else {
            GOOD.replacen(from, to, 1)
        };
        // Each damage must be found by itself, so one is made at a time.
        let broken = if from == "x=\"1\\\"\"" { GOOD.replacen("\\\"", "\\x", 1) } else { text };
        assert!(Scrape::parse(&broken).is_err(), "{from} → {to} is accepted:\n{broken}");
    }
    Ok(())
}
