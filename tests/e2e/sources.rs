//! Two Kea servers as sources of one lqd: `[[source]]` of the configuration file.

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use tempfile::TempDir;

use crate::cli::{
    KEA_CONFIG, assert_reply, await_reply, by_address, held_by, lease, no_binding, not_configured,
    reply_if_any,
};
use crate::support::fixture::LEASES_HEADER;
use crate::support::http::get_unix;
use crate::support::{Fixture, Lqd, Requestor, Until};

/// Number of replacements of one server's lease file.
const REPLACEMENTS: u32 = 40;

pub fn trials() -> Vec<Trial> {
    tests! {
        equal_subnet_ids_stay_apart,
        replacing_one_source_never_hides_leases,
        newest_claim_of_an_address_wins,
        start_waits_for_every_source,
        losing_one_source_makes_misses_uncertain,
        reload_adds_and_removes_sources,
        check_sums_up_all_sources,
    }
}

/// Files of two servers with one subnet each, both with id 1: 2001:db8:1::/64 and 2001:db8:2::/64.
struct Keas {
    a: Fixture,
    b: Fixture,
    own: TempDir,
}

impl Keas {
    fn new() -> Self {
        let a = Fixture::new(KEA_CONFIG, &lease("1", "01"));
        let b = Fixture::new(&KEA_CONFIG.replace("2001:db8:1::/64", "2001:db8:2::/64"), &on_b("1", "02"));
        let keas = Self { a, b, own: TempDir::new().expect("a temporary directory") };
        keas.configure(&[("kea-a", &keas.a), ("kea-b", &keas.b)]);
        keas
    }

    fn configure(&self, sources: &[(&str, &Fixture)]) {
        let source = |(name, kea): &(&str, &Fixture)| {
            format!("[[source]]\nname = '{name}'\nkea-config = '{}'\n", kea.kea_config().display())
        };
        let text: String = sources.iter().map(source).collect();
        fs::write(self.config(), text).expect("the configuration is written");
    }

    fn config(&self) -> PathBuf {
        self.own.path().join("lqd.toml")
    }

    fn socket(&self) -> PathBuf {
        self.own.path().join("admin.sock")
    }

    fn flags(&self) -> Vec<String> {
        let admin = format!("unix:{}", self.socket().display());
        vec!["--config".into(), self.config().display().to_string(), "--admin".into(), admin]
    }

    fn start(&self) -> (Lqd, Requestor) {
        let lqd = Lqd::start(&self.flags());
        let requestor = Requestor::new(lqd.address);
        (lqd, requestor)
    }

    fn get(&self, path: &str) -> String {
        get_unix(&self.socket(), path).body
    }

    fn await_page(&self, path: &str, part: &str) {
        let until = Until::patience();
        while !self.get(path).contains(part) {
            assert!(until.pending(), "{path} has no {part}:\n{}", self.get(path));
        }
    }
}

/// Returns [`lease`] in 2001:db8:2::/64.
fn on_b(host: &str, client: &str) -> String {
    lease(host, client).replace("2001:db8:1::", "2001:db8:2::")
}

/// Replaces a lease file as Kea's cleanup does, but by other content.
fn replace(kea: &Fixture, rows: &str) {
    let next = kea.directory().join("next");
    let rows = rows.lines().map(|row| kea.rows(row)).collect::<String>();
    fs::write(&next, format!("{LEASES_HEADER}\n{rows}")).expect("the lease file is written");
    fs::rename(&next, kea.leases()).expect("the lease file is replaced");
}

fn assert_both(requestor: &Requestor) {
    assert_reply(requestor, &by_address("2001:db8:1::1"), &held_by("01", "2001:db8:1::1"));
    assert_reply(requestor, &by_address("2001:db8:2::1"), &held_by("02", "2001:db8:2::1"));
}

