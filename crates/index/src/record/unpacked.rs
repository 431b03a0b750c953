//! Reading a record back, for the writer.

use std::net::Ipv6Addr;
use std::ops::Range;

use super::{Binding, Client};
use crate::lease::Lease;
use crate::octets::{copy_octets, load};
use crate::options::block_len;
use crate::written::Written;

impl<'a> Client<'a> {
    /// Iterates over the bindings, with their addresses as written.
    pub(crate) fn as_written(self, written: &Written) -> impl Iterator<Item = (Ipv6Addr, Binding)> {
        let mut bindings = self.bindings();
        std::iter::from_fn(move || {
            // Bindings and their written addresses are read together, as only the packed form has the number.
            let packed = bindings.next_packed()?;
            let address = written.address(packed.address().into(), packed.number());
            Some((address.into(), packed.unpack()))
        })
    }
}

/// A record read back into leases, their options still blocks, for the writer. Reused, it keeps its memory.
#[derive(Default)]
pub(crate) struct Unpacked {
    /// The DUID, then option blocks.
    octets: Vec<u8>,
    duid_len: usize,
    /// Bindings, with their addresses as written, and the position of their options in `octets`.
    bindings: Vec<(Binding, Range<usize>)>,
    /// The block that was read last, and where it is in `octets`.
    last: (u32, Range<usize>),
}

impl Unpacked {
    /// Reads a record; none gives no leases.
    pub(crate) fn read(&mut self, client: Option<Client<'_>>, written: &Written) {
        self.clear();
        let Some(client) = client else { return };
        self.start(client);
        for (address, binding) in client.as_written(written) {
            self.push(client, Binding { address, ..binding });
        }
    }

    pub(crate) fn clear(&mut self) {
        self.octets.clear();
        self.duid_len = 0;
        self.bindings.clear();
        self.last = (0, 0..0);
    }

    /// Adds the lease with this address as written from another record of the same client.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn add(&mut self, client: Client<'_>, address: Ipv6Addr, written: &Written) {
        // The first lease brings the DUID of all.
        if self.bindings.is_empty() {
            self.start(client);
        }
        // Another record's blocks are others.
        self.last = (0, 0..0);
        let (first, number) = written.place(address.into());
        let binding = client.binding_from(first, number).expect("the record has the lease");
        self.push(client, Binding { address, ..binding });
    }

    fn start(&mut self, client: Client<'_>) {
        self.duid_len = client.duid_len();
        self.octets.resize(self.duid_len, 0);
        client.copy_duid(&mut self.octets);
    }

    fn push(&mut self, client: Client<'_>, binding: Binding) {
        // Equal options share a block, so a block that was just copied is not copied again.
        if binding.block != 0 && binding.block != self.last.0 {
            let start = self.octets.len();
            let block = &client.words[binding.block as usize..];
            self.octets.resize(start + block_len(load(block, 0)), 0);
            copy_octets(block, 0, &mut self.octets[start..]);
            self.last = (binding.block, start..self.octets.len());
        }
        let options = if binding.block == 0 { 0..0 } else { self.last.1.clone() };
        self.bindings.push((binding, options));
    }

    /// The client's DUID.
    pub(crate) fn duid(&self) -> &[u8] {
        &self.octets[..self.duid_len]
    }

    pub(crate) fn leases(&self) -> impl Iterator<Item = Lease<'_>> {
        self.bindings.iter().map(|(binding, options)| Lease {
            address: binding.address,
            prefix_len: binding.prefix_len,
            kind: binding.kind,
            duid: self.duid(),
            valid_lifetime: binding.valid_lifetime,
            preferred_lifetime: binding.preferred_lifetime,
            cltt: binding.cltt,
            subnet_id: binding.subnet_id,
            options: &self.octets[options.clone()],
        })
    }
}
