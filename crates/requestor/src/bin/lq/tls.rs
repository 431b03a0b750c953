//! The files of `--tls`, and the name that each server's certificate must have.

use std::path::PathBuf;

use lqd_requestor::bulk::{self, TlsPart};

use crate::command_line::Tls;
use crate::error::Error;
use crate::server::ServerName;

/// The files, read, and `--tls-name`.
pub(crate) struct Files {
    tls: bulk::Tls,
    name: Option<String>,
}

impl Files {
    /// Reads the files; `None` without `--tls`.
    pub(crate) fn read(flags: &Tls) -> Result<Option<Self>, Error> {
        // The command line has all three or none.
        let (Some(cert), Some(key), Some(ca)) = (&flags.cert, &flags.key, &flags.ca) else { return Ok(None) };
        let tls = bulk::Tls::new(&read("--cert", cert)?, &read("--key", key)?, &read("--ca", ca)?);
        let tls = tls.map_err(|error| {
            let (flag, path) = match error.part {
                TlsPart::Certificate => ("--cert", cert),
                TlsPart::Key => ("--key", key),
                TlsPart::Ca => ("--ca", ca),
            };
            Error::TlsPart { flag, path: path.clone(), error }
        })?;
        Ok(Some(Self { tls, name: flags.tls_name.clone() }))
    }

    /// Returns the settings of connections to a server of `-s`; `None` is the one on this host.
    pub(crate) fn of_server(&self, server: Option<&ServerName>) -> Result<bulk::Tls, Error> {
        let Some(name) = self.name.clone().or_else(|| server.map(ServerName::host)) else {
            return Ok(self.tls.clone());
        };
        self.tls.expecting(&name).ok_or(Error::TlsName(name))
    }
}

fn read(flag: &'static str, path: &PathBuf) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::TlsFile { flag, path: path.clone(), source })
}
