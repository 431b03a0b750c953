//! Kea's superset of JSON: comments, includes, surplus commas.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::kea_config::tree::{Tree, ValueId};

/// The JSON value of a text.
fn value(text: &[u8]) -> Result<Value, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kea.conf");
    std::fs::write(&path, text).unwrap();
    read(&path).map(|document| json_of(&document))
}

/// A document as JSON: strings as Latin-1 if they are not UTF-8, numbers that JSON does not know as strings.
fn json_of(document: &Document) -> Value {
    fn json(tree: &Tree, id: ValueId) -> Value {
        match tree.value(id) {
            tree::Value::Null => Value::Null,
            tree::Value::Bool(flag) => Value::from(*flag),
            tree::Value::Number(text) => {
                serde_json::from_str(text).unwrap_or_else(|_| Value::from(format!("number {text}")))
            }
            tree::Value::String(octets) => Value::from(text(octets)),
            tree::Value::List(items) => items.iter().map(|&item| json(tree, item)).collect(),
            tree::Value::Map(members) => {
                Value::Object(members.iter().map(|(key, member)| (text(key), json(tree, *member))).collect())
            }
        }
    }
    fn text(octets: &[u8]) -> String {
        let latin1 = || octets.iter().map(|&octet| char::from(octet)).collect();
        std::str::from_utf8(octets).map_or_else(|_| latin1(), str::to_owned)
    }
    json(document.tree(), document.tree().root())
}

#[test]
fn comments_and_surplus_commas_are_as_if_not_there() {
    let rows = [
        ("# a\n1 // b", json!(1)),
        ("[1,/* , */2/**/,# ,\n]", json!([1, 2])),
        ("{\"a\": [1, 2,,], }", json!({"a": [1, 2]})),
        ("[1 , , // ,\n 2]", json!([1, 2])),
        (
            r##"["a # b", "c // d", "/* e */", ",]", "\"#", "\\"]"##,
            json!(["a # b", "c // d", "/* e */", ",]", "\"#", "\\"]),
        ),
    ];
    for (text, want) in rows {
        assert_eq!(value(text.as_bytes()).unwrap(), want, "{text}");
    }
    assert_eq!(value(b"1 # \xe4\n").unwrap(), json!(1), "a comment in Latin-1");
}

#[test]
fn numbers_strings_and_depths_that_json_does_not_know_are_read() {
    let rows: [(&[u8], Value); 4] = [
        (b"[.5, 5., -.5, 5.e3]", json!(["number .5", "number 5.", "number -.5", "number 5.e3"])),
        (b"[01, -007, +1, 01.5]", json!(["number 01", "number -007", "number +1", "number 01.5"])),
        (b"[\"\xe4\xff\", \"\\u00e4\", \"\\u0041\\/\"]", json!(["\u{e4}\u{ff}", "\u{e4}", "A/"])),
        (b"{\"a\": 99999999999999999999999999, \"a\": 2}", json!({ "a": 2 })),
    ];
    for (text, want) in rows {
        assert_eq!(value(text).unwrap(), want, "{}", text.escape_ascii());
    }
    let numbers =
        r#""subnet6": [ { "id": 007, "subnet": "2001:db8::/32" }, { "id": -0, "subnet": "::/0" } ]"#;
    let config = dhcp6(numbers).unwrap();
    let ids: Vec<_> = config.links.iter().map(|link| link.subnets[0].id).collect();
    assert_eq!(ids, [7, 1], "007 is 7, and -0 is none");
}

