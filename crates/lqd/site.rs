//! The served site: links, lease sources and policy, from settings and Kea's configurations.

pub(crate) mod access;
pub(crate) mod tls;

use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ipnet::{IpNet, Ipv6Net};
use lqd_answer::{Engine, NoBindingPolicy, Policy};
use lqd_feed::kea_config::{self, Document, ExtendedInfo, KeaConfig, ServerDuid};
use lqd_feed::kea_memfile::KeaMemfile;
use lqd_feed::{LeaseSource, Missing, SourceConfig, links_of};
use lqd_index::{Link, Links, SecondaryIndexes};
use tracing::warn;

use crate::error::ExitError;
use crate::settings::{self, ActiveTransport, LinkAddress, Settings, SourceSettings, TlsFiles};
use tls::Tls;

/// Environment variable of Kea's data folder, if it is not `/var/lib/kea`.
const KEA_DATA_DIR: &str = "KEA_DHCP_DATA_DIR";

/// Indexes for the query-types of bulk leasequery.
pub(crate) const BULK_INDEXES: SecondaryIndexes =
    SecondaryIndexes { relay_id: true, remote_id: true, link: true };

/// BULK_LQ_DATA_TIMEOUT (RFC 5460 §5.6).
const BULK_TIMEOUT_RECOMMENDED: Duration = Duration::from_secs(300);

/// BULK_LQ_MAX_CONNS (RFC 5460 §5.6).
const BULK_CONNECTIONS_RECOMMENDED: usize = 10;

/// ACTIVE_LQ_IDLE_TIMEOUT (RFC 7653 §6.4).
const ACTIVE_IDLE_RECOMMENDED: Duration = Duration::from_secs(60);

/// ACTIVE_LQ_SEND_TIMEOUT (RFC 7653 §6.4).
const ACTIVE_SEND_RECOMMENDED: Duration = Duration::from_secs(120);

/// Everything that a reload can replace.
pub(crate) struct Site {
    /// Links of all sources.
    pub(crate) links: Links,
    /// Lease sources, at least one.
    pub(crate) sources: Vec<SourceConfig>,
    /// Policy and identity.
    pub(crate) policy: Policy,
    /// Engine that answers by the policy.
    pub(crate) engine: Engine,
    /// Certificate, key and CA for TLS, if it is configured.
    pub(crate) tls: Option<Tls>,
    /// Files that it was read from, and that reloads read again.
    pub(crate) reads: Vec<PathBuf>,
    /// Warnings for the operator, most important first.
    pub(crate) warnings: Vec<String>,
}

impl Site {
    /// Reads Kea's configurations and the files they refer to, except leases.
    pub(crate) fn read(settings: &Settings) -> Result<Self, ExitError> {
        let keas = settings.sources.iter().map(|source| Kea::read(source, settings.sources.len() > 1));
        let keas = keas.collect::<Result<Vec<_>, _>>()?;
        let mut warnings = Vec::new();
        warnings.extend(keas.iter().filter_map(|kea| Some(kea.about(extended_info_warning(&kea.config)?))));
        let allow = allow(settings, &keas, &mut warnings);
        let mut kept = keas.iter().map(|kea| &kea.config.extended_info);
        let least = kept.find(|kept| **kept != ExtendedInfo::All).unwrap_or(&ExtendedInfo::All);
        warnings.extend(access::warnings(settings, &allow, least));
        let mut reads: Vec<_> = keas.iter().flat_map(Kea::reads).collect();
        let server_duid = match (&settings.server_duid, keas.first()) {
            (Some(duid), _) => duid.clone(),
            (None, Some(first)) => first.config.server_duid.resolve().map_err(ExitError::unusable)?,
            (None, None) => unreachable!("settings have one source at least"),
        };
        let policy = Policy {
            server_duid,
            access: access::table(settings, &allow).map_err(ExitError::unusable)?,
            relay_hops_max: settings.max_relay_hops,
        };
        let engine = Engine::new(policy.clone()).map_err(ExitError::unusable)?;
        let engine = engine.with_no_binding_if_incomplete(no_binding_policy(settings, true));
        let engine = if settings.bulk.is_empty() { engine } else { engine.with_bulk_offered() };
        warnings.extend(bulk_warnings(settings));
        let tls = settings.tls.as_ref().map(Tls::read).transpose()?;
        warnings.extend(tls::setting_warnings(settings));
        warnings.extend(tls.iter().flat_map(|tls| tls.warnings(SystemTime::now())));
        reads.extend(settings.tls.iter().flat_map(TlsFiles::paths).cloned());
        warnings.extend(active_warnings(settings));
        let mut sources = Vec::new();
        for kea in keas {
            warnings.extend(kea.config.warnings.iter().map(|warning| kea.about(warning.to_string())));
            sources.push(kea.into_source(&mut reads, &mut warnings)?);
        }
        let links = links_of(&sources).map_err(ExitError::unusable)?;
        warnings.extend(links.unreachable().map(|address| {
            format!(
                "no address leads to the link of the subnet that begins with {address}, as subnets of other links cover \
                 it: a requestor that uses its address finds another link; give it one with --link-address"
            )
        }));
        if links.is_empty() {
            warnings.push(
                "Kea's configuration has no subnet: every query will be answered NotConfigured".to_owned(),
            );
        }
        Ok(Self { links, sources, policy, engine, tls, reads, warnings })
    }

