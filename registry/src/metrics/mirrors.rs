//! What is counted of mirrors: as Distribution counts its proxy, and by upstream what became of asking it.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByKind {
    r#type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByUpstream {
    upstream: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByFailure {
    upstream: String,
    reason: &'static str,
}

/// What is pulled through mirrors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// Manifests.
    Manifest,
    /// Blobs.
    Blob,
}

/// What is counted of mirrors. Upstreams are those of the configuration, so that their number has a bound.
#[derive(Clone, Debug, Default)]
pub struct Mirrors {
    requests: Family<ByKind, Counter>,
    hits: Family<ByKind, Counter>,
    misses: Family<ByKind, Counter>,
    pulled_bytes: Family<ByKind, Counter>,
    pushed_bytes: Family<ByKind, Counter>,
    stale: Family<ByUpstream, Counter>,
    failures: Family<ByFailure, Counter>,
    remaining: Family<ByUpstream, Gauge>,
    evicted_bytes: Family<ByUpstream, Counter>,
    stored_bytes: Family<ByUpstream, Gauge>,
}

/// Counts the bytes of one kind of content that come from upstream.
#[derive(Clone, Debug)]
pub struct Pulls(Counter);

impl Pulls {
    /// So many bytes came.
    pub fn note_pulled(&self, bytes: u64) {
        self.0.inc_by(bytes);
    }
}

impl Pulled {
    fn label(self) -> ByKind {
        ByKind { r#type: if self == Self::Manifest { "manifest" } else { "blob" } }
    }
}

impl Mirrors {
    /// Somebody asked for something, which was stored already if it is a hit.
    pub fn asked(&self, kind: Pulled, is_hit: bool) {
        self.requests.get_or_create(&kind.label()).inc();
        let outcome = if is_hit { &self.hits } else { &self.misses };
        outcome.get_or_create(&kind.label()).inc();
    }

    /// Where bytes from upstream are counted.
    pub fn pulls(&self, kind: Pulled) -> Pulls {
        Pulls(self.pulled_bytes.get_or_create(&kind.label()).clone())
    }

    /// So many bytes are given to a client.
    pub fn pushed(&self, kind: Pulled, bytes: u64) {
        self.pushed_bytes.get_or_create(&kind.label()).inc_by(bytes);
    }

    /// A client got what may be out of date.
    pub fn served_stale(&self, upstream: &str) {
        self.stale.get_or_create(&by(upstream)).inc();
    }

    /// Upstream did not give what it was asked for.
    pub fn failed(&self, upstream: &str, reason: &'static str) {
        self.failures.get_or_create(&ByFailure { upstream: upstream.to_owned(), reason }).inc();
    }

    /// Upstream says that it may be asked so many times still.
    pub fn remaining(&self, upstream: &str, requests: u64) {
        self.remaining.get_or_create(&by(upstream)).set(i64::try_from(requests).unwrap_or(i64::MAX));
    }

    /// So much was removed, because the mirror has a limit.
    pub fn evicted(&self, upstream: &str, bytes: u64) {
        self.evicted_bytes.get_or_create(&by(upstream)).inc_by(bytes);
    }

    /// So much is stored of it.
    pub fn stored(&self, upstream: &str, bytes: u64) {
        self.stored_bytes.get_or_create(&by(upstream)).set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Names everything for a collector, the first five as Distribution does.
    pub(super) fn register(&self, registry: &mut Registry) {
        let proxy = registry.sub_registry_with_prefix("registry_proxy");
        proxy.register("requests", "The number of total incoming proxy requests", self.requests.clone());
        proxy.register("hits", "The number of total proxy requests hits", self.hits.clone());
        proxy.register("misses", "The number of total proxy request misses", self.misses.clone());
        proxy.register(
            "pulled_bytes",
            "The size of total bytes pulled from upstream",
            self.pulled_bytes.clone(),
        );
        proxy.register(
            "pushed_bytes",
            "The size of total bytes pushed to clients",
            self.pushed_bytes.clone(),
        );
        let own = registry.sub_registry_with_prefix("berth_registry_mirror");
        own.register("stale", "Manifests served without an answer of upstream", self.stale.clone());
        own.register("upstream_failures", "Requests that upstream did not serve", self.failures.clone());
        own.register(
            "upstream_requests_remaining",
            "How often upstream may still be asked, as it last told",
            self.remaining.clone(),
        );
        own.register("evicted_bytes", "Bytes removed to keep to the limit", self.evicted_bytes.clone());
        own.register("stored_bytes", "Bytes stored, where there is a limit", self.stored_bytes.clone());
    }
}

fn by(upstream: &str) -> ByUpstream {
    ByUpstream { upstream: upstream.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_as_hits_or_misses() {
        let mirrors = Mirrors::default();
        mirrors.asked(Pulled::Blob, true);
        mirrors.asked(Pulled::Blob, false);
        mirrors.asked(Pulled::Manifest, false);
        mirrors.pulls(Pulled::Blob).note_pulled(7);
        let count = |family: &Family<ByKind, Counter>| family.get_or_create(&Pulled::Blob.label()).get();
        assert_eq!(
            [&mirrors.requests, &mirrors.hits, &mirrors.misses, &mirrors.pulled_bytes].map(count),
            [2, 1, 1, 7]
        );
    }
}
