use super::*;
use lqd_index::Change;

const HEADER: &str = "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,\
                      prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,\
                      hwaddr_source,pool_id";

/// A row of Kea with all columns in use.
const ROW: &str = "2001:db8:1::2,00:03:00:01:ff:ff:ff:ff:ff:01,4000,1700004000,1,3000,0,1234,128,\
                   1,0,host.example,ff:ff:ff:ff:ff:01,0,\
                   { \"ISC\": { \"relay-info\": [ { \"hop\": 0&#x2c \"link\": \
                   \"2001:db8:1::1\"&#x2c \"peer\": \"fe80::1\" } ] } },6,2,0";

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

/// What became of one row: the change in words, or the fault; and the options left out.
fn parse_with(columns: Columns, row: &str) -> (Result<Batch, RowFault>, LeftOut) {
    let mut parser = RowParser::new();
    let mut batch = Batch::new();
    let result = parser.parse(columns, row.as_bytes(), &mut batch);
    assert_eq!(batch.len(), usize::from(result.is_ok()), "exactly one change or none: {row}");
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
fn whatever_is_no_binding_is_a_removal() {
    let no_duid = (Column::Duid, "00:00:00");
    for changes in [
        &[(Column::ValidLifetime, "0")][..],
        &[(Column::ValidLifetime, "0"), (Column::State, "3")],
        &[(Column::ValidLifetime, "0"), no_duid],
        &[(Column::State, "1"), no_duid],
        &[(Column::State, "1"), (Column::Duid, "00")],
        &[(Column::State, "2")],
        &[(Column::State, "3")],
        &[(Column::State, "4")],
    ] {
        let (batch, _) = parse_with(columns(18), &row(changes));
        let removal = Change::Remove("2001:db8:1::2".parse().unwrap());
        assert_eq!(batch.unwrap().changes().collect::<Vec<_>>(), [removal], "{changes:?}");
    }
}

#[test]
fn every_column_has_its_fault() {
    use Column::*;
    let long_duid = vec!["01"; 131].join(":");
    let rows: &[(Column, &str, What)] = &[
        (Address, "", What::NotAnAddress),
        (Address, "192.0.2.1", What::NotAnAddress),
        (Address, "2001:db8::/56", What::NotAnAddress),
        (Duid, "00:0g", What::NotHexadecimal),
        (Duid, "", What::EmptyDuid),
        (Duid, "00", What::EmptyDuid),
        (Duid, "00:00:00", What::EmptyDuid),
        (Duid, &long_duid, What::Lease(LeaseFault::DuidLength(131))),
        (ValidLifetime, "", What::NotANumber),
        (ValidLifetime, "4294967296", What::NotANumber),
        (Expire, "-1", What::NotANumber),
        (Expire, "18446744073709551616", What::NotANumber),
        (SubnetId, "one", What::NotANumber),
        (PrefLifetime, "3000 ", What::NotANumber),
        (LeaseType, "3", What::UnknownLeaseType),
        (LeaseType, "IA_NA", What::NotANumber),
        (Iaid, "-7", What::NotANumber),
        (PrefixLen, "256", What::NotANumber),
        (FqdnFwd, "2", What::NotABoolean),
        (FqdnRev, "", What::NotABoolean),
        (State, "5", What::UnknownState),
        (State, "", What::NotANumber),
        (Hwtype, "65536", What::NotANumber),
        (HwaddrSource, "x", What::NotANumber),
        (PoolId, "4294967296", What::NotANumber),
    ];
    for &(column, value, what) in rows {
        let (batch, _) = parse_with(columns(18), &row(&[(column, value)]));
        assert_eq!(batch.unwrap_err(), RowFault { column, what }, "{value:?}");
    }
}

#[test]
fn faulty_prefixes() {
    let prefix = |address, prefix_len| {
        let changes = [(Column::Address, address), (Column::LeaseType, "2"), (Column::PrefixLen, prefix_len)];
        parse_with(columns(18), &row(&changes)).0.unwrap_err()
    };
    let fault = |column, fault| RowFault { column, what: What::Lease(fault) };
    assert_eq!(prefix("2001:db8::1", "56"), fault(Column::Address, LeaseFault::HostBits));
    assert_eq!(prefix("2001:db8::", "0"), fault(Column::PrefixLen, LeaseFault::PrefixLength(0)));
    assert_eq!(prefix("2001:db8::", "129"), fault(Column::PrefixLen, LeaseFault::PrefixLength(129)));
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
            12 => assert_eq!(codes, [39]),
            13 | 14 => assert_eq!(codes, [39, 79]),
            _ => assert_eq!(codes, [39, 79, 47]),
        }
        if (13..16).contains(&count) {
            let start = 4 + 14; // after the FQDN option; no hwtype in this schema: Ethernet
            assert_eq!(lease.options[start..start + 6], [0, 79, 0, 8, 0, 1]);
        }
        let row_of_newer_schema = parse_with(columns(count), ROW).0;
        assert!(row_of_newer_schema.is_ok(), "Kea appends such rows until it has converted the file");
        let fault = parse_with(columns(count), &values[..count - 1].join(",")).0.unwrap_err();
        assert_eq!((fault.column as usize, fault.what), (count - 1, What::Missing));
    }
}