#[test]
fn a_million_levels_are_read_on_a_small_stack() {
    let levels = 1_000_000;
    let nested = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let text = format!(r#"{{ "Dhcp6": {{ "user-context": {{ "deep": {nested} }}, "valid-lifetime": 1 }} }}"#);
    let wrong = format!(r#"{{ "Dhcp6": {{ "subnet6": {{ "deep": {nested} }} }} }}"#);
    let read = move || (config(&text).map(drop), config(&wrong).unwrap_err());
    let (taken, refused) =
        std::thread::Builder::new().stack_size(128 << 10).spawn(read).unwrap().join().unwrap();
    assert_eq!(taken, Ok(()));
    assert!(refused.contains("Dhcp6.subnet6: must be a list, [ … ], not {\"deep\":[[[["), "{refused}");
}

#[test]
fn unknown_keys_and_odd_values_of_unused_keys_do_not_matter() {
    let rows = [
        r#""valid-lifetime": "long""#,
        r#""client-classes": [ { "name": 7, "test": [] } ], "loggers": {}, "interfaces-config": [ null ]"#,
        r#""subnet6": [ { "subnet": "2001:db8::/32", "id": 1, "pools": 7, "interface": {}, "x": [ 1, 2 ] } ]"#,
        r#""dhcp-ddns": null, "hooks-libraries": null, "shared-networks": null, "a key of 2040": { "": 0 } "#,
        "\"comment\": \"tab and cr outside\",\t\r\n\t\"user-context\": { \"\\u0000\": \"\\u00ff\" }",
    ];
    for members in rows {
        dhcp6(members).unwrap_or_else(|error| panic!("{members}: {error}"));
    }
    // Kea 1.6 had all servers in one file.
    let servers = r#"{ "Logging": { "loggers": [] }, "Dhcp4": 7, "Dhcp6": {}, "Control-agent": null, }"#;
    assert!(config(servers).is_ok());
}

#[test]
fn commas_that_kea_refuses_are_refused() {
    for text in ["{,\"a\": 1}", "[,]", "[,1]", ",1"] {
        assert!(value(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn included_files_stand_in_the_place_of_the_directive() {
    let config = config_of(&sample("including.conf")).unwrap();
    let ids: Vec<_> = config.links.iter().map(|link| link.subnets[0].id).collect();
    assert_eq!(ids, [1, 2, 3]);
    assert_eq!(config.links[0].subnets[0].options.given, octets("0007 0001 0a"));
    let taken: Vec<_> =
        read(sample("including.conf")).unwrap().includes().iter().map(|i| i.taken.clone()).collect();
    assert_eq!(taken, [sample("included/subnets.json"), sample("included/options.json")]);
    let warned = format!(
        "{}:3:5: \"included/subnets.json\" was read from {}; Kea looks in the working directory of its \
         service, write the full path so that both take the same file",
        sample("including.conf").display(),
        sample("included/subnets.json").display()
    );
    assert_eq!(warnings(&config)[0], warned);
}

#[test]
fn an_included_file_does_not_merge_with_the_next_token() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let one = file("one", "1");
    let joined = file("joined", &format!("[<?include \"{0}\"?>2]", one.display()));
    assert!(read(joined).is_err(), "12 was written nowhere");
    let apart = file("apart", &format!("[<?include \"{0}\"?>,<?include \"{0}\"?>]", one.display()));
    assert_eq!(json_of(&read(apart).unwrap()), json!([1, 1]));
}

#[test]
fn eleven_includes_within_each_other_are_read_and_twelve_are_not() {
    let folder = tempfile::tempdir().unwrap();
    for depth in 0..12 {
        let text = format!("<?include \"{}/{}\"?>", folder.path().display(), depth + 1);
        std::fs::write(folder.path().join(depth.to_string()), text).unwrap();
    }
    std::fs::write(folder.path().join("12"), "7").unwrap();
    assert_eq!(json_of(&read(folder.path().join("1")).unwrap()), json!(7));
    let error = read(folder.path().join("0")).unwrap_err().to_string();
    let want =
        format!("{}/11:1:1: more than 11 includes within each other; put fewer", folder.path().display());
    assert_eq!(error, want);
}

#[test]
fn an_include_may_stand_between_any_two_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let members = folder.path().join("members");
    std::fs::write(&members, "\"a\" /* and */ : 1, # no line end").unwrap();
    let include =
        |text: &str| text.replace("INCLUDE", &format!("<?\n\tinclude\"{}\"\r?>", members.display()));
    assert_eq!(value(include("{INCLUDE \"b\": [2]}").as_bytes()).unwrap(), json!({ "a": 1, "b": [2] }));
    std::fs::write(&members, "").unwrap();
    assert_eq!(value(include("INCLUDE{INCLUDE}INCLUDE").as_bytes()).unwrap(), json!({}));
    std::fs::write(&members, "/* open").unwrap();
    assert!(value(include("{INCLUDE */ }").as_bytes()).is_err(), "a comment ends in its file");
}

#[test]
fn a_loop_of_two_files_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), "<?include \"b\"?>").unwrap();
    std::fs::write(folder.path().join("b"), "\n <?include \"./a\"?>").unwrap();
    let error = read(folder.path().join("a")).unwrap_err().to_string();
    let want = format!(
        "{}/b:2:2: \"./a\" includes itself, directly or through others; remove one of the includes",
        folder.path().display()
    );
    assert_eq!(error, want);
}

/// JSON with surplus commas, and comments of all kinds between its tokens.
fn commented(value: &Value, noise: &mut impl Iterator<Item = &'static str>, out: &mut String) {
    out.push_str(noise.next().unwrap());
    match value {
        Value::Array(items) => {
            out.push('[');
            for item in items {
                commented(item, noise, out);
                out.push_str(noise.next().unwrap());
                out.push(',');
            }
            out.push_str(noise.next().unwrap());
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (key, member) in members {
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push_str(noise.next().unwrap());
                out.push(':');
                commented(member, noise, out);
                out.push(',');
            }
            out.push_str(noise.next().unwrap());
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
    out.push_str(noise.next().unwrap());
}

/// Strings that look like other tokens.
fn tricky_string() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "#",
        "//",
        "/*",
        "*/",
        "\"",
        "\\",
        ",",
        "]",
        "}",
        "<?include \"a\"?>",
        "ä",
        " ",
        "x",
        "\n",
    ]);
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        tricky_string().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(tricky_string(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn comments_and_commas_never_change_a_value(value_in in json_value(), pieces in prop::collection::vec(
        prop::sample::select(vec!["", " ", "\n", "/* \" ] */", "# \" , }\n", "// /* \\\n", "/*\n\"*/ # \
                                   \"\n"]), 1..16)) {
        let mut text = String::new();
        commented(&value_in, &mut pieces.iter().copied().cycle(), &mut text);
        prop_assert_eq!(value(text.as_bytes()).unwrap(), value_in, "{}", text);
    }

    #[test]
    fn no_octets_make_the_reader_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = value(&text);
    }

    #[test]
    fn no_text_of_tokens_makes_the_reader_panic(pieces in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "[", "]", ",", ":", "\"", "\\", "#", "//", "/*", "*/", "<?", "include", "?>", "\n", " ",
         "1", "-", "e",
        "\"Dhcp6\"", "\"subnet6\"", "\"id\"", "\"subnet\"", "\"2001:db8::/64\"", "\"option-data\"",
         "\"code\"", "\"data\"",
        "true", "null", "\"relay\"", "<?include \"/nonexistent\"?>", "<?include \"kea.conf\"?>"]), 0..60)) {
        let text = pieces.concat();
        let _ = config(&text);
        let _ = config(&format!("{{\"Dhcp6\":{{{text}}}}}"));
    }

    #[test]
    fn no_option_makes_the_reader_panic(
        code in 0..150_u16,
        csv in any::<Option<bool>>(),
        data in "[0-9a-fx:,./\\\\' ä-]{0,24}",
    ) {
        let mut option = json!({ "code": code, "data": data });
        if let Some(csv) = csv {
            option["csv-format"] = csv.into();
        }
        let subnet = json!({ "id": 1, "subnet": "2001:db8::/64", "option-data": [option] });
        let config = config(&json!({ "Dhcp6": { "subnet6": [subnet] } }).to_string()).unwrap();
        // Options are whole: code, length, value, and nothing after it; or left out with a warning.
        let options = &config.links[0].subnets[0].options.given;
        match options.as_slice() {
            [] => prop_assert_eq!(config.warnings.len(), 1),
            [high, low, len_high, len_low, value @ ..] => {
                prop_assert_eq!(u16::from_be_bytes([*high, *low]), code);
                prop_assert_eq!(usize::from(u16::from_be_bytes([*len_high, *len_low])), value.len());
            }
            short => prop_assert!(false, "{short:?}"),
        }
    }
}
