//! One row of Kea's lease file, as far as queries and their answers need it.
//!
//! A reader of its own, not that of lqd: a tool that judges a server must not share the server's mistakes.

use std::net::Ipv6Addr;

use memchr::memchr;

use super::{Kind, Lease, NEVER};

/// Columns that every schema has, by which a lease file is known (`csv_lease_file6.cc`).
const COLUMNS: [&str; 12] = [
    "address",
    "duid",
    "valid_lifetime",
    "expire",
    "subnet_id",
    "pref_lifetime",
    "lease_type",
    "iaid",
    "prefix_len",
    "fqdn_fwd",
    "fqdn_rev",
    "hostname",
];

/// Columns of a row up to `state`, the last of interest; hwaddr lies between.
const COLUMNS_WITH_STATE: usize = COLUMNS.len() + 2;

/// What a row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) lease: Lease,
    /// The lease is assigned; otherwise the row takes away what was at its address.
    pub(super) assigned: bool,
}

/// Says what is wrong with a header line, if it is not that of a lease file.
pub(super) fn check_header(line: &[u8]) -> Result<(), String> {
    let mut names = line.split(|&octet| octet == b',');
    for (position, expected) in COLUMNS.iter().enumerate() {
        match names.next() {
            Some(name) if name == expected.as_bytes() => {}
            Some(name) => {
                let name: String = String::from_utf8_lossy(name).chars().take(40).collect();
                return Err(format!("column {} is {name:?}, not {expected:?}", position + 1));
            }
            None => return Err(format!("the first line ends before column {} ({expected:?})", position + 1)),
        }
    }
    Ok(())
}

/// Reads a row, and its DUID into `duid`; an error is the column that cannot be read.
pub(super) fn parse(line: &[u8], duid: &mut Vec<u8>) -> Result<Row, &'static str> {
    let mut values: [&[u8]; COLUMNS_WITH_STATE] = [&[]; COLUMNS_WITH_STATE];
    let mut rest = Some(line);
    for (position, value) in values.iter_mut().enumerate() {
        let Some(octets) = rest else {
            // Older schemas end after hostname: whatever they hold is assigned.
            if position < COLUMNS.len() {
                return Err("a missing column");
            }
            break;
        };
        let end = memchr(b',', octets);
        *value = &octets[..end.unwrap_or(octets.len())];
        rest = end.map(|end| &octets[end + 1..]);
    }
    let [address, duid_text, valid, expire, subnet_id, preferred, lease_type, _, prefix_len, .., state] =
        values;
    let address = parsed::<Ipv6Addr>(address).ok_or("address")?;
    let valid = number::<u32>(valid).ok_or("valid_lifetime")?;
    let expire = number::<u64>(expire).ok_or("expire")?;
    let kind = match lease_type {
        b"0" | b"1" => Kind::Address,
        b"2" => Kind::Prefix(number::<u8>(prefix_len).filter(|&len| len <= 128).ok_or("prefix_len")?),
        _ => return Err("lease_type"),
    };
    let assigned = valid > 0 && matches!(state, b"0" | b"");
    if !unhex(duid_text, duid) && assigned {
        return Err("duid");
    }
    let preferred = number::<u32>(preferred).ok_or("pref_lifetime")?;
    let subnet_id = number(subnet_id).ok_or("subnet_id")?;
    // Kea writes cltt + valid lifetime, modulo 2^32 or not where that is infinite. What ended before 1970 + valid
    // lifetime is as long over with a shorter one.
    let valid =
        if valid == NEVER { valid } else { u32::try_from(expire).map_or(valid, |expire| valid.min(expire)) };
    let cltt = (expire as u32).wrapping_sub(valid);
    let address = first_of(address, kind);
    Ok(Row { lease: Lease { kind, address, cltt, valid, preferred, subnet_id }, assigned })
}

/// The first address of the prefix in which this address is.
fn first_of(address: Ipv6Addr, kind: Kind) -> Ipv6Addr {
    match kind {
        Kind::Address => address,
        Kind::Prefix(len) => {
            let network = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & network)
        }
    }
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    // `FromStr` takes a sign, the file has none.
    text.first().filter(|first| first.is_ascii_digit())?;
    parsed(text)
}

