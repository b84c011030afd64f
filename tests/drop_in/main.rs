//! Our registry takes the place of the original, and gives it back: both serve one folder in turn, with one configuration.
//!
//! The original is Debian's package `docker-registry`, release 2.8 of the CNCF Distribution project.

mod clients;
mod from_berth;
mod from_original;
mod garbage_collection;
mod site;
mod tree;
mod uploads;
mod view;
