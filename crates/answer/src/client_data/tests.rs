//! OPTION_CLIENT_DATA without a query, checked against octets written by hand (RFC 5007 §4.1.2.2, §4.4.2).

use lqd_index::{Batch, Lease, Links, Lookup, Writer as IndexWriter};
use lqd_wire::DATAGRAM_LEN_MAX;

use super::*;

/// OPTION_CLIENT_FQDN as stored by the lease source.
const FQDN: [u8; 7] = [0, 39, 0, 3, 0, 1, b'a'];

#[test]
fn client_data_is_written_without_a_datagram() {
    let address = "2001:db8::1".parse().unwrap();
    let mut batch = Batch::new();
    batch
        .put(&Lease {
            address,
            prefix_len: 128,
            kind: LeaseKind::Address,
            duid: &[0, 3, 0, 1, 9],
            valid_lifetime: 100,
            preferred_lifetime: 50,
            cltt: 1000,
            subnet_id: 1,
            options: &FQDN,
        })
        .unwrap();
    let (mut writer, store) = IndexWriter::new();
    writer.replace(&[batch], None);
    let mut reader = store.reader().unwrap();
    let leases = reader.pin();
    let found = leases.find(Lookup::Covering(address), 1010);
    let client = found.unwrap().client;
    let (links, rights) = (Links::default(), Rights::NONE);
    let view = View::new(&links, &rights, None);

    let mut slot = [0; DATAGRAM_LEN_MAX];
    let mut write = |codes: &[u8]| {
        let mut w = Writer::new(&mut slot);
        let requested = Requested { codes: OptionRequest::parse(codes).unwrap(), rights: &rights };
        write(&mut w, &view, 1010, &client, &OnLinks::Whole, requested).unwrap();
        w.written().to_vec()
    };
    let bindings = [
        &[0, 1, 0, 5, 0, 3, 0, 1, 9][..],
        &[0, 5, 0, 24, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 40, 0, 0, 0, 90],
        &[0, 46, 0, 4, 0, 0, 0, 10],
    ]
    .concat();
    assert_eq!(write(&[]), [&[0, 45, 0, 45][..], &bindings].concat());
    assert_eq!(write(&[0, 39]), [&[0, 45, 0, 52][..], &bindings, &FQDN].concat());
}
