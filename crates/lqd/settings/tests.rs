//! Every setting by flag and by key, their precedence, and the text of each error.

mod faults;
mod help;
mod sources;

use std::fs;
use std::path::Path;

use clap::{CommandFactory, Parser};
use tempfile::TempDir;

use super::*;

/// One setting, given both ways.
struct Sample {
    /// The flag without dashes, and the key.
    name: &'static str,
    /// As flags.
    flags: &'static [&'static str],
    /// As a line of the file.
    toml: &'static str,
    /// Returns the value that is tested, formatted by `{:?}`.
    read: fn(&Settings) -> String,
    /// Expected value.
    want: &'static str,
    /// Default value; empty if it depends on the machine.
    default: &'static str,
}

macro_rules! row {
    ($name:literal, $flags:expr, $toml:literal, sources[0].$field:ident, $want:literal, default $default:literal) => {
        Sample {
            name: $name,
            flags: &$flags,
            toml: $toml,
            read: |settings| format!("{:?}", settings.sources[0].$field),
            want: $want,
            default: $default,
        }
    };
    ($name:literal, $flags:expr, $toml:literal, $($field:ident).+, $want:literal, default $default:literal) => {
        Sample {
            name: $name,
            flags: &$flags,
            toml: $toml,
            read: |settings| format!("{:?}", settings.$($field).+),
            want: $want,
            default: $default,
        }
    };
}

