//! The header line of a lease file, which gives the schema of its rows.
//!
//! Kea's columns have one fixed order; a new schema only appends. The header is compared name by name as Kea
//! does, so that a column is at its place or the file is refused; a lookup by name would accept
//! files that Kea does not write.

use memchr::memchr_iter;

use super::row::{RowError, RowErrorKind};

macro_rules! columns {
    ($($column:ident $name:literal $default:literal,)*) => {
        /// A column of Kea's lease file, in the file's order.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Column {
            $(#[doc = concat!("`", $name, "`")] $column,)*
        }

        const COLUMNS: &[Column] = &[$(Column::$column),*];
        const NAMES: [&str; COLUMNS.len()] = [$($name),*];
        /// Values of columns that an older schema does not have; empty for columns of every schema.
        const DEFAULTS: [&[u8]; COLUMNS.len()] = [$($default),*];
    };
}

columns! {
    Address "address" b"",
    Duid "duid" b"",
    ValidLifetime "valid_lifetime" b"",
    Expire "expire" b"",
    SubnetId "subnet_id" b"",
    PrefLifetime "pref_lifetime" b"",
    LeaseType "lease_type" b"",
    Iaid "iaid" b"",
    PrefixLen "prefix_len" b"",
    FqdnFwd "fqdn_fwd" b"",
    FqdnRev "fqdn_rev" b"",
    Hostname "hostname" b"",
    Hwaddr "hwaddr" b"",
    State "state" b"0",
    UserContext "user_context" b"",
    Hwtype "hwtype" b"1",
    HwaddrSource "hwaddr_source" b"0",
    PoolId "pool_id" b"0",
}

/// Columns of the first schema; a header with fewer is no lease file (Kea's `versioned_csv_file.cc`).
const COLUMNS_MIN: usize = 12;

impl Column {
    /// The name in the header line.
    pub fn name(self) -> &'static str {
        NAMES[self as usize]
    }
}

/// Columns that every row has to have where its file has them. Kea 2.2 does without the last, `hwtype` and
/// on, as it needs them for nothing but the hardware address; Kea 3.3 drops a row that is shorter than its
/// file's header. Such a row gives its lease completely, so it is kept.
const COLUMNS_NEEDED: usize = Column::UserContext as usize + 1;

/// Columns of the rows of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    count: usize,
    values_min: usize,
}

/// The reason why a header line is not that of a DHCPv6 lease file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Too few columns: this many.
    #[error("its first line names {0} columns, a lease file has {COLUMNS_MIN} or more")]
    TooFew(usize),
    /// Another name where this column belongs.
    #[error("column {} of its first line is {found:?}, expected {:?}", *.expected as usize + 1, .expected.name())]
    Name {
        /// The column that belongs there.
        expected: Column,
        /// The name found there, shortened to 40 characters.
        found: String,
    },
    /// The first line does not end.
    #[error("its first line does not end")]
    Endless,
}

impl Columns {
    /// Reads a header line (without its line end): 12 to 18 columns of an older or of Kea's current schema,
    /// or more.
    pub fn from_header(line: &[u8]) -> Result<Self, HeaderError> {
        let names = || line.split(|&octet| octet == b',');
        // Names beyond the known columns may be new in a later Kea, and are not compared.
        for (&expected, found) in COLUMNS.iter().zip(names()) {
            if found != expected.name().as_bytes() {
                // The name is shortened, as a wrong file may have no commas at all.
                let found = String::from_utf8_lossy(found).chars().take(40).collect();
                return Err(HeaderError::Name { expected, found });
            }
        }
        let count = names().count();
        if count < COLUMNS_MIN {
            return Err(HeaderError::TooFew(count));
        }
        Ok(Self { count, values_min: count.min(COLUMNS_NEEDED) })
    }

    /// Whether a header line of Kea begins so: it may still be written.
    pub(super) fn may_begin(head: &[u8]) -> bool {
        let names = COLUMNS.iter().map(|column| column.name()).collect::<Vec<_>>().join(",");
        names.as_bytes().starts_with(head)
    }

    /// Returns the number of blank lines in front of the header. Kea reads past them.
    pub(super) fn blank_lines(head: &[u8]) -> usize {
        head.iter().take_while(|&&octet| octet == b'\n').count()
    }

