//! `--help`: fits a terminal, and names the true defaults and limits.

use lqd_answer::QueryKind;

use super::*;

fn help(command: &str, flag: &str) -> String {
    let shown = CommandLine::try_parse_from(["lqd", command, flag]).unwrap_err();
    assert_eq!(shown.exit_code(), 0);
    shown.to_string()
}

/// Returns the long help of one flag.
fn manual(name: &str) -> String {
    let command = CommandLine::command();
    let serve = command.find_subcommand("serve").unwrap();
    let flag = serve.get_arguments().find(|flag| flag.get_long() == Some(name)).unwrap();
    flag.get_long_help().unwrap().to_string()
}

#[test]
fn it_fits_a_terminal() {
    for command in ["serve", "check"] {
        for flag in ["--help", "-h"] {
            for line in help(command, flag).lines() {
                assert!(line.chars().count() <= 80, "{command} {flag}: {line}");
            }
        }
    }
}

#[test]
fn every_flag_says_its_default() {
    for Sample { name, .. } in ROWS {
        let manual = manual(name);
        assert!(manual.contains("Default: ") || manual.contains("Required"), "--{name}: {manual}");
    }
}

#[test]
fn the_defaults_said_are_those_that_hold() {
    let defaults = Settings::read(&typed(&["--kea-config=k"])).unwrap();
    for (name, said) in [
        ("listen", "[::]:547,"),
        ("deny", "not-allowed."),
        ("relayed", "answer."),
        ("max-relay-hops", "9."),
        ("max-reply", "65527,"),
        ("rate", "0."),
        ("keep-discards", "0."),
        ("max-feed-age", "60."),
        ("when-stale", "silent."),
        ("bulk-connections", "10."),
        ("bulk-queries", "8."),
        ("bulk-timeout", "300."),
        ("bulk-threads", "1."),
        ("bulk-tls", "off."),
        ("active", "off."),
        ("active-history", "600."),
        ("active-history-size", "256."),
        ("active-idle-timeout", "60."),
        ("active-send-timeout", "120."),
        ("io", "auto."),
        ("gro", "on."),
        ("buffers", "256."),
        ("receive-buffer", "8MiB."),
        ("send-buffer", "4MiB."),
        ("steering", "hash."),
        ("busy-poll", "0."),
        ("sandbox", "auto."),
        ("log-format", "text."),
        ("log", "info."),
    ] {
        assert!(manual(name).contains(&format!("\nDefault: {said}")), "--{name}: {}", manual(name));
        let said = said.trim_end_matches(['.', ',']);
        let given = Settings::read(&typed(&["--kea-config=k", &format!("--{name}={said}")])).unwrap();
        assert_eq!(given, defaults, "--{name}");
    }
}

#[test]
fn the_limits_said_are_those_that_hold() {
    for (name, limits) in [
        ("max-relay-hops", ["0", "33", "34"]),
        ("sensitive-option", ["3", "65535", "65536"]),
        ("max-reply", ["512", "65527", "65528"]),
        ("rate", ["0", "1000000", "1000001"]),
        ("query-log-sample", ["1", "1000000", "1000001"]),
        ("keep-discards", ["0", "4096", "4097"]),
        ("burst", ["1", "1000000", "1000001"]),
        ("max-feed-age", ["1", "86400", "86401"]),
        ("bulk-connections", ["1", "10000", "10001"]),
        ("bulk-connections-per-requestor", ["1", "10000", "10001"]),
        ("bulk-queries", ["1", "64", "65"]),
        ("bulk-timeout", ["10", "86400", "86401"]),
        ("bulk-cpus", ["0", "1023", "1024"]),
        ("bulk-threads", ["1", "64", "65"]),
        ("active-history", ["0", "86400", "86401"]),
        ("active-history-size", ["1", "65536", "65537"]),
        ("active-idle-timeout", ["5", "3600", "3601"]),
        ("active-send-timeout", ["5", "3600", "3601"]),
        ("workers", ["1", "256", "257"]),
        ("cpus", ["0", "1023", "1024"]),
        ("buffers", ["64", "32768", "65536"]),
        ("receive-buffer", ["64KiB", "512MiB", "513MiB"]),
        ("send-buffer", ["64KiB", "512MiB", "513MiB"]),
        ("busy-poll", ["0", "1000", "1001"]),
    ] {
        let [least, most, beyond] = limits;
        assert!(manual(name).contains(&format!("{least}..={most}")), "--{name}: {}", manual(name));
        let parses =
            |value| CommandLine::try_parse_from(["lqd", "serve", &format!("--{name}={value}")]).is_ok();
        assert_eq!([parses(least), parses(most), parses(beyond)], [true, true, false], "--{name}");
    }
}

#[test]
fn every_query_kind_is_named() {
    for kind in QueryKind::ALL {
        assert!(manual("config").contains(&format!("\"{}\"", kind.setting())), "{kind:?}");
    }
}
