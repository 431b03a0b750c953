//! tshark as a second reader of an active query's messages.
//!
//! tshark 4.0 calls a LEASEQUERY-REPLY or LEASEQUERY-DATA without options malformed, and shows no value of
//! OPTION_LQ_BASE_TIME; so the query requests that option, and its value is checked elsewhere.

use libtest_mimic::{Failed, Trial};

use super::reader::query;
use super::row::Setup;
use super::server::start;
use crate::conformance::bulk::dissection::dissect;
use crate::support::fixture::rows_at;
use crate::support::{Connection, Need, Received, trial};

/// An address, a prefix of the same client, and the removal of the address.
const CHANGES: [&str; 3] = [
    "2001:db8:2::aa,00:03:00:01:02:00:00:00:00:aa,4294967295,4102444800,2,4294967295,0,1,128,0,0,,,0,,1,0,0",
    "2001:db8:aaaa::,00:03:00:01:02:00:00:00:00:aa,4294967295,4102444800,2,4294967295,2,1,56,0,0,,,0,,1,0,0",
    "2001:db8:2::aa,00:03:00:01:02:00:00:00:00:aa,0,4102444800,2,0,0,1,128,0,0,,,0,,1,0,0",
];

pub fn trials() -> Vec<Trial> {
    vec![trial("conformance::active::tshark", &[Need::Tshark], a_whole_stream)]
}

fn a_whole_stream() -> Result<(), Failed> {
    let server = start(Setup::Default)?;
    let mut connection = Connection::new(server.address);
    connection.send(&query("0006 { 0064 }"));
    let mut messages = vec![receive(&mut connection)?];
    for change in CHANGES {
        server.fixture.append_leases(&rows_at(change, 0));
        messages.push(receive(&mut connection)?);
    }
    server.lqd.signal("TERM");
    messages.push(receive(&mut connection)?);
    let dissected = dissect(&messages)?;
    assert_eq!(dissected.kinds, ["15", "17", "17", "17", "16"]);
    assert_eq!(dissected.transactions, ["ac 0001"; 5]);
    assert_eq!(dissected.addresses, ["2001:db8:2::aa"; 3]);
    assert_eq!(dissected.prefixes, ["2001:db8:aaaa::/56"; 2]);
    assert_eq!(dissected.complaints, [""; 0]);
    Ok(())
}

fn receive(connection: &mut Connection) -> Result<Vec<u8>, Failed> {
    match connection.receive() {
        Received::Message(message) => Ok(message),
        other => Err(format!("{other:?}").into()),
    }
}
