//! The annotations of a Registry that the operator heeds.

/// With the value `true`, the operator changes nothing of the Registry, and says so in the condition `Paused`.
pub const PAUSED: &str = "berth.dev/paused";

/// A value that was not there before asks for a rotation of the certificate authority.
pub const ROTATE_CA: &str = "berth.dev/rotate-ca";
