//! Names of an authenticated peer.

/// The certificate of a peer, verified by the handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerCertificate {
    /// Names of subjectAltName, as `dns:NAME` (lower case), `uri:URI` or `ip:ADDRESS`; other kinds are left
    /// out.
    pub names: Vec<String>,
    /// SHA-256 of the subjectPublicKeyInfo (RFC 7469 §2.4).
    pub key_sha256: [u8; 32],
}