fn equal_subnet_ids_stay_apart() -> Result<(), Failed> {
    let keas = Keas::new();
    let (lqd, requestor) = keas.start();
    assert_both(&requestor);
    keas.a.append_leases(&keas.a.rows(&lease("2", "03")));
    keas.b.append_leases(&keas.b.rows(&on_b("2", "04")));
    await_reply(&requestor, &by_address("2001:db8:1::2"), &held_by("03", "2001:db8:1::2"));
    await_reply(&requestor, &by_address("2001:db8:2::2"), &held_by("04", "2001:db8:2::2"));
    for free in ["2001:db8:1::99", "2001:db8:2::99"] {
        assert_reply(&requestor, &by_address(free), &no_binding());
    }
    let metrics = keas.get("/metrics");
    for sample in ["lqd_feed_rows_total{source=\"kea-a\"} 2", "lqd_feed_rows_total{source=\"kea-b\"} 2"] {
        assert!(metrics.contains(sample), "{metrics}");
    }
    assert_eq!(metrics.matches("# TYPE lqd_feed_lag_bytes ").count(), 1, "{metrics}");
    let status = keas.get("/status");
    assert!(status.contains("\"name\":\"kea-a\"") && status.contains("\"name\":\"kea-b\""), "{status}");
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

fn replacing_one_source_never_hides_leases() -> Result<(), Failed> {
    let keas = Keas::new();
    let (lqd, requestor) = keas.start();
    for replacement in 0..REPLACEMENTS {
        let host = format!("{:x}", 0x100 + replacement);
        replace(&keas.b, &[on_b("1", "02"), on_b(&host, "05")].join("\n"));
        let address = format!("2001:db8:2::{host}");
        let (query, wanted) = (by_address(&address), held_by("05", &address));
        let until = Until::patience();
        loop {
            // One lease is the other server's, one is in both files of this one.
            assert_both(&requestor);
            if wanted.matches(&reply_if_any(&requestor, &query).unwrap_or_default(), &(0..=0)) {
                break;
            }
            assert!(until.pending(), "{}", lqd.log());
        }
    }
    await_reply(&requestor, &by_address("2001:db8:2::100"), &no_binding());
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// Returns a row of client `client` for 2001:db8:1::9, its cltt so many seconds after that of [`lease`].
fn claim(client: &str, seconds: u32) -> String {
    lease("9", client).replace("4102444800", &(4_102_444_800_u32 + seconds).to_string())
}

fn newest_claim_of_an_address_wins() -> Result<(), Failed> {
    let keas = Keas::new();
    keas.a.append_leases(&keas.a.rows(&claim("0a", 10)));
    keas.b.append_leases(&keas.b.rows(&claim("0b", 20)));
    let (lqd, requestor) = keas.start();
    let query = by_address("2001:db8:1::9");
    let by = |client| held_by(client, "2001:db8:1::9");
    assert_reply(&requestor, &query, &by("0b"));
    keas.await_page("/metrics", "\nlqd_leases_in_conflict 1\n");
    keas.a.append_leases(&keas.a.rows(&claim("0c", 30)));
    await_reply(&requestor, &query, &by("0c"));
    // Removing the winning lease restores the other one.
    keas.a.append_leases(&keas.a.rows(&claim("0c", 31).replace(",0,,1,0,0", ",2,,1,0,0")));
    await_reply(&requestor, &query, &by("0b"));
    keas.await_page("/metrics", "\nlqd_leases_in_conflict 0\n");
    keas.a.append_leases(&keas.a.rows(&claim("0d", 40)));
    await_reply(&requestor, &query, &by("0d"));
    replace(&keas.a, &lease("1", "01"));
    await_reply(&requestor, &query, &by("0b"));
    assert_both(&requestor);
    let log = lqd.log();
    assert_eq!(log.matches("lease sources claim the same address").count(), 1, "{log}");
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

fn start_waits_for_every_source() -> Result<(), Failed> {
    let keas = Keas::new();
    let text = fs::read(keas.b.leases())?;
    fs::remove_file(keas.b.leases())?;
    let mut lqd = Lqd::begin(&keas.flags());
    let why = format!("{}: no such lease file", keas.b.leases().display());
    lqd.await_line(0, |line| line.contains("waiting for Kea") && line.contains(&why));
    keas.await_page("/readyz", &why);
    assert!(lqd.line_with("lqd ready").is_none(), "{}", lqd.log());
    fs::write(keas.b.leases(), text)?;
    lqd.await_ready();
    assert_both(&Requestor::new(lqd.address));
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

fn losing_one_source_makes_misses_uncertain() -> Result<(), Failed> {
    let keas = Keas::new();
    let lqd = Lqd::start(&[keas.flags(), vec!["--max-feed-age".into(), "1".into()]].concat());
    let requestor = Requestor::new(lqd.address);
    assert_reply(&requestor, &by_address("2001:db8:1::99"), &no_binding());
    let text = fs::read(keas.b.leases())?;
    fs::remove_file(keas.b.leases())?;
    keas.await_page("/readyz", "leases are stale");
    assert!(keas.get("/readyz").contains("kea-b: the lease file is gone"), "{}", keas.get("/readyz"));
    assert!(keas.get("/metrics").contains("\nlqd_feed_trouble{source=\"kea-a\"} 0\n"));
    // A client of the lost server may have a lease on the other one's links by now.
    assert_eq!(reply_if_any(&requestor, &by_address("2001:db8:1::99")), None);
    assert_both(&requestor);
    fs::write(keas.b.leases(), text)?;
    await_reply(&requestor, &by_address("2001:db8:1::99"), &no_binding());
    assert_both(&requestor);
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

fn reload_adds_and_removes_sources() -> Result<(), Failed> {
    let keas = Keas::new();
    keas.configure(&[("kea-a", &keas.a)]);
    // The sandbox admits only folders named at the start.
    let lqd = Lqd::start(&[keas.flags(), vec!["--sandbox".into(), "off".into()]].concat());
    let requestor = Requestor::new(lqd.address);
    keas.configure(&[("kea-a", &keas.a), ("kea-b", &keas.b)]);
    lqd.signal("HUP");
    await_reply(&requestor, &by_address("2001:db8:2::1"), &held_by("02", "2001:db8:2::1"));
    assert_both(&requestor);
    keas.configure(&[("kea-b", &keas.b)]);
    lqd.signal("HUP");
    let until = Until::patience();
    while keas.get("/status").matches("\"name\":").count() > 1 {
        assert!(until.pending(), "{}", lqd.log());
        assert_reply(&requestor, &by_address("2001:db8:2::1"), &held_by("02", "2001:db8:2::1"));
    }
    assert_reply(&requestor, &by_address("2001:db8:1::1"), &not_configured());
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

fn check_sums_up_all_sources() -> Result<(), Failed> {
    let keas = Keas::new();
    let ended = Lqd::run(&["check", "--config", path(&keas.config())]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("links          2 with 2 subnets"), "{}", ended.stdout);
    assert!(ended.stdout.contains("leases         2 of 2 clients"), "{}", ended.stdout);
    for kea in [&keas.a, &keas.b] {
        assert!(ended.stdout.contains(path(&kea.leases())), "{}", ended.stdout);
    }
    Ok(())
}

fn path(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}