#[test]
fn rows_of_a_newer_schema_lose_what_is_not_known() {
    let newer = Columns::from_header(format!("{HEADER},x,y").as_bytes()).unwrap();
    for extra in ["", ",7", ",7,8"] {
        assert!(parse_with(newer, &format!("{ROW}{extra}")).0.is_ok());
    }
    let surplus = RowFault { column: Column::PoolId, what: What::Surplus };
    assert_eq!(parse_with(newer, &format!("{ROW},7,8,9")).0.unwrap_err(), surplus);
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
        (Column::UserContext, "{ \"relay", vec![39, 79], LeftOut { relay_data: 1, ..LeftOut::default() }),
    ] {
        let (batch, counted) = parse_with(columns(18), &row(&[(column, value)]));
        assert_eq!(counted, left_out, "{value}");
        let batch = batch.unwrap();
        let Some(Change::Put(lease)) = batch.changes().next() else { panic!("{value}: no lease") };
        assert_eq!(option_codes(lease.options), codes, "{value}");
    }
}

/// A parser that has seen rows makes of the next what a new one does, whatever it remembers.
#[test]
fn rows_before_change_nothing() {
    let other = "{\"ISC\":{\"relays\":[{\"hop\":1&#x2c\"link\":\"::2\"&#x2c\"peer\":\"::1\"}]}}";
    let columns = columns(18);
    let kea = row(&[]).split(',').nth(Column::UserContext as usize).unwrap().to_owned();
    // As long as the one above, so that only its content tells them apart.
    let alike = other.replace("::2", "::3");
    let contexts = [kea.as_str(), other, &alike, "", "{ \"relay", "{}"];
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
            Err(fault) => assert_eq!(result, Err(fault), "{row}"),
        }
    }
}

#[test]
fn faults_name_the_column() {
    let fault = parse_with(columns(18), &row(&[(Column::Iaid, "x")])).0.unwrap_err();
    assert_eq!(fault.to_string(), "iaid is not a number, or too large");
}

proptest::proptest! {
    #[test]
    fn no_row_makes_the_parser_panic(
        changes in proptest::collection::vec((0usize..18, "[0-9a-f:,{}\"&#xé]{0,30}"), 0..6),
        cut in 0usize..400,
    ) {
        let mut values: Vec<_> = ROW.split(',').map(str::to_owned).collect();
        for (column, value) in changes {
            values[column] = value;
        }
        let row = values.join(",");
        let cut = cut.min(row.len());
        let mut batch = Batch::new();
        let result = RowParser::new().parse(columns(18), &row.as_bytes()[..cut], &mut batch);
        proptest::prop_assert_eq!(batch.len(), usize::from(result.is_ok()));
    }
}

fn option_codes(mut options: &[u8]) -> Vec<u8> {
    let mut codes = Vec::new();
    while let [_, code, high, low, rest @ ..] = options {
        codes.push(*code);
        options = &rest[usize::from(u16::from_be_bytes([*high, *low]))..];
    }
    codes
}
