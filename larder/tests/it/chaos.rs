//! Everything that can go wrong, at random and at once, against real processes.
//!
//! Workers and an enqueuer run as they are shipped, against a durable Postgres of the
//! run's own and a sandbox for each provider, whose ledger shares no code with the budget.
//! While every lane is kept in backlog, workers are killed and stopped, the database
//! restarts, connections are cut, providers fail in their ways, and the clocks of workers
//! are wrong by ten minutes. Then the run is judged by what it left behind:
//!
//! | what must hold                                                    | judged by    |
//! |-------------------------------------------------------------------|--------------|
//! | no window of any limit holds more than its cap at the provider    | [`windows`]  |
//! | every request that came had a reservation in force                | [`matching`] |
//! | at no moment does the ledger have less than the provider counted  | [`watch`]    |
//! | it has more only of what killed workers had in flight, and of     | [`verdict`]  |
//! | admissions whose commit a lost connection did not confirm         |              |
//! | every accepted job ends exactly once                              | [`audit`]    |
//! | and as it must: nothing fails but what has to                     | [`expected`] |
//! | whoever stopped in order holds nothing any more                   | [`verdict`]  |
//! | no entry is older than the one that it replaced                   | [`audit`]    |
//! | nobody who is dead holds a lease                                  | [`watch`]    |
//!
//! The short form is a test like any other. `scripts/chaos 600` runs the long one, with
//! the length in seconds, and prints the figures. That one also has the database away for
//! long, silent connections, a full disk, statements that fail or take too long, a pool that
//! is used up, workers told to stop, and jobs that panic, hang, abort, or are not understood:
//! [`faults`] has the list. Choices come from a seed that is printed;
//! `LARDER_CHAOS_SEED` repeats them, though not the instants at which they meet the others.
//!
//! # Not here
//!
//! Freezes longer than `max_freeze`, requests that travel for longer than `max_transit`,
//! a database that loses what it committed: outside the promise. Discovered limits and
//! what others spend: the sandbox's own tests and those of the store.

#![allow(
    clippy::print_stdout,
    reason = "the figures of a run, which the test harness keeps unless asked for"
)]

mod audit;
pub(crate) mod crew;
pub(crate) mod database;
mod dice;
pub(crate) mod disk;
mod expected;
mod faults;
mod feeder;
mod lanes;
mod matching;
mod misbehaving;
mod obstacles;
pub(crate) mod process;
pub(crate) mod programs;
pub(crate) mod relay;
mod trouble;
mod usage;
mod verdict;
mod watch;
mod windows;
mod world;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crew::Crew;
use dice::Dice;
use feeder::Feeder;
use misbehaving::Misbehaving;
use verdict::Run;
use watch::Watch;
use worker::Handler;
use world::{Form, World, now};

/// How long the faults of the short form go on.
const SHORT: Duration = Duration::from_secs(24);

/// How long the short form measures what can be used.
const SHORT_MEASURE: Duration = Duration::from_secs(20);

/// Whole minutes are in it, and the long form measures no longer.
const LONG_MEASURE: Duration = Duration::from_secs(200);

/// Workers at any moment.
const WORKERS: usize = 4;

/// Longest wait for work that is left to end by itself, before it is cancelled.
const DRAIN: Duration = Duration::from_secs(5);

/// Longest wait for anything that must come: a slow machine is no failure.
const PATIENCE: Duration = Duration::from_secs(120);

/// The length of the long form, if it was asked for.
fn asked_for() -> Option<Duration> {
    let secs = std::env::var("LARDER_CHAOS_SECS").ok()?;
    Some(Duration::from_secs(secs.parse().unwrap()))
}

