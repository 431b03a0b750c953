use std::fs;
use std::path::Path;

use clap::Parser;

use super::*;
use crate::settings::{Command, CommandLine};

/// Settings of flags over a file.
fn settings(flags: &[&str], text: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lqd.toml");
    fs::write(&file, text).unwrap();
    let config = format!("--config={}", Path::new(&file).display());
    let given = ["lqd", "serve", "--kea-config=k", &config].into_iter().chain(flags.iter().copied());
    let Command::Serve(flags) = CommandLine::try_parse_from(given).unwrap().command else {
        panic!("asked to serve")
    };
    Settings::read(&flags).unwrap()
}

fn net(text: &str) -> Ipv6Net {
    text.parse().unwrap()
}

/// Describes each rule of the table; the one of all others first.
fn described(flags: &[&str], text: &str) -> Vec<String> {
    let settings = settings(flags, text);
    let table = table(&settings, settings.allow.as_deref().unwrap_or(&[net("::1/128")])).unwrap();
    table.rules().map(|(prefix, rights)| format!("{prefix}: {}", describe(rights))).collect()
}

#[test]
fn a_rule_inherits_from_the_flags() {
    let flags = [
        "--allow=2001:db8::/32",
        "--deny=drop",
        "--relayed=drop",
        "--sensitive-option=39",
        "--rate=10",
        "--burst=20",
    ];
    let (others, open) = (
        "::/0: not allowed, 10 a second for each address (burst 20), relayed queries dropped, denied by silence, \
         never options 39",
        "2001:db8::/32: allowed, 10 a second for each address (burst 20), relayed queries dropped, denied by silence, \
         never options 39",
    );
    let rest = "relayed queries dropped, denied by silence, never options 39";
    for (rule, want) in [
        ("", format!("allowed, 10 a second for each address (burst 20), {rest}")),
        ("allow = false", format!("not allowed, 10 a second for each address (burst 20), {rest}")),
        ("rate = 5", format!("allowed, 5 a second for each address (burst 5), {rest}")),
        ("rate = 5\nburst = 7", format!("allowed, 5 a second for each address (burst 7), {rest}")),
        ("rate = 0", format!("allowed, {rest}")),
        ("rate = 0\nprefix-rate = 9", format!("allowed, 9 a second for the prefix (burst 9), {rest}")),
        ("rate = 0\nmax-reply = 1232", format!("allowed, replies of 1232 octets at most, {rest}")),
        (
            "rate = 0\nactive = false",
            "allowed, relayed queries dropped, no active queries, denied by silence, never options 39"
                .to_owned(),
        ),
        ("rate = 0\nactive = true", format!("allowed, {rest}")),
        ("rate = 0\nquery-types = ['address']", format!("allowed, by address only, {rest}")),
        ("rate = 0\nquery-types = ['client-id']", format!("allowed, by client-id only, {rest}")),
        (
            "rate = 0\nquery-types = ['client-id', 'address']",
            format!("allowed, by address and client-id only, {rest}"),
        ),
        (
            "rate = 0\nquery-types = ['client-id', 'address', 'relay-id', 'remote-id', 'link-address']",
            format!("allowed, {rest}"),
        ),
        (
            "rate = 0\nrelayed = 'answer'\ndeny = 'not-allowed'\nsensitive-options = []\n\
             restricted-requestor = true",
            "allowed, own bindings only".to_owned(),
        ),
        (
            "rate = 0\nsensitive-options = [79, 47, 79]",
            "allowed, relayed queries dropped, denied by silence, never options 47 79".to_owned(),
        ),
    ] {
        let text = format!("[[access]]\nprefix = '2001:db8:1::/48'\n{rule}");
        let rule_text = format!("2001:db8:1::/48: {want}");
        assert_eq!(described(&flags, &text), [others, rule_text.as_str(), open], "{rule}");
    }
}

#[test]
fn a_rule_can_allow_each_query_kind_alone() {
    for kind in QueryKind::ALL {
        let name = kind.setting();
        let rule = format!("[[access]]\nprefix = 'fd00::/8'\nallow = true\nquery-types = ['{name}']");
        let settings = settings(&[], &rule);
        let table = table(&settings, &[]).unwrap();
        let (_, rights) = table.rules().find(|(prefix, _)| *prefix == net("fd00::/8")).unwrap();
        for other in QueryKind::ALL {
            assert_eq!(rights.query_types.contains(other.wire()), other == kind, "{kind:?} and {other:?}");
        }
        assert_eq!(describe(rights), format!("allowed, by {name} only"));
    }
}

#[test]
fn a_rule_allows_if_allow_contains_all_of_it() {
    let rules = "[[access]]\nprefix = '2001:db8:1::/48'\n[[access]]\nprefix = 'fd00::/8'\nallow = true\n\
                [[access]]\nprefix = '2001:db8::/32'\n[[access]]\nprefix = 'fd01::/16'";
    for (name, flags, want) in [
        ("all of it is in --allow", &["--allow=2001:db8::/33"][..], [true, true, false, false, true]),
        ("the rule replaces the network", &["--allow=2001:db8::/32"], [true, true, true, false, true]),
    ] {
        let settings = settings(flags, rules);
        let table = table(&settings, settings.allow.as_deref().unwrap()).unwrap();
        let got: Vec<_> = table.rules().skip(1).map(|(_, rights)| rights.allow).collect();
        assert_eq!(got, want[..got.len()], "{name}");
        let warned = warnings(&settings, settings.allow.as_deref().unwrap(), &ExtendedInfo::None);
        let denied = got.iter().filter(|allow| !**allow).count();
        assert_eq!(warned.len(), denied, "each that allows no requestor implicitly: {warned:?}");
    }
}

#[test]
fn a_network_given_twice_is_one_rule() {
    let flags = ["--allow=fd00::/8", "--allow=fd00::/8"];
    assert_eq!(described(&flags, ""), ["::/0: not allowed", "fd00::/8: allowed"]);
}

#[test]
fn restriction_without_relay_data_is_warned_of() {
    let settings = settings(&["--restricted-requestor", "--allow=::/0"], "");
    assert!(warnings(&settings, &[], &ExtendedInfo::All).is_empty());
    for kept in [ExtendedInfo::None, ExtendedInfo::Some(vec![1])] {
        let warned = warnings(&settings, &[], &kept);
        assert!(warned.len() == 1 && warned[0].contains("store-extended-info"), "{warned:?}");
    }
}
