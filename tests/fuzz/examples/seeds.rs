//! Exports the data of other tests as seeds: `cargo run --manifest-path tests/fuzz/Cargo.toml --example seeds
//! -- DIR` makes `DIR/TARGET/…`, to be merged into `corpus/TARGET` by `tests/fuzz/minimise`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "../../e2e/conformance"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "only queries are taken from the tables")]
mod conformance {
    mod row;
    mod rows;

    pub use row::Row;
    pub use rows::rows;
}

#[path = "../../e2e/support"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "only the notation of octets is used")]
mod support {
    pub mod octets;
}

fn main() -> Result<(), Box<dyn Error>> {
    let out: PathBuf = env::args_os().nth(1).ok_or("name the directory to write to")?.into();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data");
    // Rows of the conformance tables reach every branch that has a rule.
    let queries = conformance::rows().map(|row| support::octets::octets(row.query));
    write(&out.join("datagram"), queries.chain(kea_queries(&data.join("kea-3.3-answers"))?))?;
    write(&out.join("lease_row"), lease_rows(&data)?)?;
    write(&out.join("kea_config"), kea_configs(&data)?)?;
    Ok(())
}

fn write(directory: &Path, seeds: impl IntoIterator<Item = Vec<u8>>) -> Result<(), Box<dyn Error>> {
    // Created first, as a fuzzer starts with no corpus.
    fs::create_dir_all(directory)?;
    for (number, seed) in seeds.into_iter().enumerate() {
        fs::write(directory.join(format!("{number:04}")), seed)?;
    }
    Ok(())
}

/// Queries that were sent to Kea.
fn kea_queries(directory: &Path) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut queries = Vec::new();
    for file in fs::read_dir(directory)? {
        let text = fs::read_to_string(file?.path())?;
        // Answers are in the same files, and are no seeds.
        let requests = text.lines().filter_map(|line| line.strip_prefix("request "));
        queries.extend(requests.map(|hex| support::octets::octets(hex.trim())));
    }
    Ok(queries)
}

/// Rows of all schemas; the first octet is the number of columns of the header (see target `lease_row`).
fn lease_rows(data: &Path) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let conformance = fs::read_to_string(data.join("conformance/leases.csv"))?;
    let sample = fs::read_to_string(data.join("sample/kea-leases6.csv"))?;
    // A sample is enough: rows of one kind teach the fuzzer nothing.
    let rows = conformance.lines().chain(sample.lines().skip(1).take(100));
    let rows = rows.filter(|row| !row.is_empty() && !row.starts_with('#'));
    let seeds = rows.flat_map(|row| {
        // The table's `now` is no number, and the fuzzer needs rows that parse.
        let row = row.replacen("now", "18", 1);
        [12, 16, 18].map(|columns| {
            let cut: Vec<_> = row.split(',').take(columns).collect();
            [&[columns as u8 - 12], cut.join(",").as_bytes()].concat()
        })
    });
    Ok(seeds.collect())
}

fn kea_configs(data: &Path) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let feed = data.join("../../crates/feed/tests/data/kea-config");
    let directories = ["conformance", "sample", "cli"].map(|name| data.join(name));
    let mut seeds = Vec::new();
    for directory in directories.iter().chain([&feed, &feed.join("included")]) {
        for file in fs::read_dir(directory)? {
            let path = file?.path();
            // Other files of these folders are no configurations.
            if path.extension().is_some_and(|extension| extension == "conf" || extension == "json") {
                seeds.push(fs::read(path)?);
            }
        }
    }
    Ok(seeds)
}
