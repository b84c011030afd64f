//! Mirrors before real upstreams: the original registry with passwords, another of ours with tokens, and one that misbehaves.

mod clients;
mod crowd;
mod docker;
mod eviction;
mod fixture;
mod misbehaving;
mod prefetch;
mod rogue;
mod upstreams;
