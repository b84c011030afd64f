//! The annotations that the operator heeds.

/// With the value `true`, the operator changes nothing of the Registry, and says so in the condition `Paused`.
pub const PAUSED: &str = "berth.dev/paused";

/// With any new value, the passwords of `admin` and `pull` are replaced once; on a RegistryAccess, its own.
pub const ROTATE: &str = "berth.dev/rotate";
