//! The full text of each error.

use super::*;

/// Returns the error of a file, its path replaced by `lqd.toml`.
fn file_error(octets: &[u8]) -> String {
    let folder = file("");
    let path = folder.path().join("lqd.toml");
    fs::write(&path, octets).unwrap();
    let path = path.display().to_string();
    let read = Settings::read(&typed(&["--kea-config=k", "--config", &path]));
    read.unwrap_err().to_string().replace(&path, "lqd.toml")
}

/// Returns the first paragraph of the command line's error about `flag`.
fn flag_error(flag: &str) -> String {
    let error = CommandLine::try_parse_from(["lqd", "serve", flag]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    error.to_string().split("\n\n").next().unwrap_or_default().to_owned()
}

/// An invalid value as a flag and as a line of the file, and the advice of both errors.
#[rustfmt::skip]
const VALUES: &[(&str, &str, &str)] = &[
    ("--server-duid=", "server-duid = ''", "has 0 octets; a DUID has 1 to 130"),
    ("--server-duid=0g:03", "server-duid = '0g:03'",
        "must be octets in hexadecimal, such as \"00:03:00:01:0a:00:27:00:00:01\""),
    ("--server-duid=003", "server-duid = '003'",
        "has an odd number of hexadecimal digits; write two for each octet"),
    ("--listen=0.0.0.0:547", "listen = ['0.0.0.0:547']", "DHCPv6 runs over IPv6 only; write [ADDR]:PORT"),
    ("--listen=::1", "listen = ['::1']", "must be [ADDR] or [ADDR]:PORT, such as \"[2001:db8::1]:547\""),
    ("--multicast=a/b", "multicast = ['a/b']",
        "must be the name of an interface, such as \"eth0\""),
    ("--allow=192.0.2.0/24", "allow = ['192.0.2.0/24']",
        "DHCPv6 runs over IPv6 only; write an IPv6 prefix, such as 2001:db8::/32"),
    ("--max-relay-hops=34", "max-relay-hops = 34", "must be a whole number in 0..=33"),
    ("--link-address=7", "link-address = ['7']",
        "must be the id of a subnet and an IPv6 address, such as 7=2001:db8:7::1"),
    ("--link-address=7=fe80::1", "link-address = ['7=fe80::1']",
        "fe80::1 is not a global address, which a link needs"),
    ("--sensitive-option=0", "sensitive-option = [0]", "must be a whole number in 3..=65535"),
    ("--sensitive-option=46", "sensitive-option = [46]",
        "clt-time (46) belongs to every such reply (RFC 5007) and cannot be left out; remove it, and see --allow \
         and --restricted-requestor for whose queries are answered"),
    ("--sensitive-option=9", "sensitive-option = [9]",
        "relay-msg (9) contains relay data and cannot be left out alone; list 47 (relay data) instead"),
    ("--max-reply=511", "max-reply = 511", "must be a whole number in 512..=65527"),
    ("--rate=1000001", "rate = 1000001", "must be a whole number in 0..=1000000"),
    ("--query-log=", "query-log = ''", "must be a file, \"journald\" or \"stderr\""),
    ("--query-log-sample=0", "query-log-sample = 0", "must be a whole number in 1..=1000000"),
    ("--query-log-requestor=fd00::1/8", "query-log-requestor = 'fd00::1/8'",
        "has bits set beyond its length; write fd00::/8, or fd00::1/128"),
    ("--keep-discards=4097", "keep-discards = 4097", "must be a whole number in 0..=4096"),
    ("--burst=0", "burst = 0", "must be a whole number in 1..=1000000"),
    ("--max-feed-age=0", "max-feed-age = 0", "must be a whole number in 1..=86400"),
    ("--admin=unix:x", "admin = ['unix:x']",
        "is not an absolute path; write unix:/run/lqd/admin.sock"),
    ("--bulk=0.0.0.0:547", "bulk = ['0.0.0.0:547']", "DHCPv6 runs over IPv6 only; write [ADDR]:PORT"),
    ("--bulk-connections=0", "bulk-connections = 0", "must be a whole number in 1..=10000"),
    ("--bulk-timeout=9", "bulk-timeout = 9", "must be a whole number in 10..=86400"),
    ("--active-history=86401", "active-history = 86401", "must be a whole number in 0..=86400"),
    ("--active-history-size=0", "active-history-size = 0", "must be a whole number in 1..=65536"),
    ("--active-idle-timeout=4", "active-idle-timeout = 4", "must be a whole number in 5..=3600"),
    ("--active-send-timeout=3601", "active-send-timeout = 3601", "must be a whole number in 5..=3600"),
    ("--workers=0", "workers = 0", "must be a whole number in 1..=256"),
    ("--cpus=1024", "cpus = '1024'",
        "must be numbers of CPUs in 0..=1023 and ranges of them, such as \"0,2-5\""),
    ("--cpus=1,1", "cpus = '1,1'", "names CPU 1 twice; leave one out"),
    ("--buffers=100", "buffers = 100", "must be a power of two in 64..=32768"),
    ("--busy-poll=1001", "busy-poll = 1001", "must be a whole number in 0..=1000"),
    ("--receive-buffer=1KiB", "receive-buffer = '1KiB'",
        "must be a number of bytes in 65536..=536870912, or with a unit, such as \"4MiB\" or \"512KiB\""),
];

#[test]
fn flag_and_key_give_the_same_advice() {
    for (flag, line, advice) in VALUES {
        let error = flag_error(flag);
        assert!(error.ends_with(&format!(": {advice}")), "{error}");
        let (key, value) = line.split_once(" = ").unwrap();
        let column = key.len() + 4 + usize::from(value.starts_with('['));
        assert_eq!(
            file_error(format!("# ä\n{line}").as_bytes()),
            format!("lqd.toml:2:{column}: {key}: {advice}")
        );
    }
}

#[test]
fn the_command_line_names_the_flag() {
    for (flag, want) in [
        ("--workers=0", "error: invalid value '0' for '--workers <N>': must be a whole number in 1..=256"),
        (
            "--listen=0.0.0.0:547",
            "error: invalid value '0.0.0.0:547' for '--listen <ADDR:PORT>': \
             DHCPv6 runs over IPv6 only; write [ADDR]:PORT",
        ),
        (
            "--io=epoll",
            "error: invalid value 'epoll' for '--io <HOW>'\n  [possible values: auto, uring, mmsg]",
        ),
        ("--worker=1", "error: unexpected argument '--worker' found"),
    ] {
        assert_eq!(flag_error(flag), want);
    }
}

#[test]
fn an_error_of_a_type_says_the_expected_form() {
    for (text, want) in [
        (
            "workers = 'four'",
            "1:11: workers: invalid type: string \"four\", expected a whole number in 1..=256",
        ),
        (
            "workers = 4.5",
            "1:11: workers: invalid type: floating point `4.5`, expected a whole number in 1..=256",
        ),
        (
            "buffers = '64'",
            "1:11: buffers: invalid type: string \"64\", expected a power of two in 64..=32768",
        ),
        (
            "listen = '[::1]:547'",
            "1:10: listen: invalid type: string \"[::1]:547\", expected a list in brackets, each entry \
             [ADDR] or [ADDR]:PORT, such as \"[2001:db8::1]:547\"",
        ),
        (
            "allow = [\n  '::1',\n  5,\n]",
            "3:3: allow: invalid type: integer `5`, expected an IPv6 prefix, such as \"2001:db8::/32\"",
        ),
        (
            "server-duid = 3",
            "1:15: server-duid: invalid type: integer `3`, expected octets in hexadecimal, such as \
             \"00:03:00:01:0a:00:27:00:00:01\"",
        ),
        ("io = 5", "1:6: io: invalid type: integer `5`, expected \"auto\" or \"uring\" or \"mmsg\""),
        ("deny = 'no'", "1:8: deny: invalid value: string \"no\", expected \"not-allowed\" or \"drop\""),
        ("relayed = ''", "1:11: relayed: invalid value: string \"\", expected \"answer\" or \"drop\""),
        ("steering = 'x'", "1:12: steering: invalid value: string \"x\", expected \"hash\" or \"cpu\""),
        ("log-format = 'x'", "1:14: log-format: invalid value: string \"x\", expected \"text\" or \"json\""),
        (
            "when-stale = 'x'",
            "1:14: when-stale: invalid value: string \"x\", expected \"answer\" or \"silent\" or \"refuse\"",
        ),
        (
            "active = 'on'",
            "1:10: active: invalid value: string \"on\", expected \"off\" or \"tls\" or \"insecure\"",
        ),
        ("log = 5", "1:7: log: invalid type: integer `5`, expected a string"),
        ("kea-config = 5", "1:14: kea-config: invalid type: integer `5`, expected path string"),
        ("kea-leases = []", "1:14: kea-leases: invalid type: sequence, expected path string"),
        ("example-query = 1", "1:17: example-query: invalid type: integer `1`, expected a boolean"),
    ] {
        assert_eq!(file_error(text.as_bytes()), format!("lqd.toml:{want}"));
    }
}

#[test]
fn an_error_of_an_unknown_key_lists_the_known_ones() {
    let known = "`kea-config`, `kea-leases`, `server-duid`, `listen`, `multicast`, `allow`, \
                 `deny`, `relayed`, `max-relay-hops`, `link-address`, `sensitive-option`, `max-reply`, `rate`, `burst`, \
                 `restricted-requestor`, `source`, `access`, `max-feed-age`, `when-stale`, `admin`, `query-log`, \
                 `query-log-sample`, `query-log-requestor`, `keep-discards`, \
                 `bulk`, `bulk-connections`, `bulk-connections-per-requestor`, `bulk-queries`, `bulk-timeout`, \
                 `bulk-cpus`, `bulk-threads`, `bulk-tls`, `tls-certificate`, `tls-key`, `tls-ca`, `active`, \
                 `active-history`, `active-history-size`, `active-idle-timeout`, `active-send-timeout`, `workers`, `cpus`, \
                 `io`, `gro`, `buffers`, `receive-buffer`, `send-buffer`, `steering`, \
                 `busy-poll`, `sandbox`, `log-format`, `log`, `example-query`";
    for key in ["worker", "Workers", "kea_config", "config"] {
        let want = format!("lqd.toml:2:1: unknown field `{key}`, expected one of {known}");
        assert_eq!(file_error(format!("\n{key} = 1").as_bytes()), want);
    }
}

#[test]
fn an_error_of_the_syntax_has_its_place() {
    for (octets, want) in [
        (&b"workers"[..], "1:8: key with no value, expected `=`"),
        (b"workers = 1\nworkers = 2", "2:1: duplicate key"),
        (b"# \xc3\xa4\nlog = [", "2:8: unclosed array, expected `]`"),
        (b"# \xc3\xa4\nlog = '\xff'", "2:8: is not UTF-8; save the file as UTF-8"),
    ] {
        assert_eq!(file_error(octets), format!("lqd.toml:{want}"));
    }
}

/// An error in the second of three access rules, with place and advice.
#[rustfmt::skip]
const ACCESS: &[(&str, &str)] = &[
    ("prefix = 'fd00::1/8'",
        "4:10: access: prefix: has bits set beyond its length; write fd00::/8, or fd00::1/128"),
    ("prefix = '192.0.2.0/24'",
        "4:10: access: prefix: DHCPv6 runs over IPv6 only; write an IPv6 prefix, such as 2001:db8::/32"),
    ("prefix = 5",
        "4:10: access: prefix: invalid type: integer `5`, expected an IPv6 prefix, such as \"2001:db8::/32\""),
    ("rate = 5", "3:1: access: missing field `prefix`"),
    ("prefix = '2001:db8::/32'",
        "4:10: access: prefix: 2001:db8::/32 has a rule already; merge the two"),
    ("prefix = '2001:db8::'\nprefix = '::'", "5:1: duplicate key"),
    ("prefix = '::'\nprefixx = '::'",
        "5:1: access: unknown field `prefixx`, expected one of `prefix`, `allow`, `deny`, `query-types`, `relayed`, \
         `sensitive-options`, `max-reply`, `rate`, `burst`, `prefix-rate`, `prefix-burst`, `restricted-requestor`, \
         `relay-addresses`, `certificates`, `active`"),
    ("prefix = '::'\nallow = 'no'", "5:9: access: allow: invalid type: string \"no\", expected a boolean"),
    ("prefix = '::'\ndeny = 'no'",
        "5:8: access: deny: invalid value: string \"no\", expected \"not-allowed\" or \"drop\""),
    ("prefix = '::'\nquery-types = ['address', 'all']",
        "5:27: access: query-types: must be \"address\" or \"client-id\" or \"relay-id\" or \"link-address\" or \
        \"remote-id\""),
    ("prefix = '::'\nquery-types = []",
        "4:10: access: ::/128: query-types: the list is empty; give it an entry, or write allow = false to \
         allow no query"),
    ("prefix = '::'\nsensitive-options = [0]",
        "5:22: access: sensitive-options: must be a whole number in 3..=65535"),
    ("prefix = '::'\nsensitive-options = [39, 5]",
        "5:26: access: sensitive-options: ia-addr (5) belongs to every such reply (RFC 5007) and cannot be left out; \
         remove it, and see --allow and --restricted-requestor for whose queries are answered"),
    ("prefix = '::'\nmax-reply = 65528", "5:13: access: max-reply: must be a whole number in 512..=65527"),
    ("prefix = '::'\nrate = -1", "5:8: access: rate: must be a whole number in 0..=1000000"),
    ("prefix = '::'\nrate = 1.5",
        "5:8: access: rate: invalid type: floating point `1.5`, expected a whole number in 0..=1000000"),
    ("prefix = '::'\nprefix-rate = 1000001",
        "5:15: access: prefix-rate: must be a whole number in 0..=1000000"),
    ("prefix = '::'\nburst = 5",
        "4:10: access: ::/128: burst: needs a rate; give the rule a rate too, or leave burst out"),
    ("prefix = '::'\nrate = 1\nprefix-burst = 5",
        "4:10: access: ::/128: prefix-burst: needs a prefix-rate; give the rule a prefix-rate too, or leave \
         prefix-burst out"),
    ("prefix = '::'\nrelay-addresses = ['fd00::1/8']",
        "5:20: access: relay-addresses: has bits set beyond its length; write fd00::/8, or fd00::1/128"),
];

#[test]
fn an_error_of_an_access_rule_names_its_key() {
    for (row, want) in ACCESS {
        let text =
            format!("[[access]]\nprefix = '2001:db8::/32'\n[[access]]\n{row}\n[[access]]\nprefix = '::1'");
        assert_eq!(file_error(text.as_bytes()), format!("lqd.toml:{want}"), "{row}");
    }
    for (text, want) in [
        ("access = 5", "1:10: access: invalid type: integer `5`, expected a sequence"),
        ("[access]\nprefix = '::'", "1:1: access: invalid type: map, expected a sequence"),
        (
            "access = [{ prefix = '::', rate = 'x' }]",
            "1:35: access: rate: invalid type: string \"x\", expected a whole number in 0..=1000000",
        ),
    ] {
        assert_eq!(file_error(text.as_bytes()), format!("lqd.toml:{want}"));
    }
}

#[test]
fn query_log_keys_need_a_query_log() {
    let fix = "there is no query log; give --query-log too, or leave this out";
    for (line, want) in [
        ("query-log-sample = 5", "query-log-sample: 5"),
        ("query-log-requestor = '::1'", "query-log-requestor: ::1/128"),
    ] {
        assert_eq!(file_error(line.as_bytes()), format!("{want}: {fix}"));
    }
}

#[test]
fn settings_of_tls_belong_together() {
    let files = "tls-certificate = 'c'\ntls-key = 'k'\ntls-ca = 'a'\n";
    for (text, want) in [
        (
            "tls-certificate = '/c'",
            "tls-certificate: /c: TLS needs three files; give --tls-key and --tls-ca too",
        ),
        ("tls-ca = '/a'\ntls-key = '/k'", "tls-key: /k: TLS needs three files; give --tls-certificate too"),
        (
            &format!("{files}bulk-tls = 'offered'"),
            "bulk-tls: offered: there is no bulk leasequery; give --bulk too",
        ),
        (
            "bulk = ['[::1]:547']\nbulk-tls = 'required'",
            "bulk-tls: required: there is no certificate; give --tls-certificate, --tls-key and --tls-ca too",
        ),
    ] {
        assert_eq!(file_error(text.as_bytes()), format!("{want}, or leave this out"), "{text}");
    }
}

#[test]
fn a_burst_needs_a_rate() {
    let want = "burst: 5: needs a rate; give --rate too, or leave --burst out";
    assert_eq!(read(&["--kea-config=k", "--burst=5"], "").unwrap_err().to_string(), want);
    assert_eq!(file_error(b"burst = 5"), want);
    assert!(read(&["--kea-config=k", "--burst=5"], "rate = 5").is_ok());
}

#[test]
fn files_that_cannot_be_read() {
    let config = |path: &Path| {
        let read = Settings::read(&typed(&["--config", &path.display().to_string()]));
        read.unwrap_err().to_string().replace(&path.display().to_string(), "FILE")
    };
    let folder = file(&" ".repeat((1 << 20) + 1));
    let fix = "name a file that lqd may read with --config";
    assert_eq!(
        config(&folder.path().join("none.toml")),
        format!("FILE: cannot be read: No such file or directory (os error 2); {fix}")
    );
    assert_eq!(config(folder.path()), format!("FILE: cannot be read: Is a directory (os error 21); {fix}"));
    assert_eq!(
        config(&folder.path().join("lqd.toml")),
        format!("FILE: cannot be read: it is longer than 1 MiB, which no configuration is; {fix}")
    );
}

#[test]
fn well_formed_values_that_cannot_be_resolved() {
    for (flags, want) in [
        (
            &["--listen=[fe80::1%nosuchif0]:547"][..],
            "listen: [fe80::1%nosuchif0]:547: there is no interface nosuchif0; name one that \"ip link\" \
             lists",
        ),
        (
            &["--multicast=nosuchif0"],
            "multicast: nosuchif0: there is no interface nosuchif0; name one that \"ip link\" lists",
        ),
        (
            &["--listen=[::1]:547", "--listen=[0::1]:547"],
            "listen: [::1]:547: the address is given twice; leave one out",
        ),
        (
            &["--bulk=[::1]:547", "--bulk=[0::1]:547"],
            "bulk: [::1]:547: the address is given twice; leave one out",
        ),
        (
            &["--active=insecure"],
            "active: insecure: needs an address for its connections; give --bulk too, or leave --active out",
        ),
        (
            &["--active=tls", "--bulk=[::1]:547"],
            "active: tls: needs TLS on the connections of --bulk; give --bulk-tls too, or insecure where that will do",
        ),
        (&["--multicast=lo", "--multicast=lo"], "multicast: lo: the interface is given twice; leave one out"),
        (&["--admin=1", "--admin=[::1]:1"], "admin: [::1]:1: the address is given twice; leave one out"),
        (&["--multicast=1"], "multicast: 1: is a number; write the name that \"ip link\" shows"),
    ] {
        let error = read(&[&["--kea-config=k"], flags].concat(), "").unwrap_err();
        assert_eq!(error.to_string(), want);
    }
    assert_eq!(
        file_error(b"listen = []"),
        "listen: the list is empty; give it an entry, or leave the key out"
    );
}

#[test]
fn without_kea_config_flag_and_key_are_named() {
    assert_eq!(
        Settings::read(&typed(&[])).unwrap_err().to_string(),
        "Kea's configuration is not given; name it with --kea-config FILE, or with kea-config = \"FILE\" \
         in the file of --config"
    );
}
