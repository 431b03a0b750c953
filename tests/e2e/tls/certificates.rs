//! Files of certificates, made anew for each test.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../../crates/stream/tests/tls/pki.rs"]
mod pki;

use pki::Ca;

/// Years for which certificates of these tests are valid.
const VALID: (i32, i32) = (2020, 2100);

/// Name of the server.
const SERVER: &str = "dns:lqd.example.net";

/// Name of the requestor that the access rule has.
pub const REQUESTOR: &str = "dns:bng1.example.net";

/// A CA with its file, and a folder for the certificates that it issues.
pub struct Authority {
    ca: Ca,
    folder: PathBuf,
    /// The CA's certificate.
    pub file: PathBuf,
}

/// Files of a certificate and its key.
pub struct Issued {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    /// Makes a CA whose files are in `folder`.
    pub fn new(folder: &Path, name: &str) -> Self {
        let (ca, file) = (Ca::new(name), folder.join(format!("{name}.pem")));
        fs::write(&file, ca.pem()).expect("the folder is there");
        Self { ca, folder: folder.to_owned(), file }
    }

    /// Issues a certificate for the server, in place of the one before.
    pub fn issue_server(&self) -> Issued {
        self.issue_for("server", &[SERVER], VALID)
    }

    /// Issues a certificate for the server that is valid in these years.
    pub fn issue_server_for(&self, years: (i32, i32)) -> Issued {
        self.issue_for("server", &[SERVER], years)
    }

    /// Issues a certificate with these names.
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.issue_for("requestor", names, VALID)
    }

    /// Issues an expired certificate.
    pub fn issue_expired(&self, names: &[&str]) -> Issued {
        self.issue_for("expired", names, (2020, 2021))
    }

    /// Writes files under a name of their own, then moves them to their place, as renewals do.
    fn issue_for(&self, file: &str, names: &[&str], years: (i32, i32)) -> Issued {
        let identity = self.ca.certify(names, years);
        let issued = Issued {
            certificate: self.folder.join(format!("{file}.pem")),
            key: self.folder.join(format!("{file}.key")),
        };
        for (path, text) in [(&issued.certificate, &identity.certificate), (&issued.key, &identity.key)] {
            let new = path.with_extension("new");
            fs::write(&new, text).expect("the folder is there");
            fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).expect("the file is ours");
            fs::rename(&new, path).expect("both are in one folder");
        }
        issued
    }
}