    /// Whether a row has a value, be it a part of one, in each column of its file.
    pub(super) fn are_all_in(&self, row: &[u8]) -> bool {
        memchr_iter(b',', row).count() + 1 >= self.count
    }

    /// Returns the start of the first value of the last row on a line, if there are enough values for one.
    /// The remains of a row before it may be part of that value.
    pub(super) fn last_row(&self, line: &[u8]) -> Option<usize> {
        let commas: Vec<usize> = memchr_iter(b',', line).collect();
        // Commas before the last row's are those of remains that a crash left on the line.
        let before = (commas.len() + 1).checked_sub(self.count)?;
        Some(before.checked_sub(1).map_or(0, |comma| commas[comma] + 1))
    }

    /// Splits a row: missing values are those of an older schema, values beyond the columns known here are
    /// dropped, however many there are, as by Kea.
    pub(super) fn split<'a>(&self, row: &'a [u8]) -> Result<Values<'a>, RowError> {
        let mut values = Values { values: DEFAULTS, has_surplus: false };
        let (mut start, mut count) = (0, 0);
        for end in memchr_iter(b',', row).chain([row.len()]) {
            // Surplus values are counted, and stored nowhere.
            if let Some(value) = values.values.get_mut(count) {
                *value = &row[start..end];
            }
            start = end + 1;
            count += 1;
        }
        // A row may be shorter than its header only in columns that no lease needs.
        if count < self.values_min {
            return Err(RowError { column: COLUMNS[count], kind: RowErrorKind::Missing });
        }
        values.has_surplus = count > self.count;
        Ok(values)
    }
}

/// A row, split into values.
pub(super) struct Values<'a> {
    values: [&'a [u8]; COLUMNS.len()],
    /// There are more values than the file has columns.
    pub(super) has_surplus: bool,
}

impl<'a> Values<'a> {
    /// The value as it stands in the file.
    pub(super) fn get(&self, column: Column) -> &'a [u8] {
        self.values[column as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(count: usize) -> String {
        let newer = (COLUMNS.len()..count).map(|position| format!("new_{position}"));
        NAMES.iter().map(|name| (*name).to_owned()).chain(newer).take(count).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn the_header_kea_writes() {
        let line = "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,\
                    fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,hwaddr_source,pool_id";
        assert_eq!(Columns::from_header(line.as_bytes()), Ok(Columns { count: 18, values_min: 15 }));
        assert_eq!(header(18), line);
    }

    #[test]
    fn every_schema_says_how_many_values_a_row_has() {
        for count in 12..=25 {
            let columns = Columns::from_header(header(count).as_bytes()).unwrap();
            for values in 1..30 {
                let row = vec!["7"; values].join(",");
                let fits = values >= count.min(15);
                match columns.split(row.as_bytes()) {
                    Ok(split) => {
                        assert!(fits, "{count} columns, {values} values");
                        let expected = if values < 18 { b"0" } else { b"7" };
                        assert_eq!(split.get(Column::PoolId), expected);
                    }
                    Err(RowError { column, kind }) => {
                        assert!(!fits, "{count} columns, {values} values");
                        assert_eq!((column as usize, kind), (values, RowErrorKind::Missing));
                    }
                }
            }
        }
    }

    #[test]
    fn other_headers_are_refused() {
        for count in 1..12 {
            assert_eq!(Columns::from_header(header(count).as_bytes()), Err(HeaderError::TooFew(count)));
        }
        let name = |expected, found: &str| Err(HeaderError::Name { expected, found: found.to_owned() });
        assert_eq!(Columns::from_header(b""), name(Column::Address, ""));
        assert_eq!(Columns::from_header(b"address,hwaddr,client_id"), name(Column::Duid, "hwaddr"));
        let swapped = header(18).replace("hwtype,hwaddr_source", "hwaddr_source,hwtype");
        assert_eq!(Columns::from_header(swapped.as_bytes()), name(Column::Hwtype, "hwaddr_source"));
        let windows = header(18) + "\r";
        assert_eq!(Columns::from_header(windows.as_bytes()), name(Column::PoolId, "pool_id\r"));
    }
}
