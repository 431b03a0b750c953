//! A server on loopback whose test protocol begins TLS; the peer is rustls' client.

use std::io::{Read, Write};
use std::net::{SocketAddrV6, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use lqd_stream::{
    Closed, Counters, Handshake, HandshakeError, Listener, Options, PeerCertificate, Progress, Server,
    Service, Session, TlsConfig, TlsPart,
};
use pki::{Ca, Identity};
use ring::digest::{SHA256, digest};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, SupportedProtocolVersion};

#[path = "tls/pki.rs"]
mod pki;

/// Longest wait for any event, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Years in which certificates are valid now.
const VALID: (i32, i32) = (2020, 2099);
const LISTED: &str = "dns:bng1.example.net";
const STARTTLS: &[u8] = b"TLS!";
const REPLY: [u8; 2] = [7; 2];

/// Reports of sessions: names of peers, and failures.
type Log = Arc<Mutex<Vec<String>>>;

/// Service whose frames are 4 octets: [`STARTTLS`], or a number of octets of value 7 to send.
#[derive(Clone)]
struct Sevens {
    tls: Option<Arc<TlsConfig>>,
    log: Log,
    peers: Arc<Mutex<Vec<PeerCertificate>>>,
}

struct Connection {
    service: Sevens,
    input: Vec<u8>,
    frames: u64,
    owed: usize,
    starts_tls: bool,
    closing: bool,
}

impl Service for Sevens {
    type Session = Connection;

    fn accept(&self, _peer: SocketAddrV6) -> Option<Connection> {
        let service = self.clone();
        Some(Connection { service, input: vec![], frames: 0, owed: 0, starts_tls: false, closing: false })
    }

    fn buffer_len(&self) -> usize {
        100_000
    }

    fn tls(&self) -> Option<Arc<TlsConfig>> {
        self.tls.clone()
    }
}

impl Session for Connection {
    fn wants_octets(&self) -> bool {
        self.owed == 0 && !self.closing && !self.starts_tls
    }

    fn receive(&mut self, octets: &[u8]) {
        self.input.extend(octets);
        while let Some(frame) = self.input.first_chunk::<4>() {
            match &frame[..] {
                STARTTLS => (self.starts_tls, self.owed) = (true, REPLY.len()),
                _ => self.owed += u32::from_be_bytes(*frame) as usize,
            }
            self.input.drain(..4);
            self.frames += 1;
        }
    }

    fn receive_end(&mut self) {
        self.closing = true;
    }

    fn frames(&self) -> u64 {
        self.frames
    }

    fn terminate(&mut self) {
        self.closing = true;
    }

    fn send(&mut self, buffer: &mut [u8]) -> Progress {
        let len = self.owed.min(buffer.len());
        self.owed -= len;
        buffer[..len].fill(7);
        match len {
            0 if self.closing => Progress::Close,
            0 if self.starts_tls => Progress::StartTls,
            0 => Progress::Idle,
            _ => Progress::Octets(len),
        }
    }

    fn secured(&mut self, peer: &PeerCertificate) -> bool {
        self.starts_tls = false;
        self.service.peers.lock().unwrap().push(peer.clone());
        peer.names.iter().any(|name| name == LISTED)
    }

    fn handshake_failed(&mut self, error: &HandshakeError) {
        self.service.log.lock().unwrap().push(format!("{}: {error}", error.result.name()));
    }
}

struct Running {
    server: Server,
    address: SocketAddrV6,
    counters: Arc<Counters>,
    service: Sevens,
    ca: Ca,
}

fn config(ca: &Ca, identity: &Identity) -> TlsConfig {
    TlsConfig::new(identity.certificate.as_bytes(), identity.key.as_bytes(), ca.pem().as_bytes()).unwrap()
}

fn start(timeout: Duration) -> Running {
    let ca = Ca::new("the CA");
    let tls = Some(Arc::new(config(&ca, &ca.certify(&["dns:server.example.net"], VALID))));
    let service = Sevens { tls, log: Arc::default(), peers: Arc::default() };
    let listener = Listener::bind("[::1]:0".parse().unwrap(), PATIENCE).unwrap();
    let counters = Arc::<Counters>::default();
    let options = Options { connections: 10, per_requestor: 10, timeout, threads: 1 };
    let of_thread = service.clone();
    let listeners = std::slice::from_ref(&listener);
    let server = Server::start(listeners, &options, &counters, move |_| of_thread.clone()).unwrap();
    Running { server, address: listener.local_address(), counters, service, ca }
}

/// A client that trusts a CA and has a certificate, or none.
fn client(ca: &Ca, identity: Option<&Identity>, version: &'static SupportedProtocolVersion) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    let builder = builder.with_root_certificates(roots);
    let Some(identity) = identity else { return builder.with_no_client_auth() };
    let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    builder.with_client_auth_cert(chain, key).unwrap()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}

impl Running {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Connects, asks for TLS and reads the reply.
    fn start_tls(&self) -> TcpStream {
        let (mut stream, mut reply) = (self.connect(), [0; REPLY.len()]);
        stream.write_all(STARTTLS).unwrap();
        stream.read_exact(&mut reply).unwrap();
        assert_eq!(reply, REPLY);
        stream
    }

    /// Begins TLS, requests so many octets, and returns those that come, and the version.
    fn request(&self, config: ClientConfig, octets: u32) -> std::io::Result<(Vec<u8>, ProtocolVersion)> {
        let mut stream = self.start_tls();
        let name = "server.example.net".try_into().unwrap();
        let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut tls = rustls::Stream::new(&mut connection, &mut stream);
        tls.write_all(&octets.to_be_bytes())?;
        let mut read = vec![0; octets as usize];
        tls.read_exact(&mut read)?;
        Ok((read, connection.protocol_version().unwrap()))
    }

