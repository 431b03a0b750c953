//! Settings: effects, sources and precedence, and the server's own description of them.

use std::fs;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use super::{KEA_CONFIG, THREE_LEASES, assert_reply, await_reply, by_address, fixture, held_by, lease};
use crate::support::lqd::{PROGRAM, free_port};
use crate::support::octets::{Pattern, octets};
use crate::support::{Fixture, Lqd, Requestor};

pub fn trials() -> Vec<Trial> {
    tests! {
        check_prints_settings_and_counts,
        ready_line_has_address_and_lease_count,
        bad_rows_are_named_and_skipped,
        bad_row_of_a_prefix_gets_no_no_binding,
        io_auto_logs_its_choice,
        io_auto_without_locked_memory_uses_mmsg needs Root IoUring,
        flags_override_toml,
        json_log_lines_are_objects,
        server_duid_overrides_kea,
        kea_leases_overrides_kea,
        listen_on_two_addresses,
    }
}

fn check_prints_settings_and_counts() -> Result<(), Failed> {
    let fixture = fixture();
    let ended = Lqd::run(&[&["check".to_owned()], fixture.flags().as_slice()].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let says = |name: &str, value: &dyn Fn(&str) -> bool| {
        assert!(ended.stdout.lines().any(|line| line.starts_with(name) && value(line)), "{name}: {ended:?}");
    };
    says("leases", &|line| has_number(line, 3));
    says("links", &|line| has_number(line, 1));
    says("server DUID", &|line| line.ends_with("00:03:00:01:02:00:5e:00:53:01"));
    says("lease file", &|line| line.contains(fixture.leases().to_str().unwrap_or("?")));
    Ok(())
}

fn ready_line_has_address_and_lease_count() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let line = lqd.line_with("lqd ready").ok_or("it was seen at the start")?;
    assert!(line.contains(&lqd.address.to_string()), "no listen address in: {line}");
    assert!(has_number(&line, 3), "no count of leases in: {line}");
    let ready_lines = lqd.log().lines().filter(|line| line.contains("lqd ready")).count();
    assert_eq!(ready_lines, 1);
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// A bad row is logged with its line, and its address gets UnspecFail, because Kea may have leased it; other
/// rows work.
fn bad_rows_are_named_and_skipped() -> Result<(), Failed> {
    let fixture = fixture();
    let good = fixture.rows(&(lease("1", "01") + "\n"));
    let more = fixture.rows(&(lease("2", "02") + "\n"));
    let bad = "2001:db8:1::7,00:03:00:01:02:00:00:00:00:07,never,4102444800,1,1,0,1,128,0,0,,,0,,1,0,0\n";
    let header = crate::support::fixture::LEASES_HEADER;
    fixture.write_leases(&format!("{header}\n{good}{bad}{more}not,a,row\n"));
    let lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    for (client, address) in [("01", "2001:db8:1::1"), ("02", "2001:db8:1::2")] {
        assert_reply(&requestor, &by_address(address), &held_by(client, address));
    }
    assert_reply(&requestor, &by_address("2001:db8:1::7"), &super::unspec_fail());
    for number in [3, 5] {
        lqd.await_line(0, |line| line.contains("line") && has_number(line, number));
    }
    Ok(())
}

/// A bad row of a prefix may affect any link: no query gets "no binding" on any link, not even from a relay
/// agent that may see only that link.
fn bad_row_of_a_prefix_gets_no_no_binding() -> Result<(), Failed> {
    let one = r#"{ "id": 1, "subnet": "2001:db8:1::/64" }"#;
    let two = r#"{ "id": 1, "subnet": "2001:db8:1::/48", "relay": { "ip-addresses": ["::1"] } },
                 { "id": 2, "subnet": "2001:db8:1:100::/64" }"#;
    let lease = "2001:db8:1:100::5,00:03:00:01:02:00:00:00:00:05,4294967295,4102444800,2,4294967295,0,1,128,0,0,,,0,,1,0,0";
    let asked = |link: &str| {
        octets(&format!("0e c00001  $me  002c 002d 01 {link}  0005 0018 2001:db8:1:100::5 $zero"))
    };
    for restricted in [false, true] {
        let fixture = Fixture::new(&KEA_CONFIG.replace(one, two), lease);
        let flag = restricted.then(|| String::from("--restricted-requestor"));
        let lqd = Lqd::start(&fixture.flags().into_iter().chain(flag).collect::<Vec<_>>());
        let requestor = Requestor::new(lqd.address);
        let assert_holder = || {
            if !restricted {
                let holder = held_by("05", "2001:db8:1:100::5");
                assert_reply(&requestor, &asked("2001:db8:1:100::"), &holder);
            }
        };
        assert_reply(&requestor, &asked("2001:db8:1::"), &super::no_binding());
        assert_holder();
        fixture.append_leases(
            "2001:db8:1:100::,00:03:00:01:02:00:00:00:00:07,never,4102444800,1,1,2,1,56,0,0,,,0,,1,0,0\n",
        );
        await_reply(&requestor, &asked("2001:db8:1::"), &super::unspec_fail());
        assert_holder();
    }
    Ok(())
}

fn io_auto_logs_its_choice() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&[fixture.flags(), vec!["--io".into(), "auto".into()]].concat());
    let line = lqd.await_line(0, |line| line.contains("back end"));
    assert!(line.contains("io_uring") || line.contains("mmsg"), "{line}");
    Ok(())
}

