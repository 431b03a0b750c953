//! The command line as a new user meets it.

use libtest_mimic::{Failed, Trial};

use super::sample::fixture;
use crate::support::lqd::Ended;
use crate::support::{Lqd, lq};

pub fn trials() -> Vec<Trial> {
    tests! {
        help_names_commands_and_flags,
        usage_errors_name_the_fix,
        flags_may_stand_anywhere,
        manual_and_completions,
        own_duid_is_kept,
        color_only_on_terminals,
    }
}

fn help_names_commands_and_flags() -> Result<(), Failed> {
    let bare = lq::run::<&str>(&[]);
    assert_eq!(bare.code, Some(2), "{bare:?}");
    assert!(bare.stdout.contains("Usage: lq [OPTIONS] [COMMAND]"), "{bare:?}");
    let help = lq::run(&["--help"]);
    assert_eq!(help.code, Some(0), "{help:?}");
    for part in
        ["Exit status:", "Examples:", "[::1]:547", "option (135, RFC 8357)", "MRC 5", "--request", "schema"]
    {
        let text = help.stdout.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        assert!(text.contains(&part.to_lowercase()), "no `{part}` in\n{}", help.stdout);
    }
    Ok(())
}

fn usage_errors_name_the_fix() -> Result<(), Failed> {
    let rows: [(&[&str], &str); 17] = [
        (&["addr", "host"], "invalid IPv6 address"),
        (&["duid", "00:03:zz"], "octets in hexadecimal"),
        (&["duid", "003"], "odd number of hexadecimal digits"),
        (&["-s", "2001:db8::1:", "addr", "::1"], "write [ADDRESS]:PORT"),
        (&["-s", "fe80::1", "addr", "::1"], "ADDRESS%INTERFACE"),
        (&["-s", "192.0.2.1", "addr", "::1"], "IPv4 address"),
        (&["-s", "[fe80::1%nosuchif0]", "addr", "::1"], "nosuchif0"),
        (&["-i", "nosuchif0", "addr", "::1"], "`ip link` lists the interfaces"),
        (&["-r", "relay_data", "addr", "::1"], "one of: relay-data"),
        (&["--timeout", "soon", "addr", "::1"], "such as 1s or 500ms"),
        (&["--timeout", "2h", "addr", "::1"], "at most one hour"),
        (&["--source-port", "547", "addr", "::1"], "must not be 547"),
        (&["--relay-peer", "fe80::1", "addr", "::1"], "give --relay with them"),
        (&["--relay", "::1", "--relay-interface-id", "0xz", "addr", "::1"], "two hexadecimal digits"),
        (&["-s", "::1", "--or-group", "addr", "::1"], "give it with --interface"),
        (&["-f", "-", "addr", "::1"], "without a command"),
        (&["adr", "::1"], "'addr'"),
    ];
    for (arguments, part) in rows {
        let ended = lq::run(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(part), "{arguments:?}: no `{part}` in {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
    Ok(())
}

fn flags_may_stand_anywhere() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let server = lqd.address.to_string();
    let rows: [&[&str]; 3] = [
        &["-s", &server, "--json", "addr", "2001:db8:1::1"],
        &["addr", "2001:db8:1::1", "--json", "-s", &server],
        &["addr", "-s", &server, "2001:db8:1::1", "--json"],
    ];
    for arguments in rows {
        let ended = lq::run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        assert!(ended.stdout.starts_with(r#"{"schema":1,"#), "{ended:?}");
    }
    let mut from_environment = lq::command(&["addr", "2001:db8:1::1"]);
    from_environment.env("LQ_SERVER", &server);
    assert_eq!(Lqd::run_command(from_environment).code, Some(0));
    Ok(())
}

fn manual_and_completions() -> Result<(), Failed> {
    let page = lq::run(&["man"]);
    assert_eq!(page.code, Some(0), "{page:?}");
    assert!(page.stdout.contains(".TH lq 1") && page.stdout.contains(".SH EXIT STATUS"), "{}", page.stdout);
    for shell in ["bash", "zsh", "fish"] {
        let script = lq::run(&["completions", shell]);
        assert!(
            script.code == Some(0) && script.stdout.contains("relay-interface-id"),
            "{shell}: {script:?}"
        );
    }
    Ok(())
}

/// Returns the own DUID in the query's octets (option 1, DUID-UUID of 18 octets).
fn own_duid(ended: &Ended) -> String {
    let line = ended.stdout.lines().find(|line| line.starts_with("{")).expect("a line of JSON");
    let document: serde_json::Value = serde_json::from_str(line).expect("JSON");
    let query = document["answers"][0]["query_hex"].as_str().expect("octets");
    query[8..8 + 2 * 22].to_owned()
}

fn own_duid_is_kept() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let directory = tempfile::tempdir()?;
    let run = |state: &std::path::Path| {
        let mut command = std::process::Command::new(lq::program());
        command
            .env("XDG_STATE_HOME", state)
            .env_remove("LQ_DUID_FILE")
            .args(["-s", &lqd.address.to_string()]);
        command.args(["--json", "--hex", "addr", "2001:db8:1::1"]);
        Lqd::run_command(command)
    };
    let (first, second) = (run(directory.path()), run(directory.path()));
    assert_eq!(own_duid(&first), own_duid(&second), "{first:?}");
    assert!(own_duid(&first).starts_with("000100120004"), "{}", own_duid(&first));
    let kept = std::fs::read_to_string(directory.path().join("lq/duid"))?;
    assert_eq!(kept.trim().replace(':', ""), own_duid(&first)[8..]);
    // Without a place to store it, each run uses a new DUID and logs that.
    let file = directory.path().join("lq/duid");
    let homeless = run(&file);
    assert_eq!(homeless.code, Some(0), "{homeless:?}");
    assert!(homeless.stderr.contains("this run uses a new one"), "{homeless:?}");
    assert_ne!(own_duid(&homeless), own_duid(&first));
    Ok(())
}

fn color_only_on_terminals() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let server = lqd.address.to_string();
    let colored = |when: &str| {
        lq::run(&["-s", &server, "--color", when, "addr", "2001:db8:1::1"]).stdout.contains('\u{1b}')
    };
    assert_eq!(["auto", "never", "always"].map(colored), [false, false, true], "a pipe is no terminal");
    Ok(())
}
