//! The operator's program between a test and a real API server: started, paused and stopped as a process, with every request of
//! it noted on the way, and spoilt where a test asks for that.

mod connection;
mod faults;
mod gateway;
mod process;

pub use connection::connection;
pub use faults::{Fault, Faults};
pub use gateway::{Gateway, Request};
pub use process::{OperatorProcess, Options, program};
