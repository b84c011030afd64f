//! What each replica of a Registry reports to have in force.

/// The files in force at the replicas.
#[derive(Debug, Default, Clone)]
pub struct Loaded {}

impl Loaded {
    /// Whether every replica has these bytes of a file in force: true without replicas.
    pub fn all_have(&self, _path: &str, _digest: &str) -> bool {
        true
    }
}
