//! Certificates, made anew for each test.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PublicKeyData, SanType,
    date_time_ymd,
};

/// A CA.
pub(crate) struct Ca(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
    /// subjectPublicKeyInfo.
    pub(crate) public_key: Vec<u8>,
}

impl Ca {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = date_time_ymd(2100, 1, 1);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Certifies names, as `dns:NAME`, `uri:URI` or `ip:ADDRESS`, for these years.
    pub(crate) fn certify(&self, names: &[&str], years: (i32, i32)) -> Identity {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.iter().map(|name| subject(name)).collect();
        (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap().pem();
        Identity { certificate, public_key: key.subject_public_key_info(), key: key.serialize_pem() }
    }
}

fn subject(name: &str) -> SanType {
    match name.split_once(':').unwrap() {
        ("dns", name) => SanType::DnsName(name.try_into().unwrap()),
        ("uri", uri) => SanType::URI(uri.try_into().unwrap()),
        (_, address) => SanType::IpAddress(address.parse::<IpAddr>().unwrap()),
    }
}