fn parsed<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Reads `01:ab:…`, 1 to 130 octets.
fn unhex(text: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let digit = |octet: u8| char::from(octet).to_digit(16).map(|digit| digit as u8);
    for pair in text.split(|&octet| octet == b':') {
        let &[high, low] = pair else { return false };
        let (Some(high), Some(low)) = (digit(high), digit(low)) else { return false };
        out.push(high << 4 | low);
    }
    lqd_wire::Duid::new(out).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = "2001:db8::1,00:03:aB,4000,1700004000,7,3000,0,9,128,0,0,host,,0,,,,0";

    fn read(row: &str) -> Result<(Row, Vec<u8>), &'static str> {
        let mut duid = vec![9];
        parse(row.as_bytes(), &mut duid).map(|row| (row, duid))
    }

    #[test]
    fn an_address_and_a_prefix() {
        let (row, duid) = read(ROW).unwrap();
        assert_eq!(duid, [0, 3, 0xab]);
        let address = "2001:db8::1".parse().unwrap();
        let (cltt, valid, preferred) = (1_700_000_000, 4000, 3000);
        let lease = Lease { kind: Kind::Address, address, cltt, valid, preferred, subnet_id: 7 };
        assert_eq!(row, Row { lease, assigned: true });
        let prefix =
            read("2001:db8:1:2ff::,00:03:ab,4294967295,5994967295,7,3000,2,9,56,0,0,").unwrap().0.lease;
        assert_eq!((prefix.kind, prefix.cltt), (Kind::Prefix(56), 1_700_000_000));
        assert_eq!((prefix.expire(), prefix.deprecated()), (NEVER, 1_700_003_000));
        assert_eq!(prefix.address, "2001:db8:1:200::".parse::<Ipv6Addr>().unwrap(), "host bits are cleared");
    }

    #[test]
    fn what_takes_a_lease_away() {
        for (what, row) in [
            ("valid lifetime 0", ROW.replace("4000,17", "0,17")),
            ("declined", ROW.replace("host,,0", "host,,1")),
            ("declined, and whose is unknown", ROW.replace("host,,0", "host,,1").replace("00:03:aB", "")),
            ("expired and reclaimed", ROW.replace("host,,0", "host,,2")),
        ] {
            assert!(!read(&row).unwrap().0.assigned, "{what}");
        }
    }

    #[test]
    fn unreadable_rows_name_the_column() {
        for (row, column) in [
            (ROW.replace("2001:db8::1", "2001:db8::g"), "address"),
            (ROW.replace("2001:db8::1", "10.0.0.1"), "address"),
            (ROW.replace("00:03:aB", "00:3:ab"), "duid"),
            (ROW.replace("00:03:aB", ""), "duid"),
            (ROW.replace("00:03:aB", &["00"; 131].join(":")), "duid"),
            (ROW.replace(",4000", ",-4000"), "valid_lifetime"),
            (ROW.replace(",4000", ",4294967296"), "valid_lifetime"),
            (ROW.replace("1700004000", "+1"), "expire"),
            (ROW.replace(",7,", ",,"), "subnet_id"),
            (ROW.replace(",3000,", ",-1,"), "pref_lifetime"),
            (ROW.replace(",0,9,", ",4,9,"), "lease_type"),
            (ROW.replace(",0,9,128", ",2,9,129"), "prefix_len"),
            ("2001:db8::1,00:03".to_owned(), "a missing column"),
            (String::new(), "a missing column"),
        ] {
            assert_eq!(read(&row).map(|_| ()), Err(column), "{row}");
        }
    }

    #[test]
    fn headers() {
        let all = COLUMNS.join(",");
        assert_eq!(check_header(all.as_bytes()), Ok(()));
        assert_eq!(check_header(format!("{all},hwaddr,state").as_bytes()), Ok(()));
        let missing = check_header(b"address,duid").unwrap_err();
        assert_eq!(missing, "the first line ends before column 3 (\"valid_lifetime\")");
        let other = check_header(b"address,hwaddr,client_id").unwrap_err();
        assert_eq!(other, "column 2 is \"hwaddr\", not \"duid\"");
    }
}
