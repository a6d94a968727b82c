//! The command line of Larder.
//!
//! [`cli`] reads the arguments and prints errors; each subcommand is one file in
//! [`commands`]; [`postgres`] is the server that `larder up` runs when no
//! `DATABASE_URL` names one; [`simulate`] is the virtual month of `larder plan simulate`.

pub mod cli;
pub mod commands;
pub mod postgres;
pub mod simulate;
