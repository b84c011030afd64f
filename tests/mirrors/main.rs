//! Mirrors before real upstreams: the original registry with passwords, another of ours with tokens, and one that misbehaves.

mod clients;
mod crowd;
mod eviction;
mod fixture;
mod misbehaving;
mod rogue;
mod upstreams;
