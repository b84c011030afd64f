//! The three values of a condition.

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub enum Truth {
    True,
    False,
    Unknown,
}
