//! The command line of Larder.
fn main() {}
