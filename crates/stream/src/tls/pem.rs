//! Contents of PEM files (RFC 7468).

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{Error, InconsistentKeys};
use x509_parser::parse_x509_certificate;

use super::{TlsError, TlsPart};

/// Returns the certificates of a file, at least one.
pub(super) fn certificates(part: TlsPart, file: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_slice_iter(file).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|_| TlsError::new(part, "the PEM text is damaged or cut off"))?;
    if certificates.is_empty() {
        return Err(TlsError::new(part, "no certificate in PEM (-----BEGIN CERTIFICATE-----)"));
    }
    Ok(certificates)
}

/// Returns the private key of a file.
pub(super) fn key(file: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(file).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::new(
            TlsPart::Key,
            "no unencrypted private key in PEM (-----BEGIN PRIVATE KEY-----); `openssl pkey -in FILE` decrypts one",
        ),
        // Other errors print octets of the key.
        _ => TlsError::new(TlsPart::Key, "not a private key in PEM"),
    })
}

/// Returns the earliest end of these certificates, as UNIX time.
pub(super) fn expiry(part: TlsPart, certificates: &[CertificateDer<'_>]) -> Result<i64, TlsError> {
    let ends = certificates.iter().map(|certificate| match parse_x509_certificate(certificate) {
        Ok((_, certificate)) => Ok(certificate.validity().not_after.timestamp()),
        Err(error) => Err(TlsError::new(part, format!("not an X.509 certificate: {error}"))),
    });
    ends.collect::<Result<Vec<_>, _>>().map(|ends| ends.into_iter().min().unwrap_or_default())
}

/// Returns the reason why certificate and key do not make a pair.
pub(super) fn of_key(error: &Error) -> TlsError {
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            TlsError::new(TlsPart::Key, "the private key does not belong to the certificate")
        }
        error => TlsError::new(TlsPart::Key, error.to_string()),
    }
}
