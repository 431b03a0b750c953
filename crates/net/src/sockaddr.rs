//! `sockaddr_in6` (RFC 3493 §3.3) as octets, which the kernel reads and writes inside larger buffers.

use std::net::{Ipv6Addr, SocketAddrV6};

/// Size of `sockaddr_in6`: family (2), port (2), flow info (4), address (16), scope id (4).
pub(crate) const NAME_LEN: usize = size_of::<libc::sockaddr_in6>();
const _: () = assert!(NAME_LEN == 28, "the offsets below are those of Linux");

const FAMILY: [u8; 2] = (libc::AF_INET6 as u16).to_ne_bytes();

/// Octets of `address` as the kernel takes them; replies carry no flow label.
pub(crate) fn encode(address: SocketAddrV6) -> [u8; NAME_LEN] {
    let mut name = [0; NAME_LEN];
    name[..2].copy_from_slice(&FAMILY);
    name[2..4].copy_from_slice(&address.port().to_be_bytes());
    name[8..24].copy_from_slice(&address.ip().octets());
    name[24..].copy_from_slice(&address.scope_id().to_ne_bytes());
    name
}

/// The address in `name`; `None` if truncated or of another family.
pub(crate) fn decode(name: &[u8]) -> Option<SocketAddrV6> {
    // The kernel may write a longer structure in the future; the known part comes first.
    let (name, _) = name.split_first_chunk::<NAME_LEN>()?;
    let &[f0, f1, p0, p1, _, _, _, _, ref rest @ ..] = name;
    let (address, scope) = rest.split_first_chunk::<16>()?;
    let scope = u32::from_ne_bytes(*scope.first_chunk()?);
    let port = u16::from_be_bytes([p0, p1]);
    // An IPv4 name in this structure would be read as nonsense.
    ([f0, f1] == FAMILY).then(|| SocketAddrV6::new(Ipv6Addr::from(*address), port, 0, scope))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// fe80::1%2 port 547 in Linux's layout; family and scope are in host order.
    fn hand_written() -> Vec<u8> {
        let mut name = 10_u16.to_ne_bytes().to_vec();
        name.extend([0x02, 0x23, 0, 0, 0, 0]);
        name.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        name.extend(2_u32.to_ne_bytes());
        name
    }

    #[test]
    fn reads_and_writes_the_kernels_layout() {
        let address: SocketAddrV6 = "[fe80::1%2]:547".parse().unwrap();
        assert_eq!(decode(&hand_written()), Some(address));
        assert_eq!(encode(address).as_slice(), hand_written());
    }

    #[test]
    fn refuses_every_truncation_and_other_families() {
        for len in 0..NAME_LEN {
            assert_eq!(decode(&hand_written()[..len]), None, "{len} octets");
        }
        let mut ipv4 = hand_written();
        ipv4[..2].copy_from_slice(&2_u16.to_ne_bytes());
        assert_eq!(decode(&ipv4), None);
    }
}