fn seed() -> u64 {
    let given = std::env::var("LARDER_CHAOS_SEED").ok();
    given.map_or_else(
        || now().timestamp_micros().cast_unsigned(),
        |seed| seed.parse().unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn chaos_overspends_nothing_and_loses_nothing() {
    let (length, seed) = (asked_for().unwrap_or(SHORT), seed());
    let form = match asked_for() {
        Some(_) => Form::Long,
        None => Form::Short,
    };
    println!("chaos for {} s, seed {seed}", length.as_secs());
    let world = World::start(|began| lanes::under_faults(began, length), seed, form).await;
    trouble::script(&world);
    let round = faults::round(&world, form);
    let mut dice = Dice::new(seed);
    let mut crew = Crew::start(&world, WORKERS);
    let (feeder, watch) = (Feeder::new(), Watch::default());
    let (full, over) = (CancellationToken::new(), CancellationToken::new());

    let faults = async {
        until("every lane works", async || all_work(&world)).await;
        let injected =
            faults::inject(&world, (&mut crew, &feeder), &mut dice, length, &round).await;
        until("everything has been met", async || {
            all_met(&world, &watch).await
        })
        .await;
        // Nobody cancels these: each has an end of its own.
        until("what misbehaves ends", async || {
            audit::live(&world.pool, Misbehaving::KIND).await == 0
        })
        .await;
        full.cancel();
        crew.all_awake().await;
        drain(&world, &feeder).await;
        over.cancel();
        injected
    };
    let misbehaving = async {
        match form {
            Form::Short => None,
            Form::Long => Some(misbehaving::run(&world, &over).await),
        }
    };
    let (injected, (), (), misbehaved) = tokio::join!(
        faults,
        feeder.feed(&world, seed, &full),
        watch.run(&world, &over),
        misbehaving,
    );
    let mut done = crew.dismiss().await;
    if let Some(misbehaved) = misbehaved {
        done.add(misbehaved);
    }
    watch.look(&world).await;

    let fed = std::mem::take(&mut *feeder.fed.lock().unwrap());
    let seen = std::mem::take(&mut *watch.seen.lock().unwrap());
    let run = Run {
        world: &world,
        round: &round,
        injected: &injected,
        done: &done,
        fed: &fed,
        seen: &seen,
    };
    let wrong = verdict::judge(&run).await;
    world.stop().await;
    assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
}

/// Waits for something that only a slow machine keeps away.
async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !look().await {
        if began.elapsed() > PATIENCE {
            // The verdict says what it was.
            println!("not before {} s: {what}", PATIENCE.as_secs());
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn all_work(world: &World) -> bool {
    let mut lanes = world.lanes.iter();
    lanes.all(|lane| lane.upstream.total().requests > 0)
}

/// Whether the run has seen what it is there for.
async fn all_met(world: &World, watch: &Watch) -> bool {
    let replaced = !audit::replaced(&world.pool).await.is_empty();
    let seen = watch.seen.lock().unwrap();
    let troubles = seen.troubles();
    let met = trouble::names()
        .iter()
        .all(|name| troubles.contains_key(name));
    replaced && met && !seen.crossed(&world.lanes).is_empty()
}

/// Lets the work end, cancels what does not in time, and waits until nothing is held.
async fn drain(world: &World, feeder: &Feeder) {
    for lane in &world.lanes {
        lane.upstream.clear_troubles();
    }
    let began = Instant::now();
    let mut cancelled = false;
    until("all work ends", async || {
        if !cancelled && began.elapsed() > DRAIN {
            feeder.cancel_all(world).await;
            cancelled = true;
        }
        audit::left_over(&world.pool).await == (0, 0, 0)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn backlog_uses_what_the_caps_allow() {
    let length = match asked_for() {
        Some(length) => length.min(LONG_MEASURE),
        None => SHORT_MEASURE,
    };
    let seed = seed();
    println!("measuring for {} s, seed {seed}", length.as_secs());
    let began = now();
    let world = World::start(
        |began| lanes::without_faults(began, length),
        seed,
        Form::Short,
    )
    .await;
    let crew = Crew::start(&world, 2);
    let (feeder, watch) = (Feeder::new(), Watch::default());
    let stop = CancellationToken::new();
    let (_, (), ()) = tokio::join!(
        async {
            tokio::time::sleep(length).await;
            // A day's cap is there to be used up; how soon is a matter of speed.
            until("the day is used up", async || {
                used_up(&world, &watch, began)
            })
            .await;
            stop.cancel();
        },
        feeder.feed(&world, seed, &stop),
        watch.run(&world, &stop),
    );
    let ended = now();
    let done = crew.dismiss().await;
    watch.look(&world).await;

    let mut wrong = Vec::new();
    let ledger = audit::ledger(&world.pool).await;
    println!(
        "\n{:<22} {:>6} {:>8} {:>8} {:>10}",
        "limit", "cap", "used", "share", "occupied"
    );
    for lane in &world.lanes {
        let seen = watch.seen.lock().unwrap();
        let arrivals = seen.of(lane.spec.name);
        let calls = ledger.iter().filter(|call| call.provider == lane.spec.name);
        let calls: Vec<_> = calls.cloned().collect();
        for limit in &lane.spec.limits {
            let place = format!("{}.{}", lane.spec.name, limit.name);
            let most = windows::count(limit, arrivals).most;
            if most > limit.cap {
                wrong.push(format!("{place}: {most} of {}", limit.cap));
            }
            let Some(used) = usage::of(limit, arrivals, &calls, (began, ended)) else {
                continue;
            };
            println!(
                "{place:<22} {:>6} {:>8.1} {:>6.1} % {:>8.3} s",
                limit.cap,
                used.amount,
                used.share() * 100.0,
                used.occupied
            );
            // How soon a lane that rolls is open again is a matter of speed: the short form
            // also runs where other programs take most of the machine.
            let rolls = matches!(limit.window, lanes::Window::Rolling(_));
            let bar = if rolls && asked_for().is_none() {
                0.5
            } else {
                0.95
            };
            if used.share() < bar {
                wrong.push(format!(
                    "{place}: only {:.1} % was used",
                    used.share() * 100.0
                ));
            }
        }
        let requests: i64 = calls.iter().map(|call| i64::from(call.requests)).sum();
        let counted = lane.upstream.total().requests.cast_signed();
        if requests != counted {
            wrong.push(format!(
                "{}: {requests} in the ledger, {counted} came",
                lane.spec.name
            ));
        }
    }
    println!(
        "workers: {} started, {} clocks off",
        done.started, done.clocks_off
    );
    world.stop().await;
    assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
}

/// Whether nothing is left of the days that began during the run.
fn used_up(world: &World, watch: &Watch, began: DateTime<Utc>) -> bool {
    let seen = watch.seen.lock().unwrap();
    world.lanes.iter().all(|lane| {
        let arrivals = seen.of(lane.spec.name);
        let days = lane.spec.limits.iter();
        let mut days = days.filter(|limit| matches!(limit.window, lanes::Window::Day(_)));
        days.all(|day| {
            let used = usage::of(day, arrivals, &[], (began, now()));
            used.is_none_or(|used| used.share() >= 0.95)
        })
    })
}
