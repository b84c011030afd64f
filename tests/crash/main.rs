//! Hard times: the process is killed, the power fails, the disk is full, thousands of connections lie idle. What has been acknowledged
//! survives, and a client that was cut off or refused succeeds when it tries again.

mod full_storage;
mod idle_connections;
mod killed_collector;
mod kills;
mod notifications;
mod power;
mod push;
mod storm;
