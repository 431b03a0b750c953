//! What is served: settings and Kea's configuration come to links, a lease source and a policy.

pub(crate) mod access;

use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use ipnet::{IpNet, Ipv6Net};
use lqd_answer::{Engine, Policy, Unbound};
use lqd_feed::LeaseSource;
use lqd_feed::kea_config::{self, Document, ExtendedInfo, KeaConfig, ServerDuid};
use lqd_feed::kea_memfile::KeaMemfile;
use lqd_index::{Link, Links};
use tracing::warn;

use crate::Failure;
use crate::settings::{self, LinkAddress, Settings};

/// Where Kea's service is told to keep its files, if not in `/var/lib/kea`.
const KEA_DATA_DIR: &str = "KEA_DHCP_DATA_DIR";

/// Everything that a reload can replace.
pub(crate) struct Site {
    /// The links.
    pub(crate) links: Links,
    /// The source of the leases.
    pub(crate) source: Box<dyn LeaseSource>,
    /// Policy and identity.
    pub(crate) policy: Policy,
    /// Its judge.
    pub(crate) engine: Engine,
    /// Files that it was read from, and will be read from again.
    pub(crate) reads: Vec<PathBuf>,
    /// What an operator should know, most important first.
    pub(crate) warnings: Vec<String>,
}

impl Site {
    /// Reads Kea's configuration and what it refers to, except leases.
    pub(crate) fn read(settings: &Settings) -> Result<Self, Failure> {
        let document = kea_config::read(&settings.kea_config).map_err(Failure::unusable)?;
        let data_dir = std::env::var_os(KEA_DATA_DIR).map(PathBuf::from);
        let kea = KeaConfig::from_document(&document, data_dir.as_deref()).map_err(Failure::unusable)?;
        let mut warnings = Vec::new();
        warnings.extend(extended_info_warning(&kea.extended_info));
        let allow = allow(settings, &kea, &mut warnings);
        warnings.extend(access::warnings(settings, &allow, &kea.extended_info));
        let mut reads = reads(settings, &document, &kea);
        let source = lease_source(settings, &kea, &mut reads, &mut warnings)?;
        let server_duid = match &settings.server_duid {
            Some(duid) => duid.clone(),
            None => kea.server_duid.resolve().map_err(Failure::unusable)?,
        };
        let policy = Policy {
            server_duid,
            access: access::table(settings, &allow).map_err(Failure::unusable)?,
            relay_levels_max: settings.max_relay_hops,
        };
        let engine = Engine::new(policy.clone()).map_err(Failure::unusable)?;
        let engine = engine.with_unbound_if_incomplete(unbound(settings, true));
        warnings.extend(kea.warnings.iter().map(ToString::to_string));
        let mut links = kea.links;
        for given in &settings.link_addresses {
            name_link(&mut links, *given)?;
        }
        let links = Links::new(links)
            .map_err(|error| Failure::unusable(in_file(&settings.kea_config, &error.to_string())))?
            .with_lease_checks(kea.lease_checks);
        warnings.extend(links.unreachable().map(|address| {
            format!(
                "no address leads to the link of the subnet that begins with {address}, as other links' subnets cover \
                 it wholly: a requestor that is told of it finds another link; give it one with --link-address"
            )
        }));
        if links.is_empty() {
            warnings.push(
                "Kea's configuration has no subnet: every query will be answered NotConfigured".to_owned(),
            );
        }
        Ok(Self { links, source, policy, engine, reads, warnings })
    }

    /// Says what an operator should know.
    pub(crate) fn warn(&self) {
        for warning in &self.warnings {
            warn!("{warning}");
        }
    }
}

/// Kea's configuration and the files it includes, and those that may hold the server's DUID.
fn reads(settings: &Settings, document: &Document, kea: &KeaConfig) -> Vec<PathBuf> {
    let mut reads = vec![settings.kea_config.clone()];
    reads.extend(document.includes().iter().map(|include| include.taken.clone()));
    if let ServerDuid::File { candidates, .. } = &kea.server_duid {
        reads.extend(candidates.iter().cloned());
    }
    reads
}

/// The source of the leases, the one place that knows which kinds there are; adds the files that it reads.
fn lease_source(
    settings: &Settings,
    kea: &KeaConfig,
    reads: &mut Vec<PathBuf>,
    warnings: &mut Vec<String>,
) -> Result<Box<dyn LeaseSource>, Failure> {
    let file = match &settings.kea_leases {
        Some(file) => file.as_path(),
        None => kea.lease_database.lease_file().map_err(Failure::unusable)?,
    };
    let source = KeaMemfile::new(file);
    reads.push(source.current().to_owned());
    warnings.extend(mount_warning(&source));
    Ok(Box::new(source))
}

/// Sets the address told for the link of a subnet.
fn name_link(links: &mut [Link], given: LinkAddress) -> Result<(), Failure> {
    let has = |link: &&mut Link| link.subnets.iter().any(|subnet| subnet.id == given.subnet_id);
    let link = links.iter_mut().find(has).ok_or_else(|| {
        Failure::unusable(format!(
            "--link-address {given}: Kea's configuration has no subnet with the id {}; give the id of one",
            given.subnet_id
        ))
    })?;
    link.address = Some(given.address);
    Ok(())
}

fn in_file(file: &Path, fault: &str) -> String {
    format!("{}: {fault}", file.display())
}

/// Who may ask: as set, else as Kea's lease_query hook says, else this host only.
fn allow(settings: &Settings, kea: &KeaConfig, warnings: &mut Vec<String>) -> Vec<Ipv6Net> {
    if let Some(allow) = &settings.allow {
        return allow.clone();
    }
    if let Some(requesters) = &kea.requesters {
        return requesters
            .iter()
            .filter_map(|net| if let IpNet::V6(net) = net { Some(*net) } else { None })
            .collect();
    }
    if !settings.access.iter().any(|row| row.allow == Some(true)) {
        warnings.push(
            "nobody but this host may ask: neither --allow nor Kea's lease_query hook names requestors; give \
             --allow with the addresses of the access concentrators"
                .to_owned(),
        );
    }
    vec![Ipv6Net::from(Ipv6Addr::LOCALHOST)]
}

/// What queries get for which no binding is known.
pub(crate) fn unbound(settings: &Settings, stale: bool) -> Unbound {
    match settings.when_stale {
        _ if !stale => Unbound::Answer,
        settings::WhenStale::Answer => Unbound::Answer,
        settings::WhenStale::Silent => Unbound::Silent,
        settings::WhenStale::Refuse => Unbound::Refuse,
    }
}

/// Kea's clean-up gives the file's name to a new file, which the mount of one file does not show.
fn mount_warning(source: &KeaMemfile) -> Option<String> {
    source.is_mounted_alone().then(|| {
        format!(
            "the lease file {} is mounted by itself: after Kea's next clean-up the mount shows a deleted file, and \
             leases are no longer followed; mount its folder instead",
            source.current().display()
        )
    })
}

fn extended_info_warning(extended_info: &ExtendedInfo) -> Option<String> {
    const CONSEQUENCE: &str = "OPTION_LQ_RELAY_DATA cannot be answered, and a CMTS that verifies sources by it cuts \
                               subscribers off; set \"store-extended-info\": true in Kea and let clients renew";
    match extended_info {
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