    /// Returns the first missing file or folder of a source: folders before leases, as the sandbox reaches no
    /// folder made later.
    pub(crate) fn missing(&self) -> Option<Missing> {
        let missing = || self.sources.iter().filter_map(|source| source.source().missing());
        missing().find(|missing| matches!(missing, Missing::Place(_))).or_else(|| missing().next())
    }

    /// Logs the warnings.
    pub(crate) fn warn(&self) {
        for warning in &self.warnings {
            warn!("{warning}");
        }
    }
}

/// A Kea server and its parsed configuration.
struct Kea<'a> {
    settings: &'a SourceSettings,
    /// There are other servers.
    is_one_of_several: bool,
    document: Document,
    config: KeaConfig,
}

impl<'a> Kea<'a> {
    fn read(settings: &'a SourceSettings, is_one_of_several: bool) -> Result<Self, ExitError> {
        let document = kea_config::read(&settings.kea_config).map_err(ExitError::unusable)?;
        let data_dir = std::env::var_os(KEA_DATA_DIR).map(PathBuf::from);
        let config = KeaConfig::from_document(&document, data_dir.as_deref()).map_err(ExitError::unusable)?;
        Ok(Self { settings, is_one_of_several, document, config })
    }

    /// Names the server in a warning, where there are several.
    fn about(&self, warning: String) -> String {
        if self.is_one_of_several { format!("{}: {warning}", self.settings.name) } else { warning }
    }

    /// Returns the files that were read: configuration, included files, candidates for the server's DUID.
    fn reads(&self) -> Vec<PathBuf> {
        let mut reads = vec![self.settings.kea_config.clone()];
        reads.extend(self.document.includes().iter().map(|include| include.taken.clone()));
        if let ServerDuid::File { candidates, .. } = &self.config.server_duid {
            reads.extend(candidates.iter().cloned());
        }
        reads
    }

    /// Converts to a lease source with its links; adds the files that it reads.
    fn into_source(
        self,
        reads: &mut Vec<PathBuf>,
        warnings: &mut Vec<String>,
    ) -> Result<SourceConfig, ExitError> {
        let source = lease_source(self.settings, &self.config, reads, warnings)?;
        let mut links = self.config.links;
        for given in &self.settings.link_addresses {
            name_link(&mut links, *given)?;
        }
        SourceConfig::new(&*self.settings.name, source, links, self.config.lease_checks)
            .map_err(|error| ExitError::unusable(in_file(&self.settings.kea_config, &error.to_string())))
    }
}

/// Makes a lease source, the one place that knows the kinds of sources; adds the files that it reads.
fn lease_source(
    settings: &SourceSettings,
    kea: &KeaConfig,
    reads: &mut Vec<PathBuf>,
    warnings: &mut Vec<String>,
) -> Result<Box<dyn LeaseSource>, ExitError> {
    let file = match &settings.kea_leases {
        Some(file) => file.as_path(),
        None => kea.lease_database.lease_file().map_err(ExitError::unusable)?,
    };
    let source = KeaMemfile::new(file);
    reads.push(source.current().to_owned());
    warnings.extend(mount_warning(&source));
    Ok(Box::new(source))
}

/// Sets the address reported for the link of a subnet.
fn name_link(links: &mut [Link], given: LinkAddress) -> Result<(), ExitError> {
    let has = |link: &&mut Link| link.subnets.iter().any(|subnet| subnet.id == given.subnet_id);
    let link = links.iter_mut().find(has).ok_or_else(|| {
        ExitError::unusable(format!(
            "--link-address {given}: Kea's configuration has no subnet with the id {}; give the id of one",
            given.subnet_id
        ))
    })?;
    link.address = Some(given.address);
    Ok(())
}

fn in_file(file: &Path, error: &str) -> String {
    format!("{}: {error}", file.display())
}

