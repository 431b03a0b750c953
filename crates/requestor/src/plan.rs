//! The servers to query, and the next ones if these fail (RFC 5007 §4.3.2).
//!
//! The RFC leaves the failure policy to the requestor and names three: another server, multicast, or giving
//! up. A plan is a list of stages: all servers of a stage are queried at once and their answers merged; the
//! next stage follows only if no server of this one gave a conclusive answer. Every policy is such a list.

use std::net::{Ipv6Addr, SocketAddrV6};

use lqd_wire::SERVER_PORT;

/// All servers of a site (RFC 8415 §7.1), the default destination of RFC 5007.
pub const ALL_DHCP_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 3);

/// All relay agents and servers of a link (RFC 8415 §7.1).
pub const ALL_DHCP_RELAY_AGENTS_AND_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);

/// Destinations, in stages.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Plan(Vec<Vec<SocketAddrV6>>);

impl Plan {
    /// Queries one server.
    pub fn server(server: SocketAddrV6) -> Self {
        Self(vec![vec![server]])
    }

    /// Queries all servers at once and merges their answers.
    pub fn together(servers: impl IntoIterator<Item = SocketAddrV6>) -> Self {
        let mut stage: Vec<SocketAddrV6> = Vec::new();
        for server in servers {
            // A server that is listed twice is queried once.
            if !stage.contains(&server) {
                stage.push(server);
            }
        }
        Self(vec![stage])
    }

    /// Queries one server after the other until one gives a conclusive answer.
    pub fn in_turn(servers: impl IntoIterator<Item = SocketAddrV6>) -> Self {
        Self(servers.into_iter().map(|server| vec![server]).collect())
    }

    /// Queries a group on the interface with this index: [`ALL_DHCP_SERVERS`] or
    /// [`ALL_DHCP_RELAY_AGENTS_AND_SERVERS`].
    pub fn multicast(group: Ipv6Addr, interface: u32) -> Self {
        Self::server(SocketAddrV6::new(group, SERVER_PORT, 0, interface))
    }

    /// Continues with another plan if this one fails.
    #[must_use]
    pub fn or_else(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Whether there is no server to query.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Vec::is_empty)
    }

    pub(crate) fn into_stages(self) -> Vec<Vec<SocketAddrV6>> {
        self.0.into_iter().filter(|stage| !stage.is_empty()).collect()
    }
}
