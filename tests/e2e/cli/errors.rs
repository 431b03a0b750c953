//! Start-up failures and their messages. Exit status 2: arguments or files that the operator must fix; 1: the
//! host refused.

use std::fs;
use std::net::{Ipv6Addr, UdpSocket};
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use super::{KEA_CONFIG, THREE_LEASES, fixture};
use crate::support::lqd::{Ended, PROGRAM, free_port};
use crate::support::{Fixture, Lqd};

/// Unusable arguments, configuration or lease file.
const UNUSABLE: i32 = 2;
/// Refused by the host, not because of the settings.
const FAILED: i32 = 1;

pub fn trials() -> Vec<Trial> {
    tests! {
        help_and_version,
        unusable_arguments,
        unusable_kea_config,
        unusable_lease_file,
        unusable_toml,
        absent_cpu_ends_start,
        busy_port;
        in namespace: forbidden_port,
    }
}

fn help_and_version() -> Result<(), Failed> {
    for (arguments, words) in [
        (&["--help"][..], &["serve", "check"][..]),
        (&["--version"], &["lqd"]),
        (&["serve", "--help"], &["--kea-config", "--listen", "--allow", "--max-relay-hops", "--io"]),
        (&["check", "--help"], &["--kea-config"]),
    ] {
        let ended = Lqd::run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        for word in words {
            assert!(ended.stdout.contains(word), "{arguments:?} does not mention {word}: {}", ended.stdout);
        }
    }
    Ok(())
}

fn unusable_arguments() -> Result<(), Failed> {
    let fixture = fixture();
    let rows: &[(&[&str], &[&str])] = &[
        (&["--no-such-flag"], &["--no-such-flag"]),
        (&["--allow", "2001:db8::/129"], &["--allow", "2001:db8::/129"]),
        (&["--allow", "everyone"], &["--allow", "everyone"]),
        (&["--deny", "maybe"], &["--deny", "maybe"]),
        (&["--relayed", "maybe"], &["--relayed", "maybe"]),
        (&["--io", "magic"], &["--io", "magic"]),
        (&["--sensitive-option", "1"], &["--sensitive-option", "client-id (1) belongs to every such reply"]),
        (&["--sensitive-option", "5"], &["--sensitive-option", "ia-addr (5) belongs to every such reply"]),
        (
            &["--sensitive-option", "26"],
            &["--sensitive-option", "ia-prefix (26) belongs to every such reply"],
        ),
        (&["--sensitive-option", "46"], &["--sensitive-option", "clt-time (46) belongs to every such reply"]),
        (&["--sensitive-option", "9"], &["--sensitive-option", "list 47 (relay data) instead"]),
        (&["--listen", "127.0.0.1:547"], &["--listen", "127.0.0.1:547"]),
        (&["--listen", "[::1"], &["--listen", "[::1"]),
        (&["--listen", "[::1]:99999"], &["--listen", "[::1]:99999"]),
        (&["--max-relay-hops", "many"], &["--max-relay-hops", "many"]),
        (&["--sensitive-option", "65536"], &["--sensitive-option", "65536"]),
        (&["--workers", "0"], &["--workers", "0"]),
        (&["--server-duid", "00:03:xx"], &["--server-duid", "00:03:xx"]),
        (&["--log-format", "xml"], &["--log-format", "xml"]),
    ];
    for (wrong, words) in rows {
        let mut flags = fixture.flags();
        flags.extend(wrong.iter().map(|&flag| flag.to_owned()));
        for command in ["serve", "check"] {
            refuses(&run(command, &flags), UNUSABLE, words);
        }
    }
    refuses(&run("serve", &[]), UNUSABLE, &["--kea-config"]);
    refuses(&run("reserve", &[]), UNUSABLE, &["reserve"]);
    Ok(())
}

