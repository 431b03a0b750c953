//! A scripted server that speaks TLS, and every way to refuse or fail it. Octets of STARTTLS by hand.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::RootCertStore;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::Duid;
use crate::bulk::{Connection, Error, Message as Received, Query, Settings, Target};
use crate::tests::octets;

const OWN: [u8; 4] = [0, 4, 0xaa, 0xbb];
const VALID: (i32, i32) = (2020, 2099);

/// A CA.
struct Ca(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
type Identity = (String, String);

impl Ca {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA"))
    }

    fn certify(&self, name: &str, years: (i32, i32)) -> Identity {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.0).expect("signed").pem(), key.serialize_pem())
    }
}

/// TLS of a requestor that has this identity and trusts this CA.
fn tls(identity: &Identity, ca: &Ca) -> Tls {
    Tls::new(identity.0.as_bytes(), identity.1.as_bytes(), ca.0.pem().as_bytes()).expect("usable files")
}

/// TLS of a server that has this identity and trusts this CA.
fn acceptor(identity: &Identity, ca: &Ca) -> TlsAcceptor {
    let provider = Arc::new(default_provider());
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(ca.0.pem().as_bytes()).expect("a CA");
    roots.add(ca).expect("a root");
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let chain = vec![CertificateDer::from_pem_slice(identity.0.as_bytes()).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_slice(identity.1.as_bytes()).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier.build().expect("a verifier"))
        .with_single_cert(chain, key);
    Arc::new(config.expect("a pair")).into()
}

/// Accepts one connection and reads its STARTTLS; returns its transaction-id.
async fn started(listener: TcpListener) -> (TcpStream, [u8; 3]) {
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let mut frame = [0; 6];
    stream.read_exact(&mut frame).await.expect("a first frame");
    assert_eq!(frame[..3], [0, 4, 23], "RFC 7653 §6.2.2: STARTTLS without options, as the first message");
    (stream, [frame[3], frame[4], frame[5]])
}

async fn listen() -> (TcpListener, SocketAddrV6) {
    let listener = TcpListener::bind("[::1]:0").await.expect("a listener");
    let Ok(std::net::SocketAddr::V6(server)) = listener.local_addr() else { panic!("an IPv6 address") };
    (listener, server)
}

/// Sends these octets after STARTTLS, with the transaction-id in place of `xx`; returns what comes after.
async fn refuse(answer: &'static str) -> (SocketAddrV6, JoinHandle<Vec<u8>>) {
    let (listener, server) = listen().await;
    let task = tokio::spawn(async move {
        let (mut stream, id) = started(listener).await;
        let id: String = id.iter().map(|octet| format!("{octet:02x}")).collect();
        stream.write_all(&octets(&answer.replace("xx", &id))).await.expect("sent");
        stream.shutdown().await.expect("closed");
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ = stream.read_to_end(&mut rest).await;
        rest
    });
    (server, task)
}

/// Serves one query over TLS: a reply without binding.
async fn serve(acceptor: TlsAcceptor) -> (SocketAddrV6, JoinHandle<std::io::Result<()>>) {
    let (listener, server) = listen().await;
    let task = tokio::spawn(async move {
        let (mut stream, id) = started(listener).await;
        stream.write_all(&[0, 4, 7, id[0], id[1], id[2]]).await?;
        let mut stream = acceptor.accept(stream).await?;
        let len = stream.read_u16().await?;
        let mut query = vec![0; len.into()];
        stream.read_exact(&mut query).await?;
        assert_eq!(query[0], 14, "LEASEQUERY");
        let ids = octets("0001 0004 0004aabb 0002 0003 0004ee");
        let reply = [&[0, 19, 15, query[1], query[2], query[3]], &ids[..]].concat();
        stream.write_all(&reply).await?;
        stream.shutdown().await
    });
    (server, task)
}

async fn ask(server: SocketAddrV6, tls: Tls) -> Result<Option<Received>, Error> {
    let settings = Settings { tls: Some(tls), ..Settings::default() };
    let own = Duid::new(OWN).expect("a DUID");
    let mut connection = Connection::open(server, own, settings).await?;
    connection.ask(&Query::new(Target::Link("2001:db8::".parse().expect("an address")))).await?;
    connection.next().await
}

fn tls_error(result: Result<Option<Received>, Error>) -> TlsError {
    match result {
        Err(Error::Tls { error, .. }) => error,
        other => panic!("{other:?}"),
    }
}