    /// Expects a handshake to fail for this reason, and nothing to be served.
    fn fails(&self, config: ClientConfig, result: Handshake) -> String {
        let before = self.counters.handshakes(result);
        let error = self.request(config, 1).expect_err(result.name()).to_string();
        until(result.name(), || self.counters.handshakes(result) == before + 1);
        error
    }
}

#[test]
fn both_versions_serve_a_peer_with_a_certificate() {
    let running = start(PATIENCE);
    let names = [LISTED, "uri:urn:bng:1", "ip:2001:db8::1", "ip:192.0.2.1"];
    let identity = running.ca.certify(&names, VALID);
    for (version, negotiated) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let (read, used) = running.request(client(&running.ca, Some(&identity), version), 3_000_001).unwrap();
        assert!(read.iter().all(|octet| *octet == 7));
        assert_eq!(used, negotiated);
    }
    let key = digest(&SHA256, &identity.public_key);
    for peer in running.service.peers.lock().unwrap().iter() {
        assert_eq!((&peer.names[..], &peer.key_sha256[..]), (&names.map(str::to_owned)[..], key.as_ref()));
    }
    assert_eq!(running.counters.handshakes(Handshake::Ok), 2);
    // The client closes without saying so in TLS.
    until("ends are counted", || running.counters.closed(Closed::ByPeer) == 2);
    assert_eq!(running.counters.octets(), (16, 6_000_006));
    running.server.stop();
}

#[test]
fn a_peer_without_a_good_certificate_is_told_and_counted() {
    let running = start(PATIENCE);
    let (ca, other) = (&running.ca, Ca::new("another CA"));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let fails =
            |identity: Option<&Identity>, result| running.fails(client(ca, identity, version), result);
        assert!(fails(None, Handshake::NoCertificate).contains("alert"));
        let identity = other.certify(&[LISTED], VALID);
        assert!(fails(Some(&identity), Handshake::UnknownCa).contains("alert"));
        let identity = Ca::new("the CA").certify(&[LISTED], VALID);
        fails(Some(&identity), Handshake::UnknownCa);
        fails(Some(&ca.certify(&[LISTED], (2000, 2001))), Handshake::Expired);
        fails(Some(&ca.certify(&[LISTED], (2090, 2099))), Handshake::Expired);
        fails(Some(&ca.certify(&["dns:bng2.example.net"], VALID)), Handshake::NotListed);
        let identity = ca.certify(&[LISTED], VALID);
        running.fails(client(&other, Some(&identity), version), Handshake::RefusedByPeer);
    }
    assert_eq!(running.counters.handshakes(Handshake::Ok), 0);
    until("all are closed", || running.counters.closed(Closed::Tls) == 14);
    let log = running.service.log.lock().unwrap();
    assert!(log[0].starts_with("no_certificate: peer sent no certificates"), "{log:?}");
    running.server.stop();
}

#[test]
fn a_peer_that_sends_no_tls_is_closed() {
    let running = start(PATIENCE);
    let mut stream = running.start_tls();
    stream.write_all(&9_u32.to_be_bytes()).unwrap();
    stream.write_all(&[0xff; 100]).unwrap();
    let mut sent = Vec::new();
    let _ = stream.read_to_end(&mut sent);
    assert!(!sent.contains(&7), "plain octets are answered: {sent:?}");
    until("it is counted", || running.counters.handshakes(Handshake::Failed) == 1);
    running.server.stop();
}

#[test]
fn a_handshake_has_a_time_limit() {
    let running = start(Duration::from_millis(50));
    let mut stream = running.start_tls();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    until("it is counted", || running.counters.handshakes(Handshake::Timeout) == 1);
    until("the end is counted", || running.counters.closed(Closed::Tls) == 1);
    running.server.stop();
}

#[test]
fn a_stop_does_not_wait_for_a_handshake() {
    let running = start(PATIENCE);
    let _stream = running.start_tls();
    let counters = Arc::clone(&running.counters);
    running.server.stop();
    assert_eq!(counters.closed(Closed::Stopped), 1);
}

#[test]
fn unusable_files_are_named() {
    let (ca, other) = (Ca::new("a"), Ca::new("b"));
    let (good, another) = (ca.certify(&[LISTED], VALID), other.certify(&[LISTED], (2020, 2021)));
    let error = |certificate: &str, key: &str, ca: &str| {
        let error = TlsConfig::new(certificate.as_bytes(), key.as_bytes(), ca.as_bytes()).unwrap_err();
        (error.part, error.to_string())
    };
    let (part, text) = error(&good.certificate, &another.key, &ca.pem());
    assert_eq!((part, text.contains("does not belong")), (TlsPart::Key, true), "{text}");
    let (part, text) = error(&good.key, &good.key, &ca.pem());
    assert_eq!((part, text.contains("no certificate in PEM")), (TlsPart::Certificate, true), "{text}");
    let encrypted = good.key.replace("PRIVATE", "ENCRYPTED PRIVATE");
    let (part, text) = error(&good.certificate, &encrypted, &ca.pem());
    assert_eq!((part, text.contains("openssl pkey")), (TlsPart::Key, true), "{text}");
    assert_eq!(error(&good.certificate, &good.key, "").0, TlsPart::Ca);
    let cut = good.certificate.replace("-----END CERTIFICATE-----", "");
    assert_eq!(error(&cut, &good.key, &ca.pem()).0, TlsPart::Certificate);
    // The end of a certificate is reported, whatever it is.
    let expired = config(&ca, &another).expiry();
    assert_eq!((expired.certificate, expired.ca), (1_609_459_200, 4_102_444_800));
}