fn unusable_kea_config() -> Result<(), Failed> {
    let missing = "/nonexistent/kea-dhcp6.conf";
    refuses(&run("serve", &["--kea-config".into(), missing.into()]), UNUSABLE, &[missing]);
    let rows: &[(&str, &[&str])] = &[
        ("", &["kea-dhcp6.conf"]),
        ("{ \"Dhcp6\": { \"subnet6\": [ }", &["kea-dhcp6.conf:1"]),
        ("{\n  \"Dhcp6\": {\n    \"subnet6\": 5x\n  }\n}\n", &["kea-dhcp6.conf:3"]),
        ("{ \"Dhcp4\": { } }", &["kea-dhcp6.conf", "Dhcp6"]),
    ];
    for (text, words) in rows {
        let fixture = Fixture::new(text, THREE_LEASES);
        for command in ["serve", "check"] {
            refuses(&run(command, &fixture.flags()), UNUSABLE, words);
        }
    }
    let no_duid = KEA_CONFIG.replace("\"server-id\"", "\"comment\"");
    let fixture = Fixture::new(&no_duid, THREE_LEASES);
    // `serve` waits until Kea has written it: faults::start.
    refuses(&run("check", &fixture.flags()), UNUSABLE, &["--server-duid"]);
    Ok(())
}

fn unusable_lease_file() -> Result<(), Failed> {
    let missing = fixture();
    fs::remove_file(missing.leases())?;
    // `serve` waits until Kea has created it: faults::start.
    let path = missing.leases();
    refuses(&run("check", &missing.flags()), UNUSABLE, &[path.to_str().ok_or("the path is UTF-8")?]);
    let wrong_header = fixture();
    wrong_header.write_leases("address,duid,name\n2001:db8:1::1,00:03:00:01,x\n");
    let one_line = fixture();
    one_line.write_leases("this is no lease file");
    for fixture in [wrong_header, one_line] {
        let path = fixture.leases();
        let words = [path.to_str().ok_or("the path is UTF-8")?];
        for command in ["serve", "check"] {
            refuses(&run(command, &fixture.flags()), UNUSABLE, &words);
        }
    }
    Ok(())
}

/// A worker that cannot start ends start-up before `lqd ready`.
fn absent_cpu_ends_start() -> Result<(), Failed> {
    let fixture = fixture();
    let flags =
        [fixture.flags(), vec!["--cpus".into(), "1023".into(), "--workers".into(), "1".into()]].concat();
    let ended = run("serve", &flags);
    refuses(&ended, UNUSABLE, &["1023"]);
    assert!(!ended.stderr.contains("lqd ready"), "{ended:?}");
    Ok(())
}

fn unusable_toml() -> Result<(), Failed> {
    let fixture = fixture();
    let rows = [
        ("kea-konfig = \"x\"\n", &["kea-konfig"][..]),
        ("kea-config = \n", &["lqd.toml"]),
        ("workers = \"two\"\n", &["workers"]),
        ("\nallow = [\"2001:db8::/129\"]\n", &["lqd.toml:2", "allow"]),
    ];
    let file = fixture.directory().join("lqd.toml");
    let path = file.to_str().ok_or("the path is UTF-8")?;
    for (text, words) in rows {
        fs::write(&file, text)?;
        let flags = [fixture.flags(), vec!["--config".into(), path.into()]].concat();
        for command in ["serve", "check"] {
            refuses(&run(command, &flags), UNUSABLE, words);
        }
    }
    fs::remove_file(&file)?;
    refuses(&run("serve", &["--config".into(), path.into()]), UNUSABLE, &[path]);
    Ok(())
}

fn busy_port() -> Result<(), Failed> {
    let fixture = fixture();
    let port = free_port();
    let _holder = UdpSocket::bind((Ipv6Addr::LOCALHOST, port))?;
    let listen = format!("[::1]:{port}");
    let flags = [fixture.flags(), vec!["--listen".into(), listen.clone()]].concat();
    refuses(&run("serve", &flags), FAILED, &[&listen]);
    let ended = run("check", &flags);
    assert_eq!(ended.code, Some(0), "`check` needs no port: {ended:?}");
    Ok(())
}

/// A port below 1024, in a namespace because containers often let any user bind any port.
fn forbidden_port() -> Result<(), Failed> {
    let fixture = fixture();
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-net_bind_service", "--inh-caps", "-net_bind_service"]);
    command.args([PROGRAM, "serve", "--listen", "[::1]:547"]).args(fixture.flags());
    refuses(&Lqd::run_command(command), FAILED, &["[::1]:547", "CAP_NET_BIND_SERVICE"]);
    Ok(())
}

fn run(command: &str, flags: &[String]) -> Ended {
    Lqd::run(&[&[command.to_owned()], flags].concat())
}

/// Asserts this exit code, and all these words on standard error.
fn refuses(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "no `{word}` in: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}
