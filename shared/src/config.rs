//! What the operator may say, as typed structs.

pub mod provider;
