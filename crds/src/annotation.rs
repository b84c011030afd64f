//! The annotations that the operator heeds.

/// With the value `true`, the operator changes nothing of the Registry, and says so in the condition `Paused`.
pub const PAUSED: &str = "berth.dev/paused";

/// With any new value, the passwords of `admin` and `pull` are replaced once; on a RegistryAccess, its own.
pub const ROTATE: &str = "berth.dev/rotate";

/// Each new value runs one garbage collection at once, and one that begins with [`DRY_RUN`] a dry run.
pub const COLLECT_GARBAGE: &str = "berth.dev/gc";

/// How the value of [`COLLECT_GARBAGE`] begins that asks for a dry run.
pub const DRY_RUN: &str = "dry-run";

/// Each new value makes every copy of `spec.replication` once, at once.
pub const REPLICATE: &str = "berth.dev/replicate";

/// A value that was not there before asks for a rotation of the certificate authority.
pub const ROTATE_CA: &str = "berth.dev/rotate-ca";
