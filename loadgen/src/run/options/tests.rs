use super::*;
use clap::Parser;

#[derive(Parser, Debug)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

pub(in crate::run) fn parse(more: &[&str]) -> Result<Options, String> {
    let usual = ["lqload", "--target", "[::1]:547", "--leases", "f"];
    let arguments = usual.iter().chain(more);
    Arguments::try_parse_from(arguments).map(|parsed| parsed.options).map_err(|error| error.to_string())
}

#[test]
fn errors_name_the_expected_form() {
    for (flag, value, why) in [
        ("--mix", "adress=1", "is none of address"),
        ("--window", "0", "0 is not in 1..="),
        ("--duration", "10", "such as 500ms"),
        ("--timeout", "0s", "more than 0"),
        ("--server-duid", "0:1", "octets in hexadecimal with colons"),
        ("--server-duid", "+1:02", "octets in hexadecimal with colons"),
        ("--cpus", "1,", "numbers of CPUs"),
        ("--rate", "0", "queries per second"),
        ("--order", "zip", "uniform, zipf"),
        ("--relayed", "1.5", "from 0 to 1"),
    ] {
        let error = parse(&[flag, value]).unwrap_err();
        assert!(error.contains(why), "{flag} {value}: {error}");
    }
    for (text, why) in
        [("127.0.0.1:547", "over IPv6"), ("::1", "IPv6 address and a port"), ("[::1]:0", "a port")]
    {
        assert!(target(text).unwrap_err().to_string().contains(why), "{text}");
    }
}

#[test]
fn conflicting_flags_are_refused() {
    for (flags, why) in [
        (&["--rate", "1k..2k", "--queries", "5"][..], "a ramp"),
        (&["--rate", "1k..2k", "--find-max"], "a ramp"),
        (&["--oro", &["1"; 33].join(",")], "--oro"),
    ] {
        let error = parse(flags).unwrap().check().unwrap_err().to_string();
        assert!(error.contains(why), "{flags:?}: {error}");
    }
    for flags in [&["--rate", "1k", "--window", "5"][..], &["--echo", "--verify"], &["--list", "f"]] {
        assert!(parse(flags).unwrap_err().contains("cannot be used with"), "{flags:?}");
    }
    let list = ["lqload", "--target", "[::1]:547", "--list", "f"];
    for (flag, why) in [("--verify", "--verify needs"), ("--order=reboot", "--order reboot needs")] {
        let options = Arguments::try_parse_from(list.iter().chain(&[flag])).unwrap().options;
        assert!(options.check().unwrap_err().to_string().contains(why));
    }
}

#[test]
fn verify_is_on_off_or_unset() {
    let verify = |flags: &[&str]| parse(flags).unwrap().verify;
    assert_eq!(
        (verify(&[]), verify(&["--verify"]), verify(&["--verify=false"])),
        (None, Some(true), Some(false))
    );
}
