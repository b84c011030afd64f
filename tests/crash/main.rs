//! What has been acknowledged survives `kill -9`, and a client that was cut off succeeds when it tries again.

mod notifications;
mod push;