/// AR1, AR3: RFC 7653 §8.2.
#[tokio::test]
async fn a_query_is_sent_over_tls_after_the_reply() {
    let ca = Ca::new("CA");
    let own = ca.certify("bng1.example.net", VALID);
    for (certified, expected) in [("::1", None), ("dhcp1.example.net", Some("dhcp1.example.net"))] {
        let (server, task) = serve(acceptor(&ca.certify(certified, VALID), &ca)).await;
        let tls = tls(&own, &ca);
        let tls = expected.map_or_else(|| tls.clone(), |name| tls.expecting(name).expect("a name"));
        let message = ask(server, tls).await.expect("an answer").expect("a message");
        assert!(message.completion.is_some_and(|end| end.is_whole()), "{message:?}");
        task.await.expect("the server ends").expect("served");
    }
}

/// AR2: RFC 7653 §8.2: closed, and nothing more is sent.
#[tokio::test]
async fn a_server_that_refuses_tls_gets_no_query() {
    let ca = Ca::new("CA");
    let own = ca.certify("bng1.example.net", VALID);
    let rows = [
        (
            "0010 07 xx 000d 0008 000f 6e6f20746c73",
            "the server refuses TLS: TLSConnectionRefused(15) \"no tls\"",
        ),
        ("", "the server closed the connection at STARTTLS"),
        ("0004 0f xx", "is not its REPLY: message type"),
        ("0004 07 ffffff", "is not its REPLY: transaction-id"),
        ("0003 07 00 00", "is not its REPLY: too short"),
        ("0006 07 xx 000d", "is not its REPLY"),
        // A message in plain text behind the REPLY is not read as one.
        ("0004 07 xx 0004 0f xx 0004 10 xx", "the TLS handshake failed"),
    ];
    for (answer, part) in rows {
        let (server, task) = refuse(answer).await;
        let error = tls_error(ask(server, tls(&own, &ca)).await);
        assert!(error.to_string().contains(part), "{answer}: {error}");
        let rest = task.await.expect("the server ends");
        // A handshake begins with octet 22 (RFC 8446 §5.1) or 21, an alert; a frame in clear with 0.
        assert!(rest.first().is_none_or(|&first| first == 22 || first == 21), "{answer}: {rest:?}");
    }
}

/// AR3: RFC 7653 §8.2: the server's certificate MUST be validated.
#[tokio::test]
async fn certificates_of_servers_are_checked() {
    let (ca, other) = (Ca::new("CA"), Ca::new("other CA"));
    let own = ca.certify("bng1.example.net", VALID);
    let rows = [
        (other.certify("::1", VALID), "is not of a CA in --ca"),
        (Ca::new("CA").certify("::1", VALID), "is not of a CA in --ca"),
        (ca.certify("::1", (2020, 2021)), "is not valid now"),
        (ca.certify("::2", VALID), "is for another name"),
        (ca.certify("dhcp1.example.net", VALID), "is for another name"),
    ];
    for (identity, part) in rows {
        let (server, task) = serve(acceptor(&identity, &ca)).await;
        let error = tls_error(ask(server, tls(&own, &ca)).await);
        assert!(error.to_string().contains(part) && error.is_of_certificate(), "{part}: {error}");
        assert!(task.await.expect("the server ends").is_err(), "{part}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_our_certificate_is_named() {
    let (ca, other) = (Ca::new("CA"), Ca::new("other CA"));
    let (server, task) = serve(acceptor(&ca.certify("::1", VALID), &ca)).await;
    let error = tls_error(ask(server, tls(&other.certify("bng1.example.net", VALID), &ca)).await);
    assert!(error.to_string().contains("for the certificate of --cert"), "{error}");
    assert!(!error.is_of_certificate());
    assert!(task.await.expect("the server ends").is_err());
}

#[test]
fn unusable_files_are_named() {
    use crate::bulk::TlsPart;
    let ca = Ca::new("CA");
    let (certificate, key) = ca.certify("a", VALID);
    let (_, other_key) = ca.certify("b", VALID);
    let pem = ca.0.pem();
    let rows = [
        ("", &*key, &*pem, TlsPart::Certificate),
        (&certificate, "", &pem, TlsPart::Key),
        (&certificate, &other_key, &pem, TlsPart::Key),
        (&certificate, &key, "text", TlsPart::Ca),
    ];
    for (certificate, key, ca, part) in rows {
        let error = Tls::new(certificate.as_bytes(), key.as_bytes(), ca.as_bytes()).expect_err("unusable");
        assert_eq!(error.part, part, "{error}");
    }
}
