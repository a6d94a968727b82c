//! `larder plan simulate`: what the planner would come to in a month, in seconds.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use shared::plan::{Objective, SolveError};

use super::super::progress::Progress;
use super::super::table::{print_json, print_table, print_text};
use crate::chart::{Bar, bars};
use crate::cli::{Failure, Outcome, say};
use crate::simulate::{
    Gate, Gates, MONTH, READS, Scenario, Seen, Tally, World, fixed_interval, offline_limit,
    read_through, simulate,
};

/// The number of readers that the published tables are for.
const REFERENCE: f64 = 100.0;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What is made least: age, fresh or lag
    #[arg(long, default_value = "lag", value_parser = super::objective)]
    objective: Objective,
    /// What everything random comes from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Times 10,000 reads a month; the figures that must be met are for 100
    #[arg(long, default_value_t = REFERENCE)]
    readers: f64,
    /// Items to be kept
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    items: u32,
    /// Items that one credit pays for
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    batch: u32,
    /// Credits of the month
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    credits: u32,
    /// Seconds from one plan to the next
    #[arg(long, default_value_t = 300.0)]
    plan_every: f64,
    /// Let reads of unusually old copies wait for a call
    #[arg(long)]
    triggers: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Also draw the comparison into this file, as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// One way to spend the credits, and what it came to.
#[derive(Debug, Clone, Serialize)]
struct Line {
    policy: String,
    credits: f64,
    #[serde(flatten)]
    seen: Seen,
}

#[derive(Debug, Serialize)]
struct Report {
    objective: Objective,
    seed: u64,
    reads: u64,
    budget: f64,
    offline_limit: f64,
    policies: Vec<Line>,
    after_day_3: Seen,
    plans: u64,
    intervals_rewritten: u64,
    gates: Vec<Gate>,
    gates_met: bool,
}

/// Runs the month and those to compare with.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    if !(arguments.readers > 0.0 && arguments.readers <= 10_000.0) {
        return Err(Failure::new("--readers must be above 0 and at most 10000"));
    }
    if !(arguments.plan_every >= 60.0 && arguments.plan_every <= MONTH) {
        return Err(Failure::new("--plan-every must be at least 60 seconds"));
    }
    let report = report(arguments).map_err(|error| Failure::from(&error))?;
    if let Some(file) = &arguments.svg {
        std::fs::write(file, picture(&report)).map_err(|error| {
            Failure::new(format!("{} cannot be written: {error}", file.display()))
        })?;
    }
    if arguments.json {
        print_json(&report)?;
    } else {
        show(&report);
    }
    Ok(match report.gates_met {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn report(arguments: &Arguments) -> Result<Report, SolveError> {
    let world = World {
        batch: arguments.batch as usize,
        credits: f64::from(arguments.credits),
        ..World::of(arguments.items as usize, arguments.readers, arguments.seed)
    };
    let reference = World::reference(REFERENCE, arguments.seed);
    let scenario = Scenario {
        objective: arguments.objective,
        plan_every: arguments.plan_every,
        triggers: arguments.triggers,
    };
    // What must hold was found for the reference world.
    let has_gates = world == reference;
    let months = if has_gates { 1 + Gates::MONTHS } else { 1 };
    let progress = Progress::of(30 * months as u64);
    let each_day = || progress.step();
    progress.doing("a month");
    let main = simulate(&world, &scenario, &each_day)?;
    progress.doing("months of other worlds");
    let line = |policy: &str, tally: &Tally, credits: f64| Line {
        policy: policy.to_owned(),
        credits,
        seen: tally.seen(),
    };
    let (fixed, fixed_credits) = fixed_interval(&world);
    let (through, through_credits, gone) = read_through(&world, 300.0);
    let gone = gone.map_or_else(String::new, |at| {
        format!(", credits gone after {}", days(at))
    });
    let gates = match has_gates {
        true => Gates::of(&scenario, &world, &main, arguments.readers, &each_day)?,
        false => Gates(Vec::new()),
    };
    Ok(Report {
        objective: arguments.objective,
        seed: arguments.seed,
        reads: (arguments.readers * READS) as u64,
        budget: world.credits,
        offline_limit: offline_limit(&world, arguments.objective)?,
        policies: vec![
            line("planner", &main.all, main.credits),
            line("fixed interval for all", &fixed, fixed_credits),
            line(
                &format!("read-through, 5 min{gone}"),
                &through,
                through_credits,
            ),
        ],
        after_day_3: main.learnt.seen(),
        plans: main.plans,
        intervals_rewritten: main.rewritten,
        gates_met: gates.are_met(),
        gates: gates.0,
    })
}

fn picture(report: &Report) -> String {
    let (what, own): (_, fn(&Seen) -> f64) = match report.objective {
        Objective::Age => ("age", |seen| seen.mean_age_minutes),
        _ => ("lag", |seen| seen.mean_lag_minutes),
    };
    let bar = |line: &Line| Bar {
        name: line.policy.clone(),
        value: own(&line.seen),
        text: format!("{:.1} min", own(&line.seen)),
    };
    let title = format!(
        "Mean {what} that readers get, {:.0} credits a month, {} reads",
        report.budget, report.reads
    );
    bars(&title, &report.policies.iter().map(bar).collect::<Vec<_>>())
}

fn days(seconds: f64) -> String {
    let hours = seconds / 3_600.0;
    match hours < 48.0 {
        true => format!("{hours:.0} h"),
        false => format!("{:.0} d", hours / 24.0),
    }
}

fn show(report: &Report) {
    let objective = report.objective.as_str();
    let limit = match report.objective {
        Objective::Fresh => format!("{:.1} % stale", report.offline_limit * 100.0),
        _ => format!("{:.2} min", report.offline_limit),
    };
    print_text(&format!(
        "{} reads in a month, {} credits, seed {}; objective {objective}, offline limit {limit}",
        report.reads, report.budget, report.seed
    ));
    say("\n");
    print_table(
        ["policy", "credits", "age", "lag", "fresh", "p95 age"],
        &["credits", "age", "lag", "fresh", "p95 age"],
        report.policies.iter().map(|line| {
            [
                line.policy.clone(),
                format!("{:.0}", line.credits),
                format!("{:.2} min", line.seen.mean_age_minutes),
                format!("{:.2} min", line.seen.mean_lag_minutes),
                format!("{:.1} %", line.seen.fresh * 100.0),
                format!("{:.0} min", line.seen.p95_age_minutes),
            ]
        }),
    );
    if report.gates.is_empty() {
        return;
    }
    say("\n");
    print_table(
        ["what must hold", "is", "bound", "met"],
        &["is", "bound"],
        report.gates.iter().map(|gate| {
            let side = if gate.at_least { ">=" } else { "<=" };
            [
                gate.name.to_owned(),
                format!("{:.4}", gate.value),
                format!("{side} {}", gate.bound),
                if gate.met { "yes" } else { "NO" }.to_owned(),
            ]
        }),
    );
}