#[rustfmt::skip]
const ROWS: &[Sample] = &[
    row!("kea-config", ["--kea-config=/etc/dhcp6.conf"], "kea-config = '/etc/dhcp6.conf'", sources[0].kea_config,
        "\"/etc/dhcp6.conf\"", default "\"kea.conf\""),
    row!("kea-leases", ["--kea-leases=/var/leases.csv"], "kea-leases = '/var/leases.csv'", sources[0].kea_leases,
        "Some(\"/var/leases.csv\")", default "None"),
    row!("server-duid", ["--server-duid=00:03:ff"], "server-duid = '00:03:ff'", server_duid,
        "Some([0, 3, 255])", default "None"),
    row!("listen", ["--listen=[::1]:1547", "--listen=[fe80::1%lo]:547"],
        "listen = ['[::1]:1547', '[fe80::1%lo]:547']", listen,
        "[[::1]:1547, [fe80::1%1]:547]", default "[[::]:547]"),
    row!("multicast", ["--multicast=lo"], "multicast = ['lo']", multicast,
        "[Interface { name: \"lo\", index: 1 }]", default "[]"),
    row!("allow", ["--allow=2001:db8::/32", "--allow=::1"], "allow = ['2001:db8::/32', '::1']", allow,
        "Some([2001:db8::/32, ::1/128])", default "None"),
    row!("deny", ["--deny=drop"], "deny = 'drop'", rights.deny, "Drop", default "NotAllowed"),
    row!("deny", ["--deny=not-allowed"], "deny = 'not-allowed'", rights.deny, "NotAllowed", default "NotAllowed"),
    row!("relayed", ["--relayed=drop"], "relayed = 'drop'", rights.relayed, "Drop", default "Answer"),
    row!("max-relay-hops", ["--max-relay-hops=0"], "max-relay-hops = 0", max_relay_hops, "0", default "9"),
    row!("link-address", ["--link-address=7=2001:db8:7::1"], "link-address = ['7=2001:db8:7::1']", sources[0].link_addresses,
        "[LinkAddress { subnet_id: 7, address: 2001:db8:7::1 }]", default "[]"),
    row!("sensitive-option", ["--sensitive-option=79", "--sensitive-option=39", "--sensitive-option=79"],
        "sensitive-option = [79, 39, 79]", rights.sensitive_options, "[39, 79]", default "[]"),
    row!("max-reply", ["--max-reply=512"], "max-reply = 512", rights.max_reply, "512", default "65527"),
    row!("rate", ["--rate=100"], "rate = 100", rights.rate, "Some(Rate { per_second: 100, burst: 100 })",
        default "None"),
    row!("burst", ["--rate=1", "--burst=1000000"], "rate = 1\nburst = 1000000", rights.rate,
        "Some(Rate { per_second: 1, burst: 1000000 })", default "None"),
    row!("restricted-requestor", ["--restricted-requestor"], "restricted-requestor = true",
        rights.restricted_requestor, "true", default "false"),
    row!("max-feed-age", ["--max-feed-age=86400"], "max-feed-age = 86400", max_feed_age,
        "86400s", default "60s"),
    row!("when-stale", ["--when-stale=refuse"], "when-stale = 'refuse'", when_stale, "Refuse",
        default "Silent"),
    row!("when-stale", ["--when-stale=answer"], "when-stale = 'answer'", when_stale, "Answer",
        default "Silent"),
    row!("admin", ["--admin=9547", "--admin=unix:/a.sock"], "admin = [9547, 'unix:/a.sock']", admin,
        "[Tcp([::1]:9547), Unix(\"/a.sock\")]", default "[]"),
    row!("query-log", ["--query-log=/q.log"], "query-log = '/q.log'", query_log,
        "Some(QueryLog { to: File(\"/q.log\"), sample: 1, requestor: ::/0 })", default "None"),
    row!("query-log", ["--query-log=journald"], "query-log = 'journald'", query_log,
        "Some(QueryLog { to: Journald, sample: 1, requestor: ::/0 })", default "None"),
    row!("query-log", ["--query-log=stderr"], "query-log = 'stderr'", query_log,
        "Some(QueryLog { to: Stderr, sample: 1, requestor: ::/0 })", default "None"),
    row!("query-log-sample", ["--query-log=stderr", "--query-log-sample=1000"],
        "query-log = 'stderr'\nquery-log-sample = 1000", query_log,
        "Some(QueryLog { to: Stderr, sample: 1000, requestor: ::/0 })", default "None"),
    row!("query-log-requestor", ["--query-log=stderr", "--query-log-requestor=fd00::/8"],
        "query-log = 'stderr'\nquery-log-requestor = 'fd00::/8'", query_log,
        "Some(QueryLog { to: Stderr, sample: 1, requestor: fd00::/8 })", default "None"),
    row!("keep-discards", ["--keep-discards=4096"], "keep-discards = 4096", keep_discards, "4096", default "0"),
    row!("bulk", ["--bulk=[::]:547", "--bulk=[fe80::1%lo]:0"], "bulk = ['[::]:547', '[fe80::1%lo]:0']", bulk,
        "[[::]:547, [fe80::1%1]:0]", default "[]"),
    row!("bulk", ["--bulk=[::1]"], "bulk = ['[::1]']", bulk, "[[::1]:547]", default "[]"),
    row!("bulk-connections", ["--bulk-connections=10000"], "bulk-connections = 10000", bulk_connections,
        "10000", default "10"),
    row!("bulk-connections-per-requestor", ["--bulk-connections-per-requestor=2"],
        "bulk-connections-per-requestor = 2", bulk_connections_per_requestor, "Some(2)", default "None"),
    row!("bulk-queries", ["--bulk-queries=64"], "bulk-queries = 64", bulk_queries, "64", default "8"),
    row!("bulk-timeout", ["--bulk-timeout=86400"], "bulk-timeout = 86400", bulk_timeout, "86400s", default "300s"),
    row!("bulk-cpus", ["--bulk-cpus=1-2"], "bulk-cpus = '1-2'", bulk_cpus, "Some([1, 2])", default "None"),
    row!("bulk-threads", ["--bulk-threads=64"], "bulk-threads = 64", bulk_threads, "64", default "1"),
    row!("bulk-tls", ["--bulk-tls=required", "--bulk=[::]:547", "--tls-certificate=/c", "--tls-key=/k", "--tls-ca=/a"],
        "bulk-tls = 'required'\nbulk = ['[::]:547']\ntls-certificate = '/c'\ntls-key = '/k'\ntls-ca = '/a'", bulk_tls,
        "Required", default "Off"),
    row!("tls-certificate", ["--tls-certificate=/c", "--tls-key=/k", "--tls-ca=/a"],
        "tls-certificate = '/c'\ntls-key = '/k'\ntls-ca = '/a'", tls,
        "Some(TlsFiles { certificate: \"/c\", key: \"/k\", ca: \"/a\" })", default "None"),
    row!("tls-key", ["--tls-certificate=/c", "--tls-key=/k", "--tls-ca=/a"],
        "tls-certificate = '/c'\ntls-key = '/k'\ntls-ca = '/a'", tls,
        "Some(TlsFiles { certificate: \"/c\", key: \"/k\", ca: \"/a\" })", default "None"),
    row!("tls-ca", ["--tls-certificate=/c", "--tls-key=/k", "--tls-ca=/a"],
        "tls-certificate = '/c'\ntls-key = '/k'\ntls-ca = '/a'", tls,
        "Some(TlsFiles { certificate: \"/c\", key: \"/k\", ca: \"/a\" })", default "None"),
    row!("active", ["--bulk=[::1]:1", "--active=insecure"], "bulk = ['[::1]:1']\nactive = 'insecure'", active,
        "Insecure", default "Off"),
    row!("active-history", ["--active-history=0"], "active-history = 0", active_history, "0", default "600"),
    row!("active-history-size", ["--active-history-size=65536"], "active-history-size = 65536",
        active_history_size, "65536", default "256"),
    row!("active-idle-timeout", ["--active-idle-timeout=5"], "active-idle-timeout = 5", active_idle_timeout,
        "5s", default "60s"),
    row!("active-send-timeout", ["--active-send-timeout=3600"], "active-send-timeout = 3600",
        active_send_timeout, "3600s", default "120s"),
    row!("workers", ["--workers=256"], "workers = 256", workers, "256", default ""),
    row!("cpus", ["--cpus=7,0-2"], "cpus = '7,0-2'", cpus, "Some([7, 0, 1, 2])", default "None"),
    row!("cpus", ["--cpus=3"], "cpus = 3", cpus, "Some([3])", default "None"),
    row!("cpus", ["--cpus=7,0-2"], "cpus = '7,0-2'", workers, "4", default ""),
    row!("io", ["--io=uring"], "io = 'uring'", io, "Uring", default "Auto"),
    row!("gro", ["--gro=off"], "gro = 'off'", gro, "Off", default "On"),
    row!("io", ["--io=mmsg"], "io = 'mmsg'", io, "Mmsg", default "Auto"),
    row!("buffers", ["--buffers=32768"], "buffers = 32768", buffers, "32768", default "256"),
    row!("receive-buffer", ["--receive-buffer=4MiB"], "receive-buffer = '4MiB'", receive_buffer,
        "4194304", default "8388608"),
    row!("receive-buffer", ["--receive-buffer=65536"], "receive-buffer = 65536", receive_buffer,
        "65536", default "8388608"),
    row!("send-buffer", ["--send-buffer=512KiB"], "send-buffer = '512KiB'", send_buffer,
        "524288", default "4194304"),
    row!("steering", ["--steering=cpu"], "steering = 'cpu'", steering, "Cpu", default "Hash"),
    row!("busy-poll", ["--busy-poll=50"], "busy-poll = 50", busy_poll, "50", default "0"),
    row!("sandbox", ["--sandbox=on"], "sandbox = 'on'", sandbox, "On", default "Auto"),
    row!("log-format", ["--log-format=json"], "log-format = 'json'", log_format, "Json", default "Text"),
    row!("log", ["--log=info,lqd_feed=debug"], "log = 'info,lqd_feed=debug'", log,
        "\"info,lqd_feed=debug\"", default "\"info\""),
    row!("example-query", ["--example-query"], "example-query = true", example_query,
        "true", default "false"),
];

