//! Lists of addresses and DUIDs, for servers whose leases are not available: answers cannot be verified.

use std::io::{BufRead, BufReader};
use std::net::Ipv6Addr;
use std::path::Path;

use super::{Clients, Lease, LeaseKind};
use crate::error::Error;
use crate::value::DuidArgument;

/// Reads a list: an address, or a DUID in hexadecimal with colons, on each line; empty lines and `#` comments
/// are skipped.
///
/// Text that could be both, `20:01:0d:b8:00:00:00:01`, is a DUID: addresses are not written so.
pub(crate) fn read_list(path: &Path) -> Result<Clients, Error> {
    let file = std::fs::File::open(path).map_err(Error::file(path))?;
    let (mut addresses, mut duids) = (Vec::new(), Vec::new());
    for (number, line) in (1_u64..).zip(BufReader::new(file).lines()) {
        let line = line.map_err(Error::file(path))?;
        // Neither addresses nor DUIDs contain #.
        let text = line.split('#').next().unwrap_or_default().trim();
        if text.is_empty() {
            continue;
        }
        // Tried first: a DUID of eight octets also parses as an address.
        if let Ok(DuidArgument(duid)) = text.parse() {
            duids.push(duid);
        } else if let Ok(address) = text.parse::<Ipv6Addr>() {
            addresses.push(address);
        } else {
            // Enough to recognize the line.
            let text = text.chars().take(60).collect();
            return Err(Error::List { path: path.to_owned(), line: number, text });
        }
    }
    // An empty list would draw queries from nothing.
    if addresses.is_empty() && duids.is_empty() {
        return Err(Error::EmptyList(path.to_owned()));
    }
    of(&addresses, &duids)
}

fn of(addresses: &[Ipv6Addr], duids: &[Vec<u8>]) -> Result<Clients, Error> {
    let mut clients = Clients { leases: addresses.len() as u64, ..Clients::default() };
    for &address in addresses {
        clients.starts.push(clients.end()?);
        clients.records.extend([0; 5]); // no DUID, no expired lease
        // The list has no times, so lifetimes are never judged.
        let (cltt, valid, preferred) = (0, super::NEVER, super::NEVER);
        Lease { kind: LeaseKind::Address, address, cltt, valid, preferred, subnet_id: 0 }
            .pack(&mut clients.records);
    }
    let first_duid = clients.starts.len() as u32;
    // A DUID without leases stands for itself.
    for duid in duids {
        clients.starts.push(clients.end()?);
        clients.records.push(duid.len() as u8); // at most 130
        clients.records.extend_from_slice(duid);
        clients.records.extend([0; 4]);
    }
    let end = clients.starts.len() as u32;
    clients.starts.push(clients.end()?);
    // Both ranges are disjoint: the list does not tell whose an address is.
    (clients.with_address, clients.with_duid) = (0..first_duid, first_duid..end);
    Ok(clients)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Result<Clients, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("list");
        std::fs::write(&path, text).unwrap();
        read_list(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_and_duids_in_any_order() {
        let clients = list("# asked\n00:03:00:01\n\n 2001:db8::1 # one\n20:01:0d:b8:00:00:00:01\n").unwrap();
        assert_eq!((clients.with_address(), clients.with_duid(), clients.with_prefix()), (0..1, 1..3, 0..0));
        let address = clients.get(0).leases().next().unwrap().address;
        assert_eq!(address, "2001:db8::1".parse::<Ipv6Addr>().unwrap());
        assert_eq!(clients.get(1).duid, [0, 3, 0, 1]);
        // This text is an address as well, and counts as a DUID.
        assert_eq!(clients.get(2).duid, [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 1]);
        assert_eq!(clients.get(2).leases().count(), 0);
    }

    #[test]
    fn a_line_that_is_neither_is_named() {
        let error = list("2001:db8::1\n10.0.0.1\n").map(|_| ()).unwrap_err();
        assert!(error.contains(":2: \"10.0.0.1\" is neither"), "{error}");
        let error = list("# nothing\n").map(|_| ()).unwrap_err();
        assert!(error.ends_with("it lists no address and no DUID"), "{error}");
    }
}
