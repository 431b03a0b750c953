//! Every error with its exact text.

use super::*;

#[test]
fn each_error_names_place_path_and_fix() {
    let rows = [
        ("", "kea.conf:1:1: expected a value; fix it so that `kea-dhcp6 -t` accepts the file"),
        ("[]", "kea.conf:1:1: the configuration: must be a map, { … }, not []"),
        (
            "{}",
            "kea.conf:1:1: the configuration: has no \"Dhcp6\"; give the configuration of kea-dhcp6, not of \
             another server",
        ),
        ("{\"Dhcp6\":\n  7}", "kea.conf:2:3: Dhcp6: must be a map, { … }, not 7"),
        (
            "{\"Dhcp6\": { # \"\n \"a\": 1 \"b\": 2 } }",
            "kea.conf:2:9: expected a comma or }; fix it so that `kea-dhcp6 -t` accepts the file",
        ),
        ("{\"Dhcp6\": {} /* }", "kea.conf:1:14: this comment has no end; close it with */"),
        (
            "{\"Dhcp6\": {\n\"ä\": \"b\n\"}}",
            "kea.conf:2:6: this string has no end on its line; close it with \"",
        ),
        (
            "{\"Dhcp6\": <?include?>}",
            "kea.conf:1:11: this directive is not known; write <?include \"FILE\"?>",
        ),
        (
            "{\"Dhcp6\": <?include \"none.json\"?>}",
            "kea.conf:1:11: there is no file \"none.json\" in the working directory nor beside this file; \
             write the full path",
        ),
        (
            "{\"Dhcp6\": <?include \"/nonexistent/none.json\"?>}",
            "kea.conf:1:11: there is no file \"/nonexistent/none.json\"; fix the include",
        ),
        (
            "{\"Dhcp6\": <?include \"kea.conf\"?>}",
            "kea.conf:1:11: \"kea.conf\" includes itself, directly or through others; remove one of the \
             includes",
        ),
    ];
    for (text, want) in rows {
        assert_eq!(config(text).unwrap_err(), want, "{text}");
    }
}

/// Line and column of the one place where `at` stands in `text`.
fn place(text: &str, at: &str) -> String {
    let [before, _] = text.split(at).collect::<Vec<_>>()[..] else {
        panic!("{at:?} must be once in {text:?}")
    };
    let line = before.matches('\n').count() + 1;
    format!("kea.conf:{line}:{}", before.rsplit('\n').next().unwrap().len() + 1)
}

/// Members of `Dhcp6`, the start of the text that the error must point to, its path, the error.
const WRONG: &[(&str, &str, &str, &str)] = &[
    (r#""subnet6": {}"#, "{}", "Dhcp6.subnet6", "must be a list, [ … ], not {}"),
    (r#""subnet6": [ 17 ]"#, "17", "Dhcp6.subnet6[0]", "must be a map, { … }, not 17"),
    (
        r#""subnet6": [ { "id": 1 } ]"#,
        r#"{ "id""#,
        "Dhcp6.subnet6[0]",
        r#"has no "subnet"; give it, as Kea demands it too"#,
    ),
    (
        "\"subnet6\": [\n{ \"subnet\": \"10.0.0.0/8\" } ]",
        "\"10.",
        "Dhcp6.subnet6[0].subnet",
        r#"must be an IPv6 prefix, such as "2001:db8:1::/64", not "10.0.0.0/8""#,
    ),
    (
        r#""subnet6": [ { "subnet": "2001:db8::/129" } ]"#,
        "\"2001",
        "Dhcp6.subnet6[0].subnet",
        r#"must be an IPv6 prefix, such as "2001:db8:1::/64", not "2001:db8::/129""#,
    ),
    (
        r#""subnet6": [ { "id": 1, "subnet": "::/0" }, { "id": 4294967295, "subnet": "1::/16" } ]"#,
        "4294967295",
        "Dhcp6.subnet6[1].id",
        "must be a whole number from 0 to 4294967294, not 4294967295",
    ),
    (
        r#""subnet6": [ { "id": -1, "subnet": "::/0" } ]"#,
        "-1",
        "Dhcp6.subnet6[0].id",
        "must be a whole number from 0 to 4294967294, not -1",
    ),
    (
        r#""shared-networks": [ { "relay": { "ip-addresses": [ "::1", "192.0.2.1" ] } } ]"#,
        "\"192",
        "Dhcp6.shared-networks[0].relay.ip-addresses[1]",
        r#"must be an IPv6 address, not "192.0.2.1""#,
    ),
    (
        r#""subnet6": [ { "subnet": "::/0", "relay": { "ip-address": 7 } } ]"#,
        "7",
        "Dhcp6.subnet6[0].relay.ip-address",
        "must be a string, not 7",
    ),
    (
        r#""store-extended-info": "yes""#,
        "\"yes",
        "Dhcp6.store-extended-info",
        r#"must be true or false, not "yes""#,
    ),
    (
        r#""subnet6": [ { "subnet": "::/0", "pd-pools": [ { "prefix": "::" } ] } ]"#,
        r#"{ "prefix"#,
        "Dhcp6.subnet6[0].pd-pools[0]",
        r#"has no "prefix-len"; give it, as Kea demands it too"#,
    ),
    (
        r#""subnet6": [ { "subnet": "::/0", "pd-pools": [ { "prefix": "::", "prefix-len": 129 } ] } ]"#,
        "129",
        "Dhcp6.subnet6[0].pd-pools[0].prefix-len",
        "must be a whole number from 0 to 128, not 129",
    ),
    (
        r#""subnet6": [ { "subnet": "::/0", "pd-pools": [ { "prefix": "1::/40", "prefix-len": 4 } ] } ]"#,
        "\"1::",
        "Dhcp6.subnet6[0].pd-pools[0].prefix",
        r#"must be an IPv6 prefix without length, not "1::/40""#,
    ),
    (
        r#""lease-database": {}"#,
        "{}",
        "Dhcp6.lease-database",
        r#"has no "type"; give it, as Kea demands it too"#,
    ),
    (
        r#""lease-database": { "type": "cql" }"#,
        "\"cql",
        "Dhcp6.lease-database.type",
        r#"must be "memfile", "mysql" or "postgresql", not "cql""#,
    ),
    (
        r#""server-id": { "type": "UUID" }"#,
        "\"UUID",
        "Dhcp6.server-id.type",
        r#"must be "LLT", "EN" or "LL", not "UUID""#,
    ),
    (
        r#""server-id": { "identifier": "0x0g" }"#,
        "\"0x0g",
        "Dhcp6.server-id.identifier",
        r#"must be hexadecimal digits, not "0x0g""#,
    ),
    (
        r#""server-id": { "htype": 65536 }"#,
        "65536",
        "Dhcp6.server-id.htype",
        "must be a whole number from 0 to 65535, not 65536",
    ),
    (
        r#""hooks-libraries": [ { "library": "libdhcp_lease_query.so" } ]"#,
        r#"{ "library"#,
        "Dhcp6.hooks-libraries[0]",
        r#"has no "parameters"; give it, as Kea demands it too"#,
    ),
    (
        r#""hooks-libraries": [ { "library": "libdhcp_lease_query.so",
                                      "parameters": { "requesters": [ "192.0.2.1" ] } } ]"#,
        "\"192",
        "Dhcp6.hooks-libraries[0].parameters.requesters[0]",
        r#"must be an IPv6 address or prefix, such as "2001:db8::1" or "2001:db8::/64", not "192.0.2.1""#,
    ),
    (
        r#""option-data": [ { "data": "1" } ]"#,
        r#"{ "data"#,
        "Dhcp6.option-data[0]",
        r#"has neither "code" nor "name"; give one"#,
    ),
    (
        r#""option-data": [ { "code": 65536 } ]"#,
        "65536",
        "Dhcp6.option-data[0].code",
        "must be a whole number from 0 to 65535, not 65536",
    ),
    (
        r#""option-data": [ { "code": 7, "data": 10 } ]"#,
        "10",
        "Dhcp6.option-data[0].data",
        "must be a string, not 10",
    ),
    (
        r#""option-def": [ { "name": "a", "code": 1000, "type": "record" } ]"#,
        r#"{ "name"#,
        "Dhcp6.option-def[0]",
        r#"has no "record-types"; give it, as Kea demands it too"#,
    ),
];

