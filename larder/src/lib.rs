//! The command line of Larder.
//!
//! [`cli`] reads the arguments and prints errors; each subcommand is one file in
//! [`commands`]; [`postgres`] is the server that `larder up` runs when no
//! `DATABASE_URL` names one; [`forecast`] is what `larder plan` tells, [`simulate`] is the virtual month of `larder plan simulate`.

pub mod chart;
pub mod cli;
pub mod commands;
pub mod forecast;
pub mod postgres;
pub mod simulate;
