//! Tests of this crate from outside, in one binary.

mod config;
