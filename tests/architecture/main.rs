//! Holds the rules of the tree that the compiler cannot: who may depend on whom, and where things are.

#![expect(clippy::expect_used, reason = "these are tests: what they cannot read fails them")]

mod dependencies;
mod layout;
mod sources;
