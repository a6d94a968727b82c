//! Tests of `shared` from outside, and of the layout of the whole workspace.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails; clippy allows it in test functions only"
)]

mod layout;
