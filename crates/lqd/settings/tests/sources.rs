//! Lease sources of the file.

use super::*;

/// Reads a file of two sources, `more` in the second one.
fn two(flags: &[&str], more: &str) -> Result<Settings, SettingsError> {
    let text = format!(
        "[[source]]\nname = 'a'\nkea-config = '/a/kea.conf'\nlink-address = ['1=2001:db8:1::1']\n\
         [[source]]\nkea-config = '/b/kea.conf'\n{more}"
    );
    read(flags, &text)
}

#[test]
fn the_flags_are_one_source() {
    let settings = read(&["--kea-config=/k"], "").unwrap();
    let [SourceSettings { name, .. }] = &settings.sources[..] else { panic!("{:?}", settings.sources) };
    assert_eq!(name, "kea");
}

#[test]
fn sources_have_files_and_link_addresses_of_their_own() {
    let more = "name = 'b'\nkea-leases = '/b/leases.csv'\nlink-address = ['1=2001:db8:2::1']";
    let sources = two(&[], more).unwrap().sources;
    let given = |source: &SourceSettings| {
        let addresses: Vec<_> = source.link_addresses.iter().map(ToString::to_string).collect();
        (source.name.clone(), source.kea_config.clone(), source.kea_leases.clone(), addresses)
    };
    assert_eq!(given(&sources[0]), ("a".into(), "/a/kea.conf".into(), None, vec!["1=2001:db8:1::1".into()]));
    let leases = Some("/b/leases.csv".into());
    assert_eq!(
        given(&sources[1]),
        ("b".into(), "/b/kea.conf".into(), leases, vec!["1=2001:db8:2::1".into()])
    );
}

#[test]
fn paths_of_a_source_start_from_the_folder_of_the_file() {
    let folder = file("[[source]]\nname = 'a'\nkea-config = 'a/kea.conf'\nkea-leases = 'a/leases.csv'");
    let config = format!("--config={}", folder.path().join("lqd.toml").display());
    let source = Settings::read(&typed(&[&config])).unwrap().sources.remove(0);
    assert_eq!(source.kea_config, folder.path().join("a/kea.conf"));
    assert_eq!(source.kea_leases, Some(folder.path().join("a/leases.csv")));
}

#[test]
fn contradictions_between_sources_are_refused() {
    let rows: [(&[&str], &str, &str); 6] = [
        (&[], "name = 'a'", "source: a: is the name of two sources; give each its own"),
        (&[], "name = 'ä'", "source: ä: must be 1 to 64 letters, digits, dots, dashes and underscores"),
        (&[], "", "5:1: source: missing field `name`"),
        (
            &["--kea-config=/k"],
            "name = 'b'",
            "source: kea-config: is for a single source; move it into its [[source]]",
        ),
        (&["--link-address=1=::1"], "name = 'b'", "source: link-address: is for a single source"),
        (
            &[],
            "name = 'b'\nlink-address = ['9=2001:db8:1::1']",
            "link-address: 9=2001:db8:1::1: is given for a link of another source, too; give each its own",
        ),
    ];
    for (flags, more, want) in rows {
        let error = two(flags, more).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
    assert!(read(&[], "source = []").unwrap_err().to_string().contains("the list is empty"));
}