/// Flags of `lqd serve` as typed.
fn typed(flags: &[&str]) -> Flags {
    let command_line = CommandLine::try_parse_from(["lqd", "serve"].iter().chain(flags)).unwrap();
    let Command::Serve(flags) = command_line.command else { panic!("asked to serve") };
    flags
}

/// A folder with `text` as its `lqd.toml`.
fn file(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("lqd.toml"), text).unwrap();
    folder
}

/// Settings from `flags` over a file of `text`.
fn read(flags: &[&str], text: &str) -> Result<Settings, SettingsError> {
    let folder = file(text);
    let config = format!("--config={}", folder.path().join("lqd.toml").display());
    Settings::read(&typed(&[&[config.as_str()], flags].concat()))
}

#[test]
fn every_setting_by_flag_and_by_key() {
    for Sample { name, flags, toml, read: shown, want, default } in ROWS {
        // Kea's configuration must be given; where it is the row itself, the row's comes alone.
        let kea = ["--kea-config=kea.conf"];
        let kea: &[&str] = if *name == "kea-config" { &[] } else { &kea };
        let by_flag = Settings::read(&typed(&[kea, flags].concat())).unwrap();
        assert_eq!(shown(&by_flag), *want, "flag {flags:?}");
        assert_eq!(shown(&read(kea, toml).unwrap()), *want, "key {toml}");
        let without = Settings::read(&typed(&["--kea-config=kea.conf"])).unwrap();
        assert!(default.is_empty() || shown(&without) == *default, "{name}: default is {}", shown(&without));
    }
}

