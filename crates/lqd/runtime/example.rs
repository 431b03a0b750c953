//! A query to try, for those who have no requestor at hand: a shell command that needs nothing but bash.

use std::fmt::Write;
use std::net::{Ipv6Addr, SocketAddrV6};

use lqd_feed::Report;
use lqd_wire::{IaAddress, MessageType, NoRoomError, OptionCode, QueryType, TransactionId, Writer};

use crate::log;

/// The DUID of the example's requestor: DUID-LL with the documentation MAC address (RFC 7042 §2.1.2).
const REQUESTOR: [u8; 10] = [0, 3, 0, 1, 0x00, 0x00, 0x5e, 0x00, 0x53, 0x01];

/// Prints a query for one of the leases of the first load, if there is one.
pub(crate) fn print(addresses: &[SocketAddrV6], report: &Report) {
    let (Some(server), Some(address)) = (addresses.first(), report.example) else { return };
    let mut buffer = [0; 128];
    let mut w = Writer::new(&mut buffer);
    if write(&mut w, address).is_err() {
        return;
    }
    let octets = w.written().iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "\\x{octet:02x}");
        text
    });
    let host = if server.ip().is_unspecified() { Ipv6Addr::LOCALHOST } else { *server.ip() };
    let port = server.port();
    let mut text = format!("\nWho holds {address}? In another shell (bash), ask:\n\n");
    // `dd` on both sides: what bash itself writes would be cut at each newline octet.
    let _ = writeln!(
        text,
        "exec 3<>/dev/udp/{host}/{port}; printf '{octets}' | dd bs=4k iflag=fullblock status=none >&3; \
         timeout 1 dd bs=64k count=1 status=none <&3 | od -An -tx1; exec 3>&-\n"
    );
    text +=
        "The reply begins with 0f; 00 2d begins OPTION_CLIENT_DATA with the client's DUID and leases.\n\n";
    log::say(text.as_bytes());
}

fn write(w: &mut Writer<'_>, address: Ipv6Addr) -> Result<(), NoRoomError> {
    w.header(MessageType::LEASEQUERY, TransactionId([1, 2, 3]))?;
    w.option(OptionCode::CLIENTID, |w| w.put(&REQUESTOR))?;
    w.option(OptionCode::LQ_QUERY, |w| {
        w.put(&[QueryType::BY_ADDRESS.0])?;
        w.put(&Ipv6Addr::UNSPECIFIED.octets())?;
        IaAddress { address, preferred_lifetime: 0, valid_lifetime: 0 }.write(w)
    })
}
