//! Builds the crate again when a migration is added.

#![allow(
    clippy::print_stdout,
    reason = "cargo reads what a build script prints"
)]

fn main() {
    // The macro that compiles the migrations in names the files that it found. Cargo sees those
    // change, and would not see a new one beside them.
    println!("cargo::rerun-if-changed=../migrations");
}