/// The probe's ring fits into the locked-memory limit, the workers' rings do not: they serve by mmsg and log
/// why.
fn io_auto_without_locked_memory_uses_mmsg() -> Result<(), Failed> {
    let fixture = fixture();
    fs::set_permissions(fixture.directory(), fs::Permissions::from_mode(0o755))?;
    let start = |io: &str, address: SocketAddrV6| {
        // Root is exempt from the limit.
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]);
        command.args(["prlimit", "--memlock=65536:65536", PROGRAM, "serve", "--io", io]);
        command.args(["--listen", &address.to_string()]).args(fixture.flags());
        command
    };
    let new_address = || SocketAddrV6::new(Ipv6Addr::LOCALHOST, free_port(), 0, 0);
    let address = new_address();
    let lqd = Lqd::start_command(start("auto", address), address);
    assert_reply(&Requestor::new(address), &by_address("2001:db8:1::1"), &held_by("01", "2001:db8:1::1"));
    // The outcome depends on the kernel: some do not charge rings to the limit.
    let fell_back = lqd.line_with("as io_uring cannot be used");
    assert_eq!(lqd.stop(), 0);
    if let Some(line) = fell_back {
        assert!(line.contains("LimitMEMLOCK="), "{line}");
        let refused = Lqd::run_command(start("uring", new_address()));
        assert!(refused.code != Some(0) && refused.stderr.contains("LimitMEMLOCK="), "{refused:?}");
    } else {
        // Kernels 5.12 to 6.13 do not count rings as locked memory.
        let address = new_address();
        assert_eq!(Lqd::start_command(start("uring", address), address).stop(), 0);
    }
    Ok(())
}

/// File keys equal flags; a flag on the command line wins.
fn flags_override_toml() -> Result<(), Failed> {
    let fixture = fixture();
    let address = SocketAddrV6::new(Ipv6Addr::LOCALHOST, free_port(), 0, 0);
    let file = fixture.directory().join("lqd.toml");
    let kea_config = fixture.kea_config();
    let text = format!(
        "kea-config = {kea_config:?}\nlisten = [\"{address}\"]\nallow = [\"2001:db8:ffff::/48\"]\nworkers = 1\n"
    );
    fs::write(&file, text)?;
    let serve = |address, flags: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.arg("serve").arg("--config").arg(&file).args(flags);
        Lqd::start_command(command, address)
    };
    let lqd = serve(address, &[]);
    let not_allowed = Pattern::parse("0f c00001  $me $server  000d { 000a text }");
    assert_reply(&Requestor::new(address), &by_address("2001:db8:1::1"), &not_allowed);
    assert_eq!(lqd.stop(), 0);
    let address = SocketAddrV6::new(Ipv6Addr::LOCALHOST, free_port(), 0, 0);
    let lqd = serve(address, &["--allow", "::1/128", "--listen", &address.to_string()]);
    assert_reply(&Requestor::new(address), &by_address("2001:db8:1::1"), &held_by("01", "2001:db8:1::1"));
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

fn json_log_lines_are_objects() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&[fixture.flags(), vec!["--log-format".into(), "json".into()]].concat());
    let before = lqd.line_count();
    lqd.signal("HUP");
    lqd.await_line(before, |line| !line.is_empty());
    for line in lqd.log().lines() {
        let value: serde_json::Value =
            serde_json::from_str(line).map_err(|error| format!("not JSON ({error}): {line}"))?;
        assert!(value.is_object(), "not an object: {line}");
    }
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// The flag overrides Kea's configuration.
fn server_duid_overrides_kea() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd =
        Lqd::start(&[fixture.flags(), vec!["--server-duid".into(), "00:02:00:00:00:09:ab".into()]].concat());
    let query = octets("0e c00001  $me  0002 0007 0002 00000009 ab  002c 001f 02 ::  $cff");
    let wanted = Pattern::parse("0f c00001  $me  0002 0007 0002 00000009 ab");
    assert_reply(&Requestor::new(lqd.address), &query, &wanted);
    Ok(())
}

/// The flag overrides Kea's configuration.
fn kea_leases_overrides_kea() -> Result<(), Failed> {
    let fixture = Fixture::new(&KEA_CONFIG.replace("@LEASES@", "/nonexistent/leases.csv"), THREE_LEASES);
    let leases = fixture.leases();
    let flag = ["--kea-leases".to_owned(), leases.to_str().ok_or("the path is UTF-8")?.to_owned()];
    let lqd = Lqd::start(&[&fixture.flags()[..], &flag].concat());
    let address = "2001:db8:1::3";
    assert_reply(&Requestor::new(lqd.address), &by_address(address), &held_by("03", address));
    Ok(())
}

fn listen_on_two_addresses() -> Result<(), Failed> {
    let fixture = fixture();
    let second = SocketAddrV6::new(Ipv6Addr::LOCALHOST, free_port(), 0, 0);
    let lqd = Lqd::start(&[fixture.flags(), vec!["--listen".into(), second.to_string()]].concat());
    let ready = lqd.line_with("lqd ready").ok_or("it was seen at the start")?;
    for server in [lqd.address, second] {
        assert!(ready.contains(&server.to_string()), "{server} is not in: {ready}");
        let (_, from) = Requestor::new(server).ask(&by_address("2001:db8:1::1")).ok_or("no reply")?;
        assert_eq!(from, server);
    }
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// Returns whether the text holds this number, not as a part of another number or of an address.
fn has_number(text: &str, number: u32) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '.' || c == '_' || c == '-';
    text.split(|c: char| !is_part(c)).any(|word| word.trim_end_matches('.') == number.to_string())
}