#[test]
fn every_setting_has_a_row() {
    let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
    for command in CommandLine::command().get_subcommands() {
        for flag in command.get_arguments().filter_map(clap::Arg::get_long) {
            assert!(names.contains(&flag) || ["config", "help"].contains(&flag), "{flag} has no row in ROWS");
        }
    }
}

#[test]
fn check_takes_the_flags_of_serve() {
    for Sample { flags, .. } in ROWS {
        let command_line = CommandLine::try_parse_from(["lqd", "check"].iter().chain(*flags)).unwrap();
        let Command::Check(checked) = command_line.command else { panic!("asked to check") };
        assert_eq!(checked, typed(flags));
    }
}

#[test]
fn flags_win_over_the_file_key_by_key() {
    let text = "kea-config = '/k'\nworkers = 3\nallow = ['::1', '::2']\nbuffers = 64\nexample-query = true";
    let settings = read(&["--workers=5", "--allow=2001:db8::/32"], text).unwrap();
    assert_eq!(settings.workers, 5);
    assert_eq!(settings.allow, Some(vec!["2001:db8::/32".parse().unwrap()]), "the list is replaced whole");
    assert_eq!((settings.buffers, settings.example_query), (64, true), "untouched by flags");
    assert_eq!(settings.sources[0].kea_config, Path::new("/k"));
}

#[test]
fn every_key_can_be_overruled_by_its_flag() {
    for Sample { name, flags, read: shown, want, .. } in ROWS {
        let other = match *name {
            "kea-config" | "kea-leases" | "tls-certificate" | "tls-key" | "tls-ca" => "'/other'",
            "bulk-tls" => "'offered'",
            "server-duid" => "'09'",
            "listen" | "bulk" => "['[::2]:547']",
            "multicast" => "[]",
            "allow" => "[]",
            "deny" => "'not-allowed'",
            "relayed" => "'answer'",
            "max-relay-hops" | "workers" | "cpus" | "rate" | "burst" | "bulk-connections" => "9",
            "bulk-connections-per-requestor" | "bulk-queries" | "bulk-cpus" | "bulk-threads" => "9",
            "bulk-timeout" => "60",
            "active" => "'off'",
            "active-history" | "active-history-size" | "active-idle-timeout" | "active-send-timeout" => "9",
            "sensitive-option" => "[18]",
            "link-address" => "['8=2001:db8:8::1']",
            "max-reply" => "1232",
            "max-feed-age" => "5",
            "when-stale" => "'silent'",
            "admin" => "[1]",
            "io" => "'auto'",
            "gro" => "'on'",
            "buffers" => "64",
            "receive-buffer" | "send-buffer" => "'1MiB'",
            "steering" => "'hash'",
            "busy-poll" => "7",
            "sandbox" => "'auto'",
            "log-format" => "'text'",
            "log" => "'error'",
            "query-log" => "'other.log'",
            "query-log-sample" | "keep-discards" => "9",
            "query-log-requestor" => "'fd01::/16'",
            "restricted-requestor" | "example-query" => "false",
            _ => panic!("{name} needs another value here"),
        };
        let kea = if *name == "kea-config" { "" } else { "kea-config = '/k'\n" };
        let settings = read(flags, &format!("{kea}{name} = {other}")).unwrap();
        assert_eq!(shown(&settings), *want, "{name}");
    }
}