#[test]
fn each_setting_of_a_wrong_type_is_refused() {
    for (members, at, path, error) in WRONG {
        let text = format!("{{ \"Dhcp6\": # the server\n{{{members} }} }}");
        assert_eq!(config(&text).unwrap_err(), format!("{}: {path}: {error}", place(&text, at)), "{text}");
    }
}

#[test]
fn a_duid_that_is_too_long_is_refused() {
    let server_id = format!(r#""server-id": {{ "type": "EN", "identifier": "{}" }}"#, "00".repeat(125));
    let want = "kea.conf:1:25: Dhcp6.server-id: makes a DUID of more than 130 octets; shorten the identifier";
    assert_eq!(dhcp6(&server_id).unwrap_err(), want);
}

#[test]
fn a_long_value_is_shown_in_part() {
    let error = dhcp6(&format!(r#""subnet6": "{}""#, "x".repeat(100))).unwrap_err();
    let want = format!("kea.conf:1:23: Dhcp6.subnet6: must be a list, [ … ], not \"{}…", "x".repeat(59));
    assert_eq!(error, want);
}

#[test]
fn an_unreadable_file_is_reported_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &Path| {
        read(path).unwrap_err().to_string().replace(&folder.path().display().to_string(), "DIR")
    };
    let missing = error(&folder.path().join("kea.conf"));
    assert_eq!(missing, "DIR/kea.conf: there is no such file; name Kea's DHCPv6 configuration");
    assert_eq!(error(folder.path()), "DIR: is a folder; name the configuration file in it");
}

#[test]
fn an_error_in_an_included_file_names_its_own_line() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "kea.conf",
        "{ \"Dhcp6\": {\n  \"subnet6\": [ <?include \"a.json\"?>,\n    { \"subnet\": 2 } ] } }",
    );
    write("a.json", "# first\n{ \"id\": 1, \"subnet\": \"::/0\",\n  \"relay\": 1 }");
    let error = || config_of(&folder.path().join("kea.conf")).unwrap_err().to_string();
    let inside = |want: &str| format!("{}/{want}", folder.path().display());
    assert_eq!(error(), inside("a.json:3:12: Dhcp6.subnet6[0].relay: must be a map, { … }, not 1"));
    write("a.json", "{ \"id\": 1, \"subnet\": \"::/0\" }");
    assert_eq!(error(), inside("kea.conf:3:17: Dhcp6.subnet6[1].subnet: must be a string, not 2"));
    write("a.json", "{ \"id\": 1,\n \"subnet\": oops }");
    assert_eq!(
        error(),
        inside(
            "a.json:2:12: no value starts with this character; outside quotes Kea knows numbers, true, false, null, brackets, commas, colons and comments"
        )
    );
}
