//! Settings of TLS: three files that belong together, and the services that use them.

use std::path::PathBuf;

use super::choice::BulkTls;
use super::{Flags, SettingsError};

/// The PEM files of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// Certificate of this server, and those between it and its CA.
    pub(crate) certificate: PathBuf,
    /// Key of that certificate.
    pub(crate) key: PathBuf,
    /// CAs that certify requestors.
    pub(crate) ca: PathBuf,
}

impl TlsFiles {
    /// Returns the paths.
    pub(crate) fn paths(&self) -> [&PathBuf; 3] {
        [&self.certificate, &self.key, &self.ca]
    }
}

/// Resolves the three files: all of them or none.
pub(super) fn files(typed: &Flags) -> Result<Option<TlsFiles>, SettingsError> {
    match (&typed.tls_certificate, &typed.tls_key, &typed.tls_ca) {
        (Some(certificate), Some(key), Some(ca)) => {
            Ok(Some(TlsFiles { certificate: certificate.clone(), key: key.clone(), ca: ca.clone() }))
        }
        (None, None, None) => Ok(None),
        (certificate, key, ca) => {
            let all = [("tls-certificate", certificate), ("tls-key", key), ("tls-ca", ca)];
            let (setting, file) = all.iter().find_map(|(name, file)| Some((*name, file.as_ref()?))).unzip();
            let missing = all.iter().filter(|(_, file)| file.is_none()).map(|(name, _)| format!("--{name}"));
            let missing = missing.collect::<Vec<_>>().join(" and ");
            Err(SettingsError::Value {
                setting: setting.unwrap_or_default(),
                value: file.map(|file| file.display().to_string()).unwrap_or_default(),
                fault: format!("TLS needs three files; give {missing} too, or leave this out"),
            })
        }
    }
}

/// Resolves TLS of bulk leasequery, which needs bulk leasequery and the files.
pub(super) fn bulk(typed: &Flags) -> Result<BulkTls, SettingsError> {
    let bulk_tls = typed.bulk_tls.unwrap_or(BulkTls::Off);
    let missing = match bulk_tls {
        BulkTls::Off => None,
        _ if typed.bulk.is_none() => Some("there is no bulk leasequery; give --bulk too, or leave this out"),
        _ if typed.tls_certificate.is_none() => Some(
            "there is no certificate; give --tls-certificate, --tls-key and --tls-ca too, or leave this out",
        ),
        _ => None,
    };
    let error = |fault: &str| SettingsError::Value {
        setting: "bulk-tls",
        value: if bulk_tls == BulkTls::Required { "required" } else { "offered" }.to_owned(),
        fault: fault.to_owned(),
    };
    missing.map_or(Ok(bulk_tls), |fault| Err(error(fault)))
}