#[test]
fn paths_in_the_file_start_from_its_folder_and_flags_from_here() {
    let folder = file(
        "kea-config = 'kea/dhcp6.conf'\nkea-leases = '../leases.csv'\n\
         tls-certificate = 'tls/c'\ntls-key = 'tls/k'\ntls-ca = 'tls/a'",
    );
    let config = folder.path().join("lqd.toml").display().to_string();
    let settings = Settings::read(&typed(&["--config", &config])).unwrap();
    assert_eq!(settings.sources[0].kea_config, folder.path().join("kea/dhcp6.conf"));
    assert_eq!(settings.sources[0].kea_leases, Some(folder.path().join("../leases.csv")));
    let tls = ["tls/c", "tls/k", "tls/a"].map(|file| folder.path().join(file));
    assert_eq!(settings.tls.unwrap().paths(), tls.each_ref());

    let settings = Settings::read(&typed(&["--config", &config, "--kea-config", "here.conf"])).unwrap();
    assert_eq!(settings.sources[0].kea_config, Path::new("here.conf"));
}

#[test]
fn an_empty_list_of_allowed_networks_is_not_the_default() {
    assert_eq!(read(&[], "kea-config = '/k'\nallow = []").unwrap().allow, Some(vec![]));
}

#[test]
fn port_0_twice_is_two_ports() {
    let settings =
        Settings::read(&typed(&["--kea-config=k", "--listen=[::1]:0", "--listen=[::1]:0"])).unwrap();
    assert_eq!(settings.listen, ["[::1]:0".parse().unwrap(); 2]);
}

#[test]
fn workers_follow_the_machine_and_stay_within_their_limit() {
    let settings = Settings::read(&typed(&["--kea-config=k"])).unwrap();
    assert_eq!(settings.workers, std::thread::available_parallelism().unwrap().get().min(256));
    assert_eq!(Settings::read(&typed(&["--kea-config=k", "--cpus=0-999"])).unwrap().workers, 256);
    assert_eq!(Settings::read(&typed(&["--kea-config=k", "--cpus=0-3", "--workers=9"])).unwrap().workers, 9);
}

#[test]
fn the_file_is_read_again() {
    let folder = file("kea-config = '/k'\nworkers = 3\nlog = 'debug'");
    let path = folder.path().join("lqd.toml");
    let flags = typed(&["--log=warn", &format!("--config={}", path.display())]);
    let before = Settings::read(&flags).unwrap();
    fs::write(&path, "kea-config = '/k'\nworkers = 4\nlog = 'trace'").unwrap();
    let after = Settings::read(&flags).unwrap();
    assert_eq!((before.workers, after.workers), (3, 4));
    assert_eq!((before.log.as_str(), after.log.as_str()), ("warn", "warn"), "the flag stays");
    assert_eq!(before.restart_needed(&after), ["workers"]);
}

#[test]
fn what_needs_a_restart_is_named() {
    let restart = [
        "listen",
        "multicast",
        "admin",
        "bulk",
        "bulk-connections",
        "bulk-connections-per-requestor",
        "bulk-queries",
        "bulk-timeout",
        "bulk-cpus",
        "bulk-threads",
        "active",
        "active-history",
        "active-history-size",
        "active-idle-timeout",
        "active-send-timeout",
        "workers",
        "cpus",
        "io",
        "gro",
        "buffers",
        "receive-buffer",
        "send-buffer",
        "steering",
        "busy-poll",
        "sandbox",
        "log",
        "log-format",
    ];
    let before = Settings::read(&typed(&["--kea-config=kea.conf", "--workers=1"])).unwrap();
    assert!(before.restart_needed(&before).is_empty());
    for Sample { name, flags, want, default, .. } in ROWS.iter().filter(|row| row.want != row.default) {
        let is_given = |setting: &str| flags.iter().any(|flag| flag.starts_with(&format!("--{setting}=")));
        let wanted: Vec<_> = restart.iter().copied().filter(|setting| is_given(setting)).collect();
        let mut flags = flags.to_vec();
        flags.extend((*name != "kea-config").then_some("--kea-config=kea.conf"));
        flags.extend((*name != "workers").then_some("--workers=1"));
        let after = Settings::read(&typed(&flags)).unwrap();
        assert_eq!(before.restart_needed(&after), wanted, "{name}: {default} → {want}");
    }
}
