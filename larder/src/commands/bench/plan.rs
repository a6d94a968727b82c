//! `larder bench plan`: how long the solver and a plan take, and what a plan writes.
//!
//! The solver runs on one core over items with reads by Zipf's law and lognormal-like
//! changes. The plan runs over rows of the example's provider: the first one rewrites all of
//! them, the next ones are the steady state.

use std::time::{Duration, Instant};

use serde::Serialize;
use shared::catalog::Catalog;
use shared::config::Secrets;
use shared::config::Source;
use shared::plan::{Item, Objective, solve};
use shared::planner;

use super::place::Place;
use super::report::Report;
use crate::cli::Failure;
use crate::commands::connect::failure;

/// Plans that are measured in the steady state.
const PLANS: u32 = 5;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Items that the solver gets
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    items: u32,
    /// Resources that are planned in rows
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    resources: u32,
    /// Print JSON lines
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Serialize)]
struct Solved {
    bench: &'static str,
    of: &'static str,
    items: u32,
    seconds: f64,
}

#[derive(Serialize)]
struct Planned {
    bench: &'static str,
    of: &'static str,
    resources: usize,
    rewritten: usize,
    seconds: f64,
    log_megabytes: f64,
}

/// Measures both.
pub(super) async fn run(
    arguments: &Arguments,
    place: &Place,
    report: &mut Report,
) -> Result<(), Failure> {
    let items = items(arguments.items);
    for objective in [Objective::Age, Objective::Fresh, Objective::Lag] {
        report.doing("solving");
        let began = Instant::now();
        solve(objective, &items, 1.0).map_err(|error| Failure::from(&error))?;
        let took = Solved {
            bench: "solve",
            of: objective.as_str(),
            items: arguments.items,
            seconds: began.elapsed().as_secs_f64(),
        };
        let of = format!("solve for {}", took.of);
        report.add(
            &of,
            &format!("{:.3} s", took.seconds),
            &format!("{} items", took.items),
            &took,
        )?;
    }
    report.doing("filling rows");
    let source = Source::default();
    let (catalog, _) = Catalog::load(&source).map_err(|error| Failure::from(&error))?;
    let secrets = Secrets::read(&source.environment, []).map_err(|error| Failure::from(&error))?;
    let store = place.store(2)?;
    let synced = store.sync(&catalog.lanes(&secrets), &[]).await;
    synced.map_err(|error| failure(&error))?;
    let provider = catalog
        .providers()
        .next()
        .ok_or_else(|| Failure::new("no provider"))?;
    let filled = store.fill_planned(
        provider.name().as_str(),
        "quotes_latest?id=*",
        arguments.resources,
    );
    filled.await.map_err(|error| failure(&error))?;
    for nth in 0..=PLANS {
        report.doing("planning");
        let before = store
            .log_position()
            .await
            .map_err(|error| failure(&error))?;
        let began = Instant::now();
        let made = planner::plan_if_older(&store, catalog.config(), provider, Duration::ZERO).await;
        let made = made.map_err(|error| Failure::from(&error))?;
        let seconds = began.elapsed().as_secs_f64();
        let after = store
            .log_position()
            .await
            .map_err(|error| failure(&error))?;
        let made = made.ok_or_else(|| Failure::new("somebody else plans"))?;
        let planned = Planned {
            bench: "plan",
            of: if nth == 0 { "first" } else { "steady" },
            resources: made.resources,
            rewritten: made.rewritten,
            seconds,
            log_megabytes: (after - before) / 1e6,
        };
        let note = format!(
            "{} rewritten, {:.2} MB of log",
            planned.rewritten, planned.log_megabytes
        );
        let of = format!("{} plan of {} rows", planned.of, planned.resources);
        report.add(&of, &format!("{:.3} s", planned.seconds), &note, &planned)?;
    }
    Ok(())
}

/// Items whose rates spread over several decades.
fn items(many: u32) -> Vec<Item> {
    // Even steps of the golden ratio: spread like chance, and the same each time.
    let spread = |nth: u32| (f64::from(nth) * 0.618_033_988_749_895).fract();
    (1..=many)
        .map(|nth| Item {
            reads: 1_000.0 / f64::from(nth),
            changes: 1e-4 * (8.0 * (spread(nth) - 0.5)).exp(),
            cost: 0.01,
            min_rate: if spread(nth) < 0.2 {
                1e-6 * spread(nth)
            } else {
                0.0
            },
            max_rate: if spread(nth) > 0.5 {
                1e-3
            } else {
                f64::INFINITY
            },
        })
        .collect()
}
