//! Changes of the lease file, told as they come.

use std::fs;

use libtest_mimic::{Failed, Trial};

use super::reader::{Reader, address, append, fixture, row, serve};
use crate::bulk::server::await_bulk;
use crate::support::http::get_unix;
use crate::support::kea_lfc::with_suffix;
use crate::support::lqd::Lqd;

pub fn trials() -> Vec<Trial> {
    tests! {
        changes_are_told_as_they_come,
        a_lease_is_told_when_its_valid_lifetime_is_over,
        a_cleanup_tells_no_removals,
        active_queries_are_counted,
        a_second_source_is_followed,
        check_says_what_is_offered,
    }
}

fn changes_are_told_as_they_come() -> Result<(), Failed> {
    let fixture = fixture(&row(1, 5000, "now", 0));
    let (lqd, server) = serve(&fixture, &[]);
    let mut reader = Reader::all(server);
    append(&fixture, 2, 4000, "now", 0);
    let told = reader.about(2);
    assert_eq!((told.kind, told.status), (17, None));
    let (preferred, valid) = told.bindings[&address(2)];
    assert!((3900..=4000).contains(&valid) && preferred == valid, "{told:?}");
    append(&fixture, 2, 9000, "now", 0);
    assert!(reader.about(2).bindings[&address(2)].1 > 4000, "it is renewed");
    append(&fixture, 1, 5000, "now", 3);
    assert_eq!(reader.about(1).bindings[&address(1)], (0, 0), "it is released");
    // Kea removes a lease by a row without valid lifetime.
    append(&fixture, 2, 0, "now", 0);
    assert_eq!(reader.about(2).bindings[&address(2)], (0, 0));
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

fn a_lease_is_told_when_its_valid_lifetime_is_over() -> Result<(), Failed> {
    let fixture = fixture(&row(1, 5000, "now", 0));
    let (lqd, server) = serve(&fixture, &[]);
    let mut reader = Reader::all(server);
    append(&fixture, 2, 8, "now", 0);
    assert!(reader.about(2).bindings[&address(2)].1 > 0);
    assert_eq!(reader.about(2).bindings[&address(2)], (0, 0));
    // Once told, its removal is none any more: the next change comes right behind.
    append(&fixture, 2, 8, "now", 2);
    append(&fixture, 3, 4000, "now", 0);
    let told = reader.told();
    assert_eq!(told.client.and_then(|duid| duid.last().copied()), Some(3));
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// Kea's clean-up as it goes: the file is renamed, a new one begun, and the old ones are merged into `.2`.
fn a_cleanup_tells_no_removals() -> Result<(), Failed> {
    let fixture = fixture(&[row(1, 5000, "now", 0), row(2, 5000, "now", 0), row(1, 6000, "now", 0)].concat());
    let (lqd, server) = serve(&fixture, &[]);
    let mut reader = Reader::all(server);
    let leases = fixture.leases();
    fs::rename(&leases, with_suffix(&leases, ".1"))?;
    fixture.replace_leases("");
    append(&fixture, 3, 4000, "now", 0);
    let told = reader.told();
    assert_eq!(told.client.and_then(|duid| duid.last().copied()), Some(3));
    let cleaned = fixture.lease_file(&[row(1, 6000, "now", 0), row(2, 5000, "now", 0)].concat());
    let output = with_suffix(&leases, ".output");
    fs::write(&output, cleaned)?;
    fs::rename(&output, with_suffix(&leases, ".completed"))?;
    fs::rename(with_suffix(&leases, ".completed"), with_suffix(&leases, ".2"))?;
    fs::remove_file(with_suffix(&leases, ".1"))?;
    append(&fixture, 4, 4000, "now", 0);
    let told = reader.told();
    assert_eq!(told.client.and_then(|duid| duid.last().copied()), Some(4), "nothing was told but that");
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

fn active_queries_are_counted() -> Result<(), Failed> {
    let fixture = fixture(&row(1, 5000, "now", 0));
    let log = fixture.directory().join("queries.log");
    let (lqd, server) = serve(&fixture, &[&format!("--query-log={}", log.display())]);
    let mut reader = Reader::all(server);
    append(&fixture, 2, 4000, "now", 0);
    reader.about(2);
    let counted = await_bulk(&fixture, |bulk| bulk["active"]["behind_entries"] == 0)?;
    assert_eq!((&counted["active"]["sessions"], &counted["active"]["catching_up"]), (&1.into(), &0.into()));
    assert_eq!(counted["active"]["log"]["appended"]["put"], 1);
    let metrics = get_unix(&fixture.admin_socket(), "/metrics").body;
    for line in [
        "lqd_active_sessions 1",
        "lqd_active_behind_entries 0",
        "lqd_change_log_entries 1",
        "lqd_change_log_overwritten_total 0",
        "lqd_change_log_appended_total{event=\"put\"} 1",
        "lqd_change_log_appended_total{event=\"expired\"} 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
    reader.0.finish();
    reader.assert_closed();
    await_bulk(&fixture, |bulk| bulk["active"]["sessions"] == 0)?;
    assert_eq!(lqd.stop(), 0);
    let text = fs::read_to_string(&log)?;
    let line: serde_json::Value = serde_json::from_str(text.trim_end())?;
    assert_eq!((&line["transaction"], &line["bindings"]), (&"a00001".into(), &1.into()), "{line}");
    Ok(())
}

fn a_second_source_is_followed() -> Result<(), Failed> {
    let (first, second) = (fixture(&row(1, 5000, "now", 0)), fixture(&row(2, 5000, "now", 0)));
    let config = first.directory().join("lqd.toml");
    let place = |path: std::path::PathBuf| format!("kea-config = '{}'\n", path.display());
    let sources = [("a", first.kea_config()), ("b", second.kea_config())];
    let text = sources.map(|(name, path)| format!("[[source]]\nname = '{name}'\n{}", place(path))).concat();
    fs::write(&config, text)?;
    let flags = ["--active=insecure", &first.admin_flag(), "--config", &config.display().to_string()]
        .map(str::to_owned);
    let (lqd, server) = crate::bulk::server::start(&flags);
    // The load of the second source is no change.
    let mut reader = Reader::all(server);
    append(&second, 3, 4000, "now", 0);
    assert!(reader.told().bindings[&address(3)].1 > 0);
    append(&first, 4, 4000, "now", 0);
    assert!(reader.told().bindings[&address(4)].1 > 0);
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

fn check_says_what_is_offered() -> Result<(), Failed> {
    let fixture = fixture(&row(1, 5000, "now", 0));
    let check = |more: &[&str]| {
        let mut arguments = vec!["check".to_owned()];
        arguments.extend(fixture.flags());
        arguments.extend(more.iter().map(ToString::to_string));
        Lqd::run(&arguments)
    };
    let off = check(&["--bulk=[::1]:0"]);
    assert!(off.stdout.contains("active         off"), "{}", off.stdout);
    let on = check(&["--bulk=[::1]:0", "--active=insecure", "--active-history=60"]);
    assert!(on.stdout.contains("active         insecure: changes of 60 seconds, 256 MiB"), "{}", on.stdout);
    assert_eq!(check(&["--active=insecure"]).code, Some(2));
    Ok(())
}
