use super::*;

fn options(directory: &Path, clients: u64) -> Options {
    Options {
        clients,
        links: 9,
        relay_data: 0.5,
        hwaddr: 0.5,
        infinite: false,
        seed: 5,
        now: Some(1_800_000_000),
        out: directory.join("set"),
    }
}

fn made(options: &Options) -> (String, String) {
    make(options).unwrap();
    let read = |name| fs::read_to_string(options.out.join(name)).unwrap();
    (read(LEASE_FILE), read(CONFIG_FILE))
}

#[test]
fn leases_depend_on_the_seed_only() {
    let [a, b, c] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let first = made(&options(a.path(), 200)).0;
    assert_eq!(first, made(&options(b.path(), 200)).0);
    assert_ne!(first, made(&Options { seed: 6, ..options(c.path(), 200) }).0);
}

#[test]
fn rows_are_complete_and_valid_for_a_day() {
    let directory = tempfile::tempdir().unwrap();
    let (leases, _) = made(&options(directory.path(), 500));
    let mut lines = leases.lines();
    assert_eq!(lines.next().unwrap().split(',').count(), 18);
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 1_000);
    for row in &rows {
        assert_eq!(row.len(), 18, "{row:?}");
        let (valid, expire): (u64, u64) = (row[2].parse().unwrap(), row[3].parse().unwrap());
        assert!(expire >= 1_800_000_000 + 86_400 && expire - valid <= 1_800_000_000, "{row:?}");
        assert_eq!((row[1].len(), row[13], row[17]), (41, "0", "0"));
        let companions = if row[12].is_empty() { ["", ""] } else { ["1", "2"] };
        assert_eq!(row[15..17], companions, "hwtype and hwaddr_source");
    }
    for pair in rows.chunks(2) {
        assert_eq!(pair[0][1], pair[1][1], "one client");
        assert_eq!((pair[0][6], pair[0][8], pair[1][6], pair[1][8]), ("0", "128", "2", "56"));
    }
    for column in [12, 14] {
        let some = rows.iter().filter(|row| !row[column].is_empty()).count();
        // Half of them, give or take chance.
        assert!((400..600).contains(&some), "{some} of 1,000 have column {column}");
    }
}

#[test]
fn user_contexts_are_json_as_kea_writes_it() {
    let directory = tempfile::tempdir().unwrap();
    let (leases, _) = made(&Options { relay_data: 1.0, ..options(directory.path(), 100) });
    let mut depths = [0; 3];
    for line in leases.lines().skip(1) {
        let row: Vec<&str> = line.split(',').collect();
        let context: serde_json::Value = serde_json::from_str(&row[14].replace("&#x2c", ",")).unwrap();
        let relays = context["ISC"]["relay-info"].as_array().unwrap();
        depths[relays.len()] += 1;
        let access = &relays[relays.len() - 1];
        let options = access["options"].as_str().unwrap();
        assert!(options.starts_with("0x0012") && options.contains("0025000A00007ED902"), "{options}");
        assert!(options.ends_with(access["remote-id"].as_str().unwrap().trim_start_matches("0x")));
        assert_eq!(relays[0]["link"], format!("{}1", subnet_of(row[4])));
        assert_eq!(relays[0]["hop"], relays.len() - 1);
    }
    assert!(depths[1] > depths[2] && depths[2] > 0 && depths[0] == 0, "{depths:?}");
}

fn subnet_of(id: &str) -> String {
    format!("3fff:0:0:{:x}::", id.parse::<u32>().unwrap())
}

#[test]
fn infinite_lifetimes_are_added_as_kea_does() {
    let directory = tempfile::tempdir().unwrap();
    let (leases, config) = made(&Options { infinite: true, ..options(directory.path(), 10) });
    for line in leases.lines().skip(1) {
        let row: Vec<&str> = line.split(',').collect();
        assert_eq!((row[2], row[5]), ("4294967295", "4294967295"));
        let cltt = row[3].parse::<u64>().unwrap() - 4_294_967_295;
        assert!((1_799_913_601..=1_800_000_000).contains(&cltt), "{cltt}");
    }
    assert!(config.contains("\"valid-lifetime\": 4294967295"));
}

#[test]
fn the_configuration_is_json_with_every_subnet() {
    let directory = tempfile::tempdir().unwrap();
    let (leases, config) = made(&options(directory.path(), 300));
    let json: String = config.lines().filter(|line| !line.starts_with("//")).collect();
    let config: serde_json::Value = serde_json::from_str(&json).unwrap();
    let dhcp6 = &config["Dhcp6"];
    let ids = |list: &serde_json::Value| -> Vec<u64> {
        list.as_array().unwrap().iter().map(|subnet| subnet["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids(&dhcp6["subnet6"]), [1, 2, 3, 4, 5, 6, 7, 10]);
    assert_eq!(ids(&dhcp6["shared-networks"][0]["subnet6"]), [8, 9]);
    let name = dhcp6["lease-database"]["name"].as_str().unwrap();
    assert_eq!(fs::read_to_string(name).unwrap(), leases);
}

#[test]
fn existing_files_are_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    for file in [LEASE_FILE, CONFIG_FILE] {
        let out = directory.path().join(file);
        fs::create_dir(&out).unwrap();
        fs::write(out.join(file), "a server's").unwrap();
        let error = make(&Options { out: out.clone(), ..options(directory.path(), 1) }).unwrap_err();
        assert!(matches!(error, Error::Exists(_)), "{error}");
        assert_eq!(fs::read_to_string(out.join(file)).unwrap(), "a server's");
    }
}
