//! Counters of all threads, updated once a buffer or connection.

use std::sync::atomic::{AtomicU64, Ordering};

/// Declares an enum whose variants have a name in metrics.
macro_rules! named {
    ($(#[$attribute:meta])* $enum:ident { $($variant:ident => $name:literal, $doc:literal;)+ }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $enum {
            $(#[doc = $doc] $variant,)+
        }

        impl $enum {
            /// All variants; the position is `variant as usize`.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the name in metrics and logs.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

named! {
    /// Reason for closing a connection before anything was read.
    Refused {
        NotAllowed => "not_allowed", "The service wants no connection from this source.";
        Full => "full", "All connections are in use.";
        LastSlot => "last_slot", "One connection is left, and kept for an address that has none.";
        PerRequestor => "per_requestor", "The address has as many connections as one may have.";
    }
}

named! {
    /// Reason for the end of a connection that had a session.
    Closed {
        ByPeer => "by_peer", "The peer sent its last octet, and has been sent everything owed.";
        BySession => "by_session", "The session closed it, mostly for an error of the protocol.";
        Reset => "reset", "The peer reset it, or the network failed.";
        Idle => "idle", "No complete frame arrived in time.";
        Stalled => "stalled", "The peer did not take a send buffer in time.";
        Stopped => "stopped", "The server stopped, and everything owed was sent.";
        Cut => "cut", "The server stopped, and the peer did not take everything in time.";
        Tls => "tls", "The TLS handshake failed, or the service did not allow the certificate.";
        Failed => "failed", "The session panicked.";
    }
}

named! {
    /// Result of a TLS handshake.
    Handshake {
        Ok => "ok", "The connection is encrypted, and the session goes on.";
        NoCertificate => "no_certificate", "The peer has no certificate.";
        UnknownCa => "unknown_ca", "No CA of this server certifies the peer.";
        Expired => "expired", "The peer's certificate has expired, or is not valid yet.";
        NotListed => "not_listed", "The session does not allow the peer.";
        RefusedByPeer => "refused_by_peer", "The peer sent an alert: mostly, it does not accept the certificate of this server.";
        Timeout => "timeout", "The peer did not complete it in time.";
        Failed => "failed", "Any other failure: no TLS, no common version or cipher, a closed connection.";
    }
}

/// Counters of a server; any thread may read them.
#[derive(Debug, Default)]
pub struct Counters {
    accepted: AtomicU64,
    refused: [AtomicU64; Refused::ALL.len()],
    closed: [AtomicU64; Closed::ALL.len()],
    handshakes: [AtomicU64; Handshake::ALL.len()],
    accept_errors: AtomicU64,
    octets_in: AtomicU64,
    octets_out: AtomicU64,
}

impl Counters {
    /// Returns the connections that got a session.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Returns the connections closed before anything was read.
    pub fn refused(&self, reason: Refused) -> u64 {
        self.refused[reason as usize].load(Ordering::Relaxed)
    }

    /// Returns the ended connections.
    pub fn closed(&self, reason: Closed) -> u64 {
        self.closed[reason as usize].load(Ordering::Relaxed)
    }

    /// Returns the open connections.
    pub fn open(&self) -> u64 {
        // Ends first: a connection that ends meanwhile counts as open, never as less than none.
        let closed: u64 = Closed::ALL.iter().map(|reason| self.closed(*reason)).sum();
        self.accepted().saturating_sub(closed)
    }

    /// Returns the TLS handshakes.
    pub fn handshakes(&self, result: Handshake) -> u64 {
        self.handshakes[result as usize].load(Ordering::Relaxed)
    }

    /// Returns the failed calls of `accept`: no file descriptor or memory left, for instance.
    pub fn accept_errors(&self) -> u64 {
        self.accept_errors.load(Ordering::Relaxed)
    }

    /// Returns the octets received and the octets sent, before encryption.
    pub fn octets(&self) -> (u64, u64) {
        (self.octets_in.load(Ordering::Relaxed), self.octets_out.load(Ordering::Relaxed))
    }

    pub(crate) fn count_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_refused(&self, reason: Refused) {
        self.refused[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_closed(&self, reason: Closed) {
        self.closed[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_handshake(&self, result: Handshake) {
        self.handshakes[result as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_accept_error(&self) {
        self.accept_errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_in(&self, octets: usize) {
        self.octets_in.fetch_add(octets as u64, Ordering::Relaxed);
    }

    pub(crate) fn count_out(&self, octets: usize) {
        self.octets_out.fetch_add(octets as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_match_the_tables() {
        assert!(Refused::ALL.iter().enumerate().all(|(position, reason)| *reason as usize == position));
        assert!(Handshake::ALL.iter().enumerate().all(|(position, result)| *result as usize == position));
        assert!(Closed::ALL.iter().enumerate().all(|(position, reason)| *reason as usize == position));
    }
}
