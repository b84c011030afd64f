//! Holds the rules of the tree that the compiler cannot: who may depend on whom, and where things are.

mod dependencies;
mod layout;
mod sources;
