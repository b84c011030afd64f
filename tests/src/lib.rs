//! What the tests of the whole need: foreign programs, a real Kubernetes, and container images.

pub mod chart;
pub mod cluster;
pub mod command;
pub mod demo;
pub mod digest;
pub mod docker_engine;
pub mod fault_proxy;
pub mod fleet;
pub mod http;
pub mod image;
#[cfg(feature = "outer-rings")]
pub mod operator;
pub mod programs;
pub mod registry_process;
pub mod registry_server;
pub mod s3_server;
pub mod storage;
pub mod trial;
pub mod workspace;
