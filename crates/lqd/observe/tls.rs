//! State of TLS: what new connections get, and counters of its renewals.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};
use lqd_answer::bulk;
use serde_json::{Value, json};

use crate::settings::{BulkTls, Settings};
use crate::site::tls::Tls;

/// TLS as new connections get it, replaced as a whole.
#[derive(Clone, Debug)]
pub(crate) struct TlsOffer {
    /// Use on connections of bulk leasequery.
    pub(crate) bulk: bulk::Tls,
    /// Certificate, key and CA; `None` if TLS is not configured.
    pub(crate) tls: Option<Arc<Tls>>,
}

/// The present offer, and counters.
#[derive(Debug)]
pub(crate) struct TlsState {
    offer: ArcSwap<TlsOffer>,
    renewed: AtomicU64,
    rejected: AtomicU64,
}

impl TlsOffer {
    /// Makes the offer of these settings.
    pub(crate) fn new(settings: &Settings, tls: Option<Tls>) -> Self {
        let bulk = match settings.bulk_tls {
            BulkTls::Off => bulk::Tls::Refused,
            BulkTls::Offered => bulk::Tls::Offered,
            BulkTls::Required => bulk::Tls::Required,
        };
        Self { bulk, tls: tls.map(Arc::new) }
    }
}

impl TlsState {
    /// Begins with an offer.
    pub(crate) fn new(offer: TlsOffer) -> Self {
        Self { offer: ArcSwap::from_pointee(offer), renewed: AtomicU64::new(0), rejected: AtomicU64::new(0) }
    }

    /// Returns the present offer.
    pub(crate) fn offer(&self) -> Guard<Arc<TlsOffer>> {
        self.offer.load()
    }

    /// Replaces the offer.
    pub(crate) fn set(&self, offer: TlsOffer) {
        self.offer.store(Arc::new(offer));
    }

    /// Replaces the certificates, unless the offer is another one meanwhile; returns whether it did.
    pub(crate) fn renew(&self, before: &Arc<TlsOffer>, tls: Tls) -> bool {
        let renewed = TlsOffer { tls: Some(Arc::new(tls)), ..TlsOffer::clone(before) };
        let is_renewed = Arc::ptr_eq(&*self.offer.compare_and_swap(before, Arc::new(renewed)), before);
        self.renewed.fetch_add(is_renewed.into(), Ordering::Relaxed);
        is_renewed
    }

    /// Counts changed files that are unusable.
    pub(crate) fn count_rejected(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how often changed files were applied and rejected.
    pub(super) fn renewals(&self) -> [(&'static str, u64); 2] {
        [("applied", &self.renewed), ("rejected", &self.rejected)]
            .map(|(result, count)| (result, count.load(Ordering::Relaxed)))
    }

    /// Returns the last seconds at which certificates are valid, with the label of each.
    pub(super) fn ends(&self) -> Vec<(&'static str, i64)> {
        let offer = self.offer();
        let ends = offer.tls.iter().flat_map(|tls| tls.ends());
        ends.map(|(what, _, end)| (if what == "CA" { "ca" } else { "server" }, end)).collect()
    }

    /// Returns the status; null if TLS is not configured.
    pub(super) fn json(&self) -> Value {
        let ends = self.ends();
        let of = |wanted| ends.iter().find(|(certificate, _)| *certificate == wanted).map(|(_, end)| *end);
        let Some((server, ca)) = of("server").zip(of("ca")) else { return Value::Null };
        let [applied, rejected] = self.renewals().map(|(_, count)| count);
        json!({
            "not_after": { "server": server, "ca": ca },
            "renewals": { "applied": applied, "rejected": rejected },
        })
    }
}
