//! The main job, end to end, as steps that the demo prints and the tests check: install Berth, make a registry of five
//! lines, push to it as a person and as CI do, and run a pod whose image it serves.

mod chart;
mod ci;
mod credentials;
mod hub;
pub mod images;
mod laptop;
mod pod;
mod target;

pub use chart::{install_chart, install_chart_with, uninstall_chart, upgrade_chart};
pub use ci::push_from_ci;
pub use credentials::Credentials;
pub use hub::{HUB, Hub};
pub use laptop::Laptop;
pub use pod::{create_pod, create_pod_of, pod_events, pod_log, pull_was_refused};
pub use target::{Delivered, Target};
