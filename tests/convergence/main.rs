//! Whatever happens to a Registry and its objects, and whatever happens to the operator's requests: in the end there is what the
//! operator would build now, and then nothing is written any more. And the same with more of everything than anybody has.
//!
//! The operator is a process of its own with a ServiceAccount that has the rights of the chart and no others, and an answer of 403
//! fails the test. A test prints the seed of its choices; `CONVERGENCE_SEED` makes them again, `CONVERGENCE_SECONDS` says for how
//! long.

#![expect(clippy::expect_used, reason = "the helpers of a test may fail it")]
#![expect(clippy::print_stdout, reason = "a proof says what it has seen, and how to see it again")]

mod choices;
mod edits;
mod fixture;
mod measure;
mod proof;
mod scale;
mod shipped;
