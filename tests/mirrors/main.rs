//! Mirrors before real upstreams: the original registry with passwords, another of ours with tokens, and one that misbehaves.

mod clients;
mod crowd;
mod docker;
mod eviction;
mod fixture;
mod misbehaving;
mod node_agent;
mod prefetch;
mod reload;
mod rogue;
mod upstreams;
