//! Random line of a lease file: a change or none, and a lease that the index accepts; after an error, at most
//! an unreadable address.
//!
//! The first octet is the number of columns of the header, 12 to 20: from the first schema of Kea to its
//! current one and beyond; the line follows.
#![no_main]
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::sync::Arc;

use libfuzzer_sys::{Corpus, fuzz_target};
use lqd_feed::kea_memfile::{Columns, RowParser};
use lqd_fuzz::OwnedLease;
use lqd_index::{Batch, Change, Lease, Lookup, Reader, Removal, Store, Writer};
use lqd_wire::Options;

const HEADER: &str = "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,\
    fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,hwaddr_source,pool_id,newer,newest";
const COLUMNS_MIN: usize = 12;
const COLUMNS_MAX: usize = 20;
const USER_CONTEXT: usize = 14;

/// State that a follower keeps between rows.
struct Feed {
    columns: Vec<Columns>,
    parser: RowParser,
    writer: Writer,
    store: Arc<Store>,
    reader: Reader,
}

impl Feed {
    fn new() -> Self {
        let names: Vec<_> = HEADER.split(',').collect();
        let columns = (COLUMNS_MIN..=COLUMNS_MAX)
            .map(|count| Columns::from_header(names[..count].join(",").as_bytes()).expect("a header of Kea"));
        let (writer, store) = Writer::new();
        let reader = store.reader().expect("the store has no reader yet");
        Self { columns: columns.collect(), parser: RowParser::new(), writer, store, reader }
    }

    /// Puts the only lease of a batch into the index, finds it, and removes it.
    fn store(&mut self, batch: &Batch, lease: &OwnedLease) {
        let applied = self.writer.apply(batch);
        // One lease in, none out.
        assert_eq!((applied.put, applied.removed), (1, 0));
        // Every lease is live in the second of its last transaction.
        let pinned = self.reader.pin();
        // Both ways of lookup must find it.
        for look_up in [Lookup::Covering(lease.address), Lookup::Duid(&lease.duid)] {
            let client = pinned.find(look_up, lease.cltt).expect("a lease that was just stored").client;
            assert!(client.has_duid(&lease.duid));
            let binding = client.bindings().next().expect("its only binding");
            // The index returns the first address of the prefix.
            let host_bits = u128::MAX.checked_shr(lease.prefix_len.into()).unwrap_or(0);
            assert_eq!(u128::from(binding.address), u128::from(lease.address) & !host_bits);
            assert_eq!(binding.prefix_len, lease.prefix_len);
            let mut options = Vec::new();
            for (_, option) in client.options(&binding).iter() {
                let start = options.len();
                options.resize(start + option.wire_len(), 0);
                option.copy_into(&mut options[start..]);
            }
            assert_eq!(options, lease.options);
        }
        drop(pinned);
        // Removed again, so that each input starts with an empty index.
        let mut removal = Batch::new();
        removal.remove(Removal::gone(lease.address));
        assert_eq!(self.writer.apply(&removal).removed, 1);
        let summary = self.store.summary();
        assert_eq!((summary.leases, summary.clients), (0, 0));
    }
}

fn judge_lease(feed: &mut Feed, lease: Lease<'_>) {
    assert_ne!(lease.valid_lifetime, 0, "that is a removal");
    check_options(lease.options);
    let mut batch = Batch::new();
    batch.put(&lease).expect("a lease that came from a batch");
    feed.store(&batch, &lease.into());
}

/// Checks that the options of a lease parse, each at most once.
fn check_options(options: &[u8]) {
    let mut codes = BTreeSet::new();
    for option in Options::new(options) {
        let (code, _) = option.expect("options that parse");
        // Each option at most once, as replies repeat none.
        assert!([39, 47, 79].contains(&code.0) && codes.insert(code), "{code:?} in {options:?}");
    }
}

/// The same row with a space, escaped as Kea does, before its `user_context`: the fast scanner then leaves it
/// to the general JSON parser, which must agree.
fn with_space(row: &[u8]) -> Vec<u8> {
    let values = row.split(|&octet| octet == b',').enumerate().map(|(position, value)| {
        // An empty value has no context to disturb.
        if position == USER_CONTEXT && !value.is_empty() {
            [b"&#x20", value].concat()
        } else {
            value.to_vec()
        }
    });
    values.collect::<Vec<_>>().join(&b',')
}

thread_local! {
    static FEED: RefCell<Feed> = RefCell::new(Feed::new());
}

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some((&columns, row)) = input.split_first() else { return Corpus::Reject };
    if row.is_empty() || row.contains(&b'\n') {
        return Corpus::Reject; // the caller cuts lines and skips empty ones
    }
    FEED.with_borrow_mut(|feed| {
        // The first octet chooses the schema.
        let columns = feed.columns[usize::from(columns) % feed.columns.len()];
        let mut batch = Batch::new();
        if let Err(fault) = feed.parser.parse(columns, row, &mut batch) {
            // A row with an error may only take certainty away.
            let is_unreadable = |change| matches!(change, Change::Unreadable { .. } | Change::Remove(_));
            assert!(batch.changes().all(is_unreadable), "a lease in spite of {fault}");
            assert!(!fault.to_string().is_empty());
            return;
        }
        let mut spaced = Batch::new();
        // Both parsers must see the same row.
        feed.parser.parse(columns, &with_space(row), &mut spaced).expect("as faultless as without the space");
        let changes: Vec<_> = batch.changes().collect();
        assert_eq!(spaced.changes().collect::<Vec<_>>(), changes);
        // Kea ends a text at a NUL.
        let written = row.split(|&octet| octet == b',' || octet == 0).next().expect("a first value");
        let address: Ipv6Addr =
            str::from_utf8(written).ok().and_then(|text| text.parse().ok()).expect("an address");
        match *changes {
            [Change::Remove(removal)] => assert_eq!(removal.address, address),
            [Change::Put(lease)] => {
                assert_eq!(lease.address, address);
                judge_lease(feed, lease);
            }
            _ => panic!("{changes:?}"),
        }
    });
    Corpus::Keep
});
