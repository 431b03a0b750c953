use super::*;
use lqd_index::{Change, Removal, RemovalReason};

const HEADER: &str = "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,\
                      prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,\
                      hwaddr_source,pool_id";

/// A row of Kea with all columns in use.
const ROW: &str = "2001:db8:1::2,00:03:00:01:ff:ff:ff:ff:ff:01,4000,1700004000,1,3000,0,1234,128,\
                   1,0,host.example,ff:ff:ff:ff:ff:01,0,\
                   { \"ISC\": { \"relay-info\": [ { \"hop\": 0&#x2c \"link\": \
                   \"2001:db8:1::1\"&#x2c \"peer\": \"fe80::1\" } ] } },6,8,0";

fn columns(count: usize) -> Columns {
    let names: Vec<_> = HEADER.split(',').take(count).collect();
    Columns::from_header(names.join(",").as_bytes()).unwrap()
}

/// [`ROW`] with some columns changed.
fn row(changes: &[(Column, &str)]) -> String {
    let mut values: Vec<_> = ROW.split(',').collect();
    for &(column, value) in changes {
        values[column as usize] = value;
    }
    values.join(",")
}

/// Result of one row: the change in words, or the error; and the options left out.
fn parse_with(columns: Columns, row: &str) -> (Result<Batch, RowError>, LeftOut) {
    let mut parser = RowParser::new();
    let mut batch = Batch::new();
    let result = parser.parse(columns, row.as_bytes(), &mut batch);
    let unreadable = batch.changes().filter(|change| matches!(change, Change::Unreadable { .. })).count();
    assert_eq!(unreadable == 0, result.is_ok() || batch.is_empty(), "unreadable after a error: {row}");
    (result.map(|()| batch), parser.take_left_out())
}