/// Returns the allowed networks: of `--allow`, else of Kea's lease_query hook, else this host.
///
/// Several Kea servers must agree: a requestor that one of them does not allow must not see its leases.
fn allow(settings: &Settings, keas: &[Kea<'_>], warnings: &mut Vec<String>) -> Vec<Ipv6Net> {
    if let Some(allow) = &settings.allow {
        return allow.clone();
    }
    let mut said = keas.iter().map(|kea| &kea.config.requesters);
    let first = said.next().and_then(Option::as_ref);
    if let Some(requesters) = first.filter(|first| said.all(|other| other.as_ref() == Some(*first))) {
        return requesters
            .iter()
            .filter_map(|net| if let IpNet::V6(net) = net { Some(*net) } else { None })
            .collect();
    }
    if !settings.access.iter().any(|rule| rule.allow == Some(true)) {
        warnings.push(
            "only this host is allowed to query: neither --allow nor Kea's lease_query hook names requestors; give \
             --allow with the addresses of the access concentrators"
                .to_owned(),
        );
        if keas.len() > 1 {
            warnings.push(
                "requesters of the lease_query hook count only if all sources have the same".to_owned(),
            );
        }
    }
    vec![Ipv6Net::from(Ipv6Addr::LOCALHOST)]
}

/// Returns warnings about limits of bulk leasequery below those that RFC 5460 recommends (§5.6).
fn bulk_warnings(settings: &Settings) -> Vec<String> {
    let (timeout, connections) = (settings.bulk_timeout, settings.bulk_connections);
    if settings.bulk.is_empty() {
        return Vec::new();
    }
    let mut warnings = Vec::new();
    if timeout < BULK_TIMEOUT_RECOMMENDED {
        warnings.push(format!(
            "--bulk-timeout {} is below 300 seconds, which RFC 5460 does not recommend: slow requestors are cut off",
            timeout.as_secs()
        ));
    }
    if connections < BULK_CONNECTIONS_RECOMMENDED {
        warnings.push(format!(
            "--bulk-connections {connections} is below 10, which RFC 5460 does not recommend: requestors find no free one"
        ));
    }
    warnings
}

/// Returns warnings about timers of active leasequery below those that RFC 7653 recommends (§6.4).
fn active_warnings(settings: &Settings) -> Vec<String> {
    if settings.active == ActiveTransport::Off {
        return Vec::new();
    }
    let timers = [
        ("--active-idle-timeout", settings.active_idle_timeout, ACTIVE_IDLE_RECOMMENDED),
        ("--active-send-timeout", settings.active_send_timeout, ACTIVE_SEND_RECOMMENDED),
    ];
    let low = timers.into_iter().filter(|(_, timer, recommended)| timer < recommended);
    low.map(|(flag, timer, recommended)| {
        let (timer, recommended) = (timer.as_secs(), recommended.as_secs());
        format!("{flag} {timer} is below {recommended} seconds, which RFC 7653 does not recommend")
    })
    .collect()
}

/// Returns the reply to queries with no matching lease.
pub(crate) fn no_binding_policy(settings: &Settings, stale: bool) -> NoBindingPolicy {
    match settings.when_stale {
        _ if !stale => NoBindingPolicy::Answer,
        settings::WhenStale::Answer => NoBindingPolicy::Answer,
        settings::WhenStale::Silent => NoBindingPolicy::Silent,
        settings::WhenStale::Refuse => NoBindingPolicy::Refuse,
    }
}

/// Returns the warning about a file that is mounted by itself: Kea's clean-up replaces it, which the mount
/// does not show.
fn mount_warning(source: &KeaMemfile) -> Option<String> {
    source.is_mounted_alone().then(|| {
        format!(
            "the lease file {} is mounted by itself: after Kea's next clean-up the mount shows a deleted file, and \
             leases are no longer followed; mount its folder instead",
            source.current().display()
        )
    })
}

fn extended_info_warning(kea: &KeaConfig) -> Option<String> {
    const CONSEQUENCE: &str = "OPTION_LQ_RELAY_DATA cannot be answered, and a CMTS that verifies sources by it cuts \
                               subscribers off; set \"store-extended-info\": true in Kea and let clients renew";
    match &kea.extended_info {
        ExtendedInfo::All => None,
        ExtendedInfo::None => {
            Some(format!("Kea keeps no relay data (store-extended-info is false): {CONSEQUENCE}"))
        }
        ExtendedInfo::Some(with) => Some(format!(
            "Kea keeps relay data in some subnets only ({} of them); elsewhere {CONSEQUENCE}",
            with.len()
        )),
    }
}
