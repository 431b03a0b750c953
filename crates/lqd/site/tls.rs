//! Certificate, key and CA for TLS, as their files have them at one moment.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipnet::Ipv6Net;
use lqd_feed::{Access, OUT_OF_REACH, is_out_of_reach};
use lqd_stream::{Expiry, TlsConfig, TlsPart};

use crate::error::ExitError;
use crate::settings::{BulkTls, Settings, TlsFiles};

/// Longest file in bytes; a chain of certificates has a hundredth of that.
const LEN_MAX: u64 = 1 << 20;

/// Rights of a key file that let others than its user and group read it, or others than its user replace it.
const TOO_OPEN: u32 = 0o027;

/// Days before the end of a certificate at which warnings begin.
const WARN_DAYS: i64 = 14;

const DAY: i64 = 86_400;

/// Usable certificates, and the files that they were read from.
#[derive(Debug)]
pub(crate) struct Tls {
    pub(crate) config: Arc<TlsConfig>,
    pub(crate) files: TlsFiles,
    stamps: Stamps,
    key_mode: u32,
}

/// Identity of the three files; it differs once one of them was written or replaced.
pub(crate) type Stamps = [Option<Stamp>; 3];

/// Identity of a file's content: device, inode, length, time of the last change (seconds, nanoseconds).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(u64, u64, u64, i64, i64);

impl Stamp {
    fn of(found: &Metadata) -> Self {
        Self(found.dev(), found.ino(), found.len(), found.ctime(), found.ctime_nsec())
    }
}

/// Returns the identity of the files as they are now; `None` for one that is missing.
pub(crate) fn stamps(files: &TlsFiles) -> Stamps {
    files.paths().map(|file| file.metadata().ok().map(|found| Stamp::of(&found)))
}

impl Tls {
    /// Reads the files.
    pub(crate) fn read(files: &TlsFiles) -> Result<Self, ExitError> {
        // Before the contents: a file that is replaced meanwhile has another stamp later.
        let stamps = stamps(files);
        let [certificate, key, ca] = files.paths();
        let (certificate, (key, found), ca) = (contents(certificate)?.0, contents(key)?, contents(ca)?.0);
        let config = TlsConfig::new(&certificate, &key, &ca).map_err(|error| {
            let file = match error.part {
                TlsPart::Certificate => &files.certificate,
                TlsPart::Key => &files.key,
                TlsPart::Ca => &files.ca,
            };
            ExitError::unusable(format!("{}: {error}", file.display()))
        })?;
        Ok(Self { config: Arc::new(config), files: files.clone(), stamps, key_mode: found.mode() & 0o777 })
    }

    /// Returns the identity of the files that it was read from.
    pub(crate) fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    /// Returns each certificate file with the last second at which its certificates are valid.
    pub(crate) fn ends(&self) -> [(&'static str, &Path, i64); 2] {
        let Expiry { certificate, ca } = self.config.expiry();
        [("certificate", &self.files.certificate, certificate), ("CA", &self.files.ca, ca)]
    }

    /// Returns warnings about certificates that end soon, and about rights of the key.
    pub(crate) fn warnings(&self, now: SystemTime) -> Vec<String> {
        let ends = self.ends().into_iter().filter_map(|(what, file, end)| {
            let days = days_left(end, now);
            let fix = "renew it; lqd reads it by itself";
            match days {
                _ if days >= WARN_DAYS => None,
                0.. => {
                    Some(format!("TLS {what} {} ends in {days} days, {}: {fix}", file.display(), date(end)))
                }
                _ => Some(format!(
                    "TLS {what} {} has expired, {}: no TLS handshake succeeds; {fix}",
                    file.display(),
                    date(end)
                )),
            }
        });
        let (file, mode) = (self.files.key.display(), self.key_mode);
        let open = (mode & TOO_OPEN != 0).then(|| {
            format!(
                "TLS key {file} has mode {mode:04o}: other users can read or replace it; chmod 0600 {file}"
            )
        });
        ends.chain(open).collect()
    }
}

/// Reads a file; returns its metadata, too.
fn contents(path: &PathBuf) -> Result<(Vec<u8>, Metadata), ExitError> {
    let mut octets = Vec::new();
    let read = File::open(path).and_then(|file| {
        let found = file.metadata()?;
        file.take(LEN_MAX + 1).read_to_end(&mut octets)?;
        Ok(found)
    });
    let unusable = |cause: String| ExitError::unusable(format!("{}: {cause}", path.display()));
    let found = read.map_err(|error| match is_out_of_reach(path, error.kind(), Access::Read) {
        true => unusable(OUT_OF_REACH.to_owned()),
        false => unusable(format!("cannot be read: {error}; name a PEM file that the user of lqd may read")),
    })?;
    if octets.len() as u64 > LEN_MAX {
        return Err(unusable("is longer than 1 MiB, which no certificate is".to_owned()));
    }
    Ok((octets, found))
}

/// Returns whole days until this second, negative if it has passed.
pub(crate) fn days_left(end: i64, now: SystemTime) -> i64 {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    (end - i64::try_from(now).unwrap_or(i64::MAX)).div_euclid(DAY)
}

/// Returns a second as a date.
pub(crate) fn date(second: i64) -> String {
    // RFC 3339 ends with the year 9999.
    let second = u64::try_from(second).unwrap_or(0).min(253_402_300_799);
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(second)).to_string()
}

/// Returns warnings about settings of TLS without effect, and about requestors that cannot use it.
pub(super) fn setting_warnings(settings: &Settings) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut named =
        settings.access.iter().filter(|rule| !rule.certificates.is_empty()).map(|rule| rule.prefix);
    if settings.bulk_tls == BulkTls::Off {
        if settings.tls.is_some() {
            warnings.push("--tls-certificate is given, but nothing uses it; give --bulk-tls too".to_owned());
        }
        warnings.extend(
            named.next().map(|prefix| {
                format!("access rule {prefix}: certificates have no effect without --bulk-tls")
            }),
        );
    } else if named.next().is_none() {
        warnings.push(
            "no access rule names a certificate, so every TLS handshake is refused; give certificates to the rules of \
             requestors that use TLS"
                .to_owned(),
        );
    } else if settings.bulk_tls == BulkTls::Required {
        warnings.extend(without_certificates(settings));
    }
    warnings
}

/// Returns the warning about requestors that need TLS and have no certificate.
fn without_certificates(settings: &Settings) -> Option<String> {
    let rules =
        settings.access.iter().filter(|rule| rule.allow == Some(true) && rule.certificates.is_empty());
    let prefixes: Vec<Ipv6Net> = rules.map(|rule| rule.prefix).collect();
    let list = prefixes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    (!prefixes.is_empty()).then(|| {
        format!(
            "--bulk-tls is required, and these access rules allow requestors but name no certificate, which closes their \
             bulk connections: {list}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_round_down() {
        let at = |second| UNIX_EPOCH + Duration::from_secs(second);
        for (end, now, days) in [(86_400, 0, 1), (86_399, 0, 0), (0, 1, -1), (-1, 0, -1), (0, 0, 0)] {
            assert_eq!(days_left(end, at(now)), days, "{end} {now}");
        }
    }

    #[test]
    fn dates_are_those_of_rfc_3339() {
        assert_eq!(date(1_700_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(
            (date(-1), date(i64::MAX)),
            ("1970-01-01T00:00:00Z".into(), "9999-12-31T23:59:59Z".into())
        );
    }
}