fn put(row: &str, check: impl FnOnce(Lease<'_>)) {
    let (batch, left_out) = parse_with(columns(18), row);
    assert_eq!(left_out, LeftOut::default(), "{row}");
    match batch.unwrap().changes().next().unwrap() {
        Change::Put(lease) => check(lease),
        other => panic!("{other:?}: {row}"),
    };
}

#[test]
fn a_row_of_kea() {
    put(ROW, |lease| {
        assert_eq!(lease.address, "2001:db8:1::2".parse::<std::net::Ipv6Addr>().unwrap());
        assert_eq!((lease.kind, lease.prefix_len), (LeaseKind::Address, 128));
        assert_eq!(lease.duid, [0, 3, 0, 1, 255, 255, 255, 255, 255, 1]);
        assert_eq!((lease.valid_lifetime, lease.preferred_lifetime), (4000, 3000));
        assert_eq!((lease.cltt, lease.subnet_id), (1_700_000_000, 1));
        let fqdn: &[u8] = b"\0\x27\0\x0e\x01\x04host\x07example";
        let link_layer_address: &[u8] = b"\0\x4f\0\x08\0\x06\xff\xff\xff\xff\xff\x01";
        let relay_data: &[u8] = b"\0\x2f\0\x32\x20\x01\x0d\xb8\0\x01\0\0\0\0\0\0\0\0\0\x01\
            \x0c\0\x20\x01\x0d\xb8\0\x01\0\0\0\0\0\0\0\0\0\x01\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01";
        assert_eq!(lease.options, [fqdn, link_layer_address, relay_data].concat());
    });
}

#[test]
fn a_row_without_extras_has_no_options() {
    let plain = row(&[(Column::Hostname, ""), (Column::Hwaddr, ""), (Column::UserContext, "")]);
    put(&plain, |lease| assert_eq!(lease.options, b""));
}

#[test]
fn kinds_of_leases() {
    for (lease_type, prefix_len, kind, expected_len) in [
        ("0", "128", LeaseKind::Address, 128),
        ("0", "64", LeaseKind::Address, 128),
        ("1", "128", LeaseKind::Address, 128),
        ("2", "56", LeaseKind::Prefix, 56),
        ("2", "128", LeaseKind::Prefix, 128),
    ] {
        let changes = [
            (Column::Address, "2001:db8::"),
            (Column::LeaseType, lease_type),
            (Column::PrefixLen, prefix_len),
        ];
        put(&row(&changes), |lease| assert_eq!((lease.kind, lease.prefix_len), (kind, expected_len)));
    }
}

#[test]
fn times_and_infinity() {
    for (valid, expire, preferred, cltt) in [
        ("4000", "1700004000", "3000", 1_700_000_000),
        ("4294967295", "5994967295", "4294967295", 1_700_000_000),
        ("4294967295", "4294967295", "0", 0),
        ("4000", "4294967296", "3000", 4_294_963_296),
    ] {
        let changes =
            [(Column::ValidLifetime, valid), (Column::Expire, expire), (Column::PrefLifetime, preferred)];
        put(&row(&changes), |lease| {
            assert_eq!(lease.valid_lifetime, valid.parse::<u32>().unwrap());
            assert_eq!(lease.preferred_lifetime, preferred.parse::<u32>().unwrap());
            assert_eq!(lease.cltt, cltt, "{expire} - {valid}");
        });
    }
}

#[test]
fn a_row_that_is_no_binding_is_a_removal_with_reason_and_time() {
    use RemovalReason::{Declined, Gone, Reclaimed, Released};
    const CLTT: u32 = 1_700_000_000;
    const EXPIRE: u32 = 1_700_004_000;
    let no_duid = (Column::Duid, "00:00:00");
    for (changes, reason, time) in [
        (&[(Column::ValidLifetime, "0")][..], Gone, EXPIRE),
        (&[(Column::ValidLifetime, "0"), (Column::State, "3")], Released, EXPIRE),
        (&[(Column::ValidLifetime, "0"), (Column::State, "1"), no_duid], Declined, EXPIRE),
        (&[(Column::ValidLifetime, "0"), (Column::LeaseType, "77")], Gone, EXPIRE),
        (&[(Column::State, "1"), no_duid], Declined, CLTT),
        (&[(Column::State, "1"), (Column::Duid, "00")], Declined, CLTT),
        (&[(Column::State, "2")], Reclaimed, EXPIRE),
        (&[(Column::State, "3")], Released, CLTT),
        (&[(Column::State, "4")], Gone, CLTT),
    ] {
        let (batch, _) = parse_with(columns(18), &row(changes));
        let address = "2001:db8:1::2".parse().unwrap();
        let removal = Change::Remove(Removal { address, reason, time: Some(time) });
        assert_eq!(batch.unwrap().changes().collect::<Vec<_>>(), [removal], "{changes:?}");
    }
}

#[test]
fn every_column_has_its_fault() {
    use Column::*;
    let long_duid = vec!["01"; 131].join(":");
    let rows: &[(Column, &str, RowErrorKind)] = &[
        (Address, "", RowErrorKind::NotAnAddress),
        (Address, "192.0.2.1", RowErrorKind::NotAnAddress),
        (Address, "2001:db8::/56", RowErrorKind::NotAnAddress),
        (Address, "2001:db8:1::2%7", RowErrorKind::NotAnAddress),
        (Duid, "00:0g", RowErrorKind::NotHexadecimal),
        (Duid, "", RowErrorKind::EmptyDuid),
        (Duid, "00", RowErrorKind::EmptyDuid),
        (Duid, "00:00:00", RowErrorKind::EmptyDuid),
        (Duid, &long_duid, RowErrorKind::Lease(LeaseError::DuidLength(131))),
        (ValidLifetime, "", RowErrorKind::NotANumber),
        (ValidLifetime, "4294967296", RowErrorKind::NotANumber),
        (Expire, "18446744073709551616", RowErrorKind::NotANumber),
        (SubnetId, "one", RowErrorKind::NotANumber),
        (PrefLifetime, "3000 ", RowErrorKind::NotANumber),
        (LeaseType, "3", RowErrorKind::UnknownLeaseType),
        (LeaseType, "-1", RowErrorKind::UnknownLeaseType),
        (LeaseType, "IA_NA", RowErrorKind::NotANumber),
        (LeaseType, "2147483648", RowErrorKind::NotANumber),
        (Iaid, "", RowErrorKind::NotANumber),
        (FqdnFwd, "2", RowErrorKind::NotABoolean),
        (FqdnFwd, "-1", RowErrorKind::NotABoolean),
        (FqdnRev, "", RowErrorKind::NotABoolean),
        (State, "", RowErrorKind::NotANumber),
        (State, "4294967296", RowErrorKind::NotANumber),
        (UserContext, "[]", RowErrorKind::NotAMap),
        (PoolId, "", RowErrorKind::NotANumber),
        (PoolId, "4294967296", RowErrorKind::NotANumber),
        (PoolId, "0\r", RowErrorKind::NotANumber),
    ];
    for &(column, value, kind) in rows {
        let (batch, _) = parse_with(columns(18), &row(&[(column, value)]));
        assert_eq!(batch.unwrap_err(), RowError { column, kind }, "{value:?}");
    }
}

#[test]
fn faulty_prefixes() {
    let prefix = |address, prefix_len| {
        let changes = [(Column::Address, address), (Column::LeaseType, "2"), (Column::PrefixLen, prefix_len)];
        parse_with(columns(18), &row(&changes)).0.unwrap_err()
    };
    let error = |column, error| RowError { column, kind: RowErrorKind::Lease(error) };
    assert_eq!(prefix("2001:db8::1", "31"), error(Column::Address, LeaseError::HostBits));
    assert_eq!(prefix("2001:db8::", "0"), error(Column::PrefixLen, LeaseError::PrefixLength(0)));
    assert_eq!(prefix("2001:db8::", "129"), error(Column::PrefixLen, LeaseError::PrefixLength(129)));
    assert_eq!(
        prefix("2001:db8::", ""),
        RowError { column: Column::PrefixLen, kind: RowErrorKind::NotANumber }
    );
}

/// Value of a column of numbers in a row with these changes, or the lease's error.
fn lease_of(changes: &[(Column, &str)], check: impl FnOnce(Lease<'_>)) {
    put(&row(changes), check);
}

#[test]
fn a_sign_or_twos_complement_in_a_number_column_is_read_as_by_kea() {
    use Column::*;
    lease_of(&[(ValidLifetime, "-1"), (Expire, "-1"), (PrefLifetime, "-2")], |lease| {
        assert_eq!((lease.valid_lifetime, lease.preferred_lifetime, lease.cltt), (u32::MAX, u32::MAX - 1, 0));
    });
    lease_of(&[(SubnetId, "-4294967295"), (Expire, "+0001700004000"), (PrefLifetime, "-0")], |lease| {
        assert_eq!((lease.subnet_id, lease.cltt, lease.preferred_lifetime), (1, 1_700_000_000, 0));
    });
    lease_of(&[(ValidLifetime, "000000000000000000000000000004000")], |lease| {
        assert_eq!(lease.valid_lifetime, 4000);
    });
    lease_of(
        &[(FqdnFwd, "-0"), (FqdnRev, "+0001"), (LeaseType, "+0"), (PoolId, "-1"), (State, "-0")],
        |lease| {
            assert_eq!(lease.options[..5], [0, 39, 0, 14, 0], "reverse only");
        },
    );
    let prefix = [(Address, "2001:db8:1::"), (LeaseType, "+02"), (PrefixLen, "-200"), (HwaddrSource, "0")];
    lease_of(&prefix, |lease| assert_eq!((lease.kind, lease.prefix_len), (LeaseKind::Prefix, 56)));
}

#[test]
fn an_iaid_that_postgresql_dumps_as_negative_keeps_its_row() {
    for iaid in ["-1", "-2147483648", "2147483648", "4294967295"] {
        put(&row(&[(Column::Iaid, iaid)]), |lease| assert_eq!(lease.valid_lifetime, 4000));
    }
}

#[test]
fn an_address_row_needs_no_prefix_len() {
    for prefix_len in ["", "64", "x", "-1", "99999999999"] {
        put(&row(&[(Column::PrefixLen, prefix_len)]), |lease| assert_eq!(lease.prefix_len, 128));
    }
}

/// The lease stays, and an option that could be wrong is left out.
#[test]
fn odd_hwtype_or_source_costs_only_the_option() {
    for (column, value, counted) in [
        (Column::Hwtype, "65536", 1),
        (Column::Hwtype, "x", 1),
        (Column::HwaddrSource, "x", 1),
        (Column::HwaddrSource, "4294967296", 1),
        (Column::HwaddrSource, "", 0),
        (Column::Hwaddr, "020000000701", 1),
        (Column::Hwaddr, "02 00", 1),
    ] {
        let (batch, left_out) = parse_with(columns(18), &row(&[(column, value)]));
        let batch = batch.unwrap();
        let Some(Change::Put(lease)) = batch.changes().next() else { panic!("{column:?} {value}") };
        assert_eq!(option_codes(lease.options), [39, 47], "{column:?} {value}");
        assert_eq!(left_out.link_layer_address, counted, "{column:?} {value}");
    }
    put(&row(&[(Column::Hwtype, ""), (Column::Hostname, "")]), |lease| {
        assert_eq!(lease.options[..6], [0, 79, 0, 8, 0, 1], "Ethernet without a type, as in Kea");
    });
}

/// RFC 6939: the address that a relay agent saw, and no guess of Kea's.
#[test]
fn a_client_link_layer_address_comes_from_a_relay_agent_only() {
    for (source, is_told) in [
        ("0", false),
        ("1", false),
        ("2", false),
        ("4", false),
        ("8", true),
        ("16", false),
        ("32", false),
        ("64", false),
        ("128", false),
        ("10", false),
        ("4294967295", false),
        ("-1", false),
        ("+08", true),
    ] {
        put(&row(&[(Column::HwaddrSource, source)]), |lease| {
            assert_eq!(option_codes(lease.options).contains(&79), is_told, "source {source}");
        });
    }
}

#[test]
fn any_other_state_of_32_bits_ends_the_former_lease() {
    for state in ["1", "2", "3", "4", "5", "77", "2147483648", "4294967295", "-1"] {
        let (batch, _) = parse_with(columns(18), &row(&[(Column::State, state)]));
        let batch = batch.unwrap();
        let changes: Vec<_> = batch.changes().collect();
        let [Change::Remove(removal)] = *changes else { panic!("{changes:?}: state {state}") };
        assert_eq!(removal.address, "2001:db8:1::2".parse::<Ipv6Addr>().unwrap(), "state {state}");
    }
}

#[test]
fn a_delegated_prefix_with_host_bits_keeps_its_address_as_written() {
    let changes =
        [(Column::Address, "2001:db8:1:2ff::5"), (Column::LeaseType, "2"), (Column::PrefixLen, "56")];
    let given = "2001:db8:1:2ff::5".parse().unwrap();
    put(&row(&changes), |lease| assert_eq!((lease.address, lease.prefix_len), (given, 56)));
    let (batch, _) = parse_with(columns(18), &row(&[&changes[..], &[(Column::ValidLifetime, "0")]].concat()));
    let batch = batch.unwrap();
    let changes: Vec<_> = batch.changes().collect();
    assert!(matches!(*changes, [Change::Remove(removal)] if removal.address == given), "{changes:?}");
}

#[test]
fn duids_with_blanks_or_an_odd_number_of_digits() {
    for (text, duid) in [
        ("00 03 00 01", &[0, 3, 0, 1][..]),
        ("0 3 0 1", &[0, 3, 0, 1]),
        ("0003001", &[0, 0, 0x30, 1]),
        ("0x0003001", &[0, 0, 0x30, 1]),
        ("0:3:0:1", &[0, 3, 0, 1]),
        ("0003\t00\t01", &[0, 3, 0, 1]),
        ("7", &[7]),
    ] {
        put(&row(&[(Column::Duid, text)]), |lease| assert_eq!(lease.duid, duid, "{text}"));
    }
    let longest = vec!["ab"; 130].join(":");
    put(&row(&[(Column::Duid, &longest)]), |lease| assert_eq!(lease.duid, [0xab; 130]));
}

/// In an assigned lease and in one that ends, as Kea checks it before either.
#[test]
fn a_user_context_that_is_no_map_costs_the_row() {
    for (context, is_map) in
        [("{}", true), ("{ \"a\": [1&#x2c] }", true), ("[]", false), ("7", false), ("{\"a\":}", false)]
    {
        for valid_lifetime in ["4000", "0"] {
            let changes = [(Column::UserContext, context), (Column::ValidLifetime, valid_lifetime)];
            let (result, _) = parse_with(columns(18), &row(&changes));
            let error = RowError { column: Column::UserContext, kind: RowErrorKind::NotAMap };
            assert_eq!(result.err(), (!is_map).then_some(error), "{context}, valid for {valid_lifetime}");
        }
    }
}

#[test]
fn an_unreadable_row_makes_its_address_unreadable() {
    use Column::*;
    let bad = (Iaid, "x");
    for (changes, address, prefix_len) in [
        (&[bad][..], "2001:db8:1::2", 128),
        (&[bad, (LeaseType, "1"), (PrefixLen, "x")], "2001:db8:1::2", 128),
        (&[bad, (Address, "2001:DB8:1::2\0")], "2001:db8:1::2", 128),
        (&[(Address, "2001:db8:1::2%eth0")], "2001:db8:1::2", 128),
        (&[bad, (Address, "2001:db8:1:200::"), (LeaseType, "2"), (PrefixLen, "56")], "2001:db8:1:200::", 56),
        (&[bad, (Address, "2001:db8:1:200::"), (LeaseType, "2"), (PrefixLen, "64")], "2001:db8:1:200::", 64),
        (
            &[bad, (Address, "2001:db8:1:2ff::5"), (LeaseType, "2"), (PrefixLen, "56")],
            "2001:db8:1:2ff::5",
            56,
        ),
        // As far as a prefix could reach.
        (&[(Address, "2001:db8:1:200::"), (LeaseType, "2"), (PrefixLen, "")], "2001:db8:1:200::", 55),
        (&[(Address, "2001:db8:1:200::"), (LeaseType, "2"), (PrefixLen, "200")], "2001:db8:1:200::", 55),
        (&[(Address, "2001:db8:1:200::"), (LeaseType, "")], "2001:db8:1:200::", 55),
        (&[(Address, "2001:db8:1:200::"), (LeaseType, "5")], "2001:db8:1:200::", 55),
        (&[(Address, "2001:db8::"), (LeaseType, "2"), (PrefixLen, "5")], "2001:db8::", 32),
        (&[(Address, "::"), (LeaseType, "2"), (PrefixLen, "0")], "::", 32),
    ] {
        let mut batch = Batch::new();
        let text = row(changes);
        RowParser::new().parse(columns(18), text.as_bytes(), &mut batch).unwrap_err();
        let duid = &[0, 3, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 1][..];
        let expected = Change::Unreadable { address: address.parse().unwrap(), prefix_len, duid };
        assert_eq!(batch.changes().collect::<Vec<_>>(), [expected], "{text}");
    }
    for (duid, named) in [
        ("00:01:02", &[0, 1, 2][..]),
        ("0102", &[1, 2]),
        ("", &[]),
        ("00", &[]),
        ("00:00:00", &[]),
        ("x", &[]),
        ("00:0g", &[]),
        (&["ab"; 131].join(":"), &[]),
    ] {
        let mut batch = Batch::new();
        let text = row(&[bad, (Duid, duid)]);
        RowParser::new().parse(columns(18), text.as_bytes(), &mut batch).unwrap_err();
        let Some(Change::Unreadable { duid, .. }) = batch.changes().next() else { panic!("{text}") };
        assert_eq!(duid, named, "{text}");
    }
    // A row that ends early, as after a full disk; but an address at its end may be the half of one.
    for (text, count) in
        [("2001:db8:1::2,", 1), ("2001:db8:1::2,00:03", 1), ("2001:db8:1::2", 0), (",", 0), ("x,y", 0)]
    {
        let mut batch = Batch::new();
        RowParser::new().parse(columns(18), text.as_bytes(), &mut batch).unwrap_err();
        assert_eq!(batch.len(), count, "{text}");
    }
}

#[test]
fn rows_of_every_older_schema() {
    let values: Vec<_> = ROW.split(',').collect();
    for count in 12..18 {
        let (batch, left_out) = parse_with(columns(count), &values[..count].join(","));
        assert_eq!(left_out, LeftOut::default());
        let batch = batch.unwrap();
        let Some(Change::Put(lease)) = batch.changes().next() else { panic!("{count} columns: no lease") };
        assert_eq!(lease.subnet_id, 1);
        let codes = option_codes(lease.options);
        match count {
            12..=14 => assert_eq!(codes, [39]),
            15 | 16 => assert_eq!(codes, [39, 47], "the source of the hardware address is not known"),
            _ => assert_eq!(codes, [39, 79, 47]),
        }
        let row_of_newer_schema = parse_with(columns(count), ROW).0;
        assert!(row_of_newer_schema.is_ok(), "Kea appends such rows until it has converted the file");
        let shorter = count.min(15) - 1;
        let error = parse_with(columns(count), &values[..shorter].join(",")).0.unwrap_err();
        assert_eq!((error.column as usize, error.kind), (shorter, RowErrorKind::Missing));
    }
}

#[test]
fn rows_of_a_newer_schema_lose_unknown_columns() {
    let newer = Columns::from_header(format!("{HEADER},x,y").as_bytes()).unwrap();
    for extra in ["", ",7", ",7,8", ",7,8,9"] {
        assert!(parse_with(newer, &format!("{ROW}{extra}")).0.is_ok());
        assert!(parse_with(columns(18), &format!("{ROW}{extra}")).0.is_ok(), "as Kea does");
    }
}

#[test]
fn escapes_in_hostname_and_user_context() {
    put(
        &row(&[(Column::Hostname, "a&#x26b&#x2Cc."), (Column::Hwaddr, ""), (Column::UserContext, "")]),
        |lease| {
            assert_eq!(lease.options, b"\0\x27\0\x08\x01\x05a&b,c\0");
        },
    );
    let relay = "{\"ISC\":{\"relay-info\":[{\"hop\":0&#x2c\"link\":\"::\"&#x2c\"peer\":\"::&#x31\"}]}}";
    put(&row(&[(Column::Hostname, ""), (Column::Hwaddr, ""), (Column::UserContext, relay)]), |lease| {
        assert_eq!(lease.options[..4], [0, 47, 0, 50]);
        assert_eq!(lease.options.last(), Some(&0x31_u8.wrapping_sub(b'0')));
    });
}

#[test]
fn unusable_extras_cost_only_themselves() {
    let long_hwaddr = vec!["01"; 21].join(":");
    for (column, value, codes, left_out) in [
        (Column::Hostname, "a..b", vec![79, 47], LeftOut { client_fqdn: 1, ..LeftOut::default() }),
        (Column::Hostname, "h\u{fc}lse", vec![79, 47], LeftOut { client_fqdn: 1, ..LeftOut::default() }),
        (Column::Hwaddr, "ff:x", vec![39, 47], LeftOut { link_layer_address: 1, ..LeftOut::default() }),
        (Column::Hwaddr, &long_hwaddr, vec![39, 47], LeftOut { link_layer_address: 1, ..LeftOut::default() }),
        (
            Column::UserContext,
            "{\"ISC\":{\"relay-info\":[{}]}}",
            vec![39, 79],
            LeftOut { relay_data: 1, ..LeftOut::default() },
        ),
    ] {
        let (batch, counted) = parse_with(columns(18), &row(&[(column, value)]));
        assert_eq!(counted, left_out, "{value}");
        let batch = batch.unwrap();
        let Some(Change::Put(lease)) = batch.changes().next() else { panic!("{value}: no lease") };
        assert_eq!(option_codes(lease.options), codes, "{value}");
    }
}

/// A parser that has seen rows reads the next one as a new parser does.
#[test]
fn rows_before_change_nothing() {
    let other = "{\"ISC\":{\"relays\":[{\"hop\":1&#x2c\"link\":\"::2\"&#x2c\"peer\":\"::1\"}]}}";
    let columns = columns(18);
    let kea = row(&[]).split(',').nth(Column::UserContext as usize).unwrap().to_owned();
    // As long as the one above, so that only its content tells them apart.
    let alike = other.replace("::2", "::3");
    let contexts = [kea.as_str(), other, &alike, "", "{ \"relay", "{\"ISC\":{\"relays\":[{}]}}", "{}"];
    let duids = ["00:03:00:01:ff:ff:ff:ff:ff:01", "00:03:00:01:ff:ff:ff:ff:ff:02", "zz", "", "00"];
    let mut parser = RowParser::new();
    for n in 0..2_000_usize {
        // Each pair of neighbours comes up: one walks fast at even rows, the other slowly at odd ones.
        let pick = |of: usize| if n % 2 == 0 { n / 2 % of } else { n / 2 / of % of };
        let (context, duid) = (contexts[pick(contexts.len())], duids[pick(duids.len())]);
        let hostname = if n % 7 == 0 { "host" } else { "" };
        let changes = [
            (Column::UserContext, context),
            (Column::Duid, duid),
            (Column::Hostname, hostname),
            (Column::Hwaddr, ""),
        ];
        let (mut batch, row) = (Batch::new(), row(&changes));
        let result = parser.parse(columns, row.as_bytes(), &mut batch);
        let (expected, left_out) = parse_with(columns, &row);
        assert_eq!(parser.take_left_out(), left_out, "{row}");
        match expected {
            Ok(expected) => assert!(result.is_ok() && batch.changes().eq(expected.changes()), "{row}"),
            Err(error) => assert_eq!(result, Err(error), "{row}"),
        }
    }
}

#[test]
fn faults_name_the_column() {
    let error = parse_with(columns(18), &row(&[(Column::Iaid, "x")])).0.unwrap_err();
    assert_eq!(error.to_string(), "iaid is not a number, or too large");
}

proptest::proptest! {
    #[test]
    fn no_row_makes_the_parser_panic(
        changes in proptest::collection::vec((0usize..18, "[-+0-9a-f:,{}\"&#x% \\[\\]\\x00é]{0,30}"), 0..6),
        cut in 0usize..400,
    ) {
        let mut values: Vec<_> = ROW.split(',').map(str::to_owned).collect();
        for (column, value) in changes {
            values[column] = value;
        }
        let row = values.join(",");
        let cut = cut.min(row.len());
        no_panic(&row.as_bytes()[..cut]);
    }

    #[test]
    fn no_octets_make_the_parser_panic(octets in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        no_panic(&octets);
        no_panic(&[b"2001:db8::,", &octets[..]].concat());
    }
}

/// A row gives the expected lease, and the index takes it.
fn no_panic(row: &[u8]) {
    let mut batch = Batch::new();
    let result = RowParser::new().parse(columns(18), row, &mut batch);
    let is_unreadable = batch.changes().any(|change| matches!(change, Change::Unreadable { .. }));
    assert!(batch.len() <= 2 && (result.is_err() || !batch.is_empty() && !is_unreadable));
    lqd_index::Writer::new().0.apply(&batch);
}

fn option_codes(mut options: &[u8]) -> Vec<u8> {
    let mut codes = Vec::new();
    while let [_, code, high, low, rest @ ..] = options {
        codes.push(*code);
        options = &rest[usize::from(u16::from_be_bytes([*high, *low]))..];
    }
    codes
}
