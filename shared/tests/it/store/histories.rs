//! Random histories of the real store, against a provider that counts what arrives.
//!
//! The database's clock is the test's: `clock_timestamp` is looked up by the search path,
//! and a schema of the test stands first in it. So a history can stand still, go to the
//! end of an hour, a day and a month at once, and see each bound from both sides. Requests
//! arrive as late as the promise allows: after a freeze, after the worker's death, after
//! the call was given up.
//!
//! Each of the tests that must fail leaves out what the promise rests on, in the database
//! or in the worker, and expects the provider to count too much.

mod clock;
mod provider;
mod worker;
mod world;

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use self::clock::Clock;
use self::world::{Ending, Habits, World};
use super::*;

/// What happens next. Numbers of calls are taken modulo those that there are.
#[derive(Debug, Clone)]
enum Op {
    /// Time passes; what must have arrived by then, arrives.
    Wait {
        secs: i64,
    },
    /// To the end of the hour, and so many seconds further or less.
    ToBoundary {
        secs: i64,
    },
    Admit {
        calls: usize,
    },
    /// The worker sends, or stops between its look at the clock and the send.
    Send {
        call: usize,
        freezes: bool,
    },
    Arrive {
        call: usize,
        credits: u32,
    },
    End {
        call: usize,
        how: Ending,
    },
    Kill {
        call: usize,
    },
    Heartbeat {
        call: usize,
    },
    Rescue,
    SetCap {
        cap: u32,
    },
    Fold,
    Prune,
}

fn op() -> impl Strategy<Value = Op> {
    let call = 0..8_usize;
    let ending = prop_oneof![
        4 => Just(Ending::Answer),
        2 => Just(Ending::GiveUp),
        1 => Just(Ending::NotSent),
    ];
    let wait = prop::sample::select(vec![1, 4, 5, 6, 10, 29, 31, 60, 61, 70, 101]);
    prop_oneof![
        8 => wait.prop_map(|secs| Op::Wait { secs }),
        2 => prop::sample::select(vec![-31, -6, -5, -1, 0, 1, 5, 6])
            .prop_map(|secs| Op::ToBoundary { secs }),
        8 => (1..5_usize).prop_map(|calls| Op::Admit { calls }),
        8 => (call.clone(), prop::bool::weighted(0.3))
            .prop_map(|(call, freezes)| Op::Send { call, freezes }),
        6 => (call.clone(), 0..4_u32).prop_map(|(call, credits)| Op::Arrive { call, credits }),
        6 => (call.clone(), ending).prop_map(|(call, how)| Op::End { call, how }),
        1 => call.clone().prop_map(|call| Op::Kill { call }),
        2 => call.prop_map(|call| Op::Heartbeat { call }),
        4 => Just(Op::Rescue),
        1 => prop::sample::select(vec![2, 3, 6, 9]).prop_map(|cap| Op::SetCap { cap }),
        1 => Just(Op::Fold),
        1 => Just(Op::Prune),
    ]
}

/// How many histories are tried: `LARDER_HISTORIES`, then with other numbers each time.
fn tried() -> Option<u32> {
    std::env::var("LARDER_HISTORIES").ok()?.parse().ok()
}

/// Plays histories; answers the first that went wrong, and why.
async fn play(
    pool: sqlx::PgPool,
    limits: fn() -> Vec<LimitSpec>,
    habits: Habits,
    leave_out: Option<(&'static str, &'static str)>,
    histories: u32,
) -> Option<String> {
    let clock = Clock::start(&pool).await;
    let store = Store::new(clock.pool().clone());
    let expected_to_hold = leave_out.is_none() && habits == Habits::GOOD;
    let world = Arc::new(World {
        store,
        clock,
        limits,
        habits,
    });
    world.prepare().await;
    if let Some((part, instead)) = leave_out {
        world.clock.rewrite_usage(part, instead).await;
    }
    let config = Config {
        cases: histories,
        max_shrink_iters: if expected_to_hold { 200 } else { 0 },
        failure_persistence: None,
        ..Config::default()
    };
    let runtime = tokio::runtime::Handle::current();
    let found = tokio::task::spawn_blocking(move || {
        let mut runner = match tried() {
            Some(_) => TestRunner::new(config),
            None => {
                let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
                TestRunner::new_with_rng(config, rng)
            }
        };
        runner.run(&prop::collection::vec(op(), 20..60), |ops| {
            let played = runtime.block_on(world.history(&ops));
            played.map_err(TestCaseError::fail)
        })
    })
    .await
    .unwrap();
    match found {
        Ok(()) => None,
        Err(TestError::Fail(why, ops)) => Some(format!("{why}\n{ops:#?}")),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

/// A minute that rolls, an hour, a day and a month that end together, and calls at once.
fn all_limits() -> Vec<LimitSpec> {
    let calendar = |name, period, cap| {
        let window = LimitWindow::Calendar {
            period,
            zone: "UTC".to_owned(),
            anchor_day: 1,
            anchor_time: chrono::NaiveTime::MIN,
        };
        limit(name, Unit::Credits, cap, window)
    };
    let minute = LimitWindow::Rolling(Duration::from_secs(60));
    vec![
        calendar("hour", Period::Hour, 9),
        calendar("day", Period::Day, 14),
        calendar("month", Period::Month, 16),
        limit("minute", Unit::Requests, 3, minute),
        limit("in_flight", Unit::Requests, 2, LimitWindow::Concurrency),
    ]
}

fn a_minute() -> Vec<LimitSpec> {
    let minute = LimitWindow::Rolling(Duration::from_secs(60));
    vec![limit("minute", Unit::Requests, 2, minute)]
}

fn an_hour() -> Vec<LimitSpec> {
    all_limits().into_iter().take(1).collect()
}

fn one_call_an_hour() -> Vec<LimitSpec> {
    let mut limits = an_hour();
    limits[0].cap = 3;
    limits
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn no_history_of_the_real_store_overspends(pool: sqlx::PgPool) {
    let histories = tried().unwrap_or(20);
    for limits in [all_limits, a_minute, an_hour, one_call_an_hour] {
        let found = play(pool.clone(), limits, Habits::GOOD, None, histories).await;
        assert!(found.is_none(), "{}", found.unwrap_or_default());
    }
}

/// Expects that some history goes wrong when the rule is left out.
async fn overspends(
    pool: sqlx::PgPool,
    limits: fn() -> Vec<LimitSpec>,
    habits: Habits,
    leave_out: Option<(&'static str, &'static str)>,
) {
    let found = play(pool, limits, habits, leave_out, 400).await;
    let found = found.expect("nothing went wrong without this rule");
    assert!(found.contains("the provider counts"), "{found}");
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn hole_01_without_a_hold_after_the_lease_it_fails(pool: sqlx::PgPool) {
    let habits = Habits {
        no_hold: true,
        ..Habits::GOOD
    };
    overspends(pool, a_minute, habits, None).await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn hole_01_without_a_look_at_the_clock_before_the_send_it_fails(pool: sqlx::PgPool) {
    let habits = Habits {
        sends_at_any_time: true,
        ..Habits::GOOD
    };
    overspends(pool, a_minute, habits, None).await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn hole_02_without_the_charge_of_unfinished_calls_to_the_next_window_it_fails(
    pool: sqlx::PgPool,
) {
    let leave_out = (
        "where c.reserved_at - n.reset_grace < w.ends_at",
        "where c.reserved_at - n.reset_grace < w.ends_at
         and (c.settled_at is not null or c.reserved_at >= w.starts_at)",
    );
    overspends(pool, an_hour, Habits::GOOD, Some(leave_out)).await;
}

/// A history that random ones seldom come to: it overspends with these habits, and not
/// with good ones.
async fn this_one_overspends(
    pool: sqlx::PgPool,
    limits: fn() -> Vec<LimitSpec>,
    habits: Habits,
    ops: &[Op],
) {
    for (habits, holds) in [(Habits::GOOD, true), (habits, false)] {
        let clock = Clock::start(&pool).await;
        let world = World {
            store: Store::new(clock.pool().clone()),
            clock,
            limits,
            habits,
        };
        world.prepare().await;
        let played = world.history(ops).await;
        assert_eq!(played.is_ok(), holds, "{habits:?}: {played:?}");
    }
}

/// A call is admitted, sent, counted and answered.
fn a_whole_call() -> [Op; 4] {
    [
        Op::Admit { calls: 1 },
        Op::Send {
            call: 0,
            freezes: false,
        },
        Op::Arrive {
            call: 0,
            credits: 3,
        },
        Op::End {
            call: 0,
            how: Ending::Answer,
        },
    ]
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn hole_02_without_grace_for_the_providers_clock_it_fails(pool: sqlx::PgPool) {
    let habits = Habits {
        no_grace: true,
        ..Habits::GOOD
    };
    let mut ops = vec![Op::ToBoundary { secs: -1 }];
    ops.extend(a_whole_call());
    ops.push(Op::Wait { secs: 1 });
    ops.extend(a_whole_call());
    this_one_overspends(pool, one_call_an_hour, habits, &ops).await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn hole_03_without_the_way_of_a_call_that_was_given_up_it_fails(pool: sqlx::PgPool) {
    let habits = Habits {
        no_transit: true,
        ..Habits::GOOD
    };
    overspends(pool, a_minute, habits, None).await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn without_the_occupancy_after_the_end_of_a_call_it_fails(pool: sqlx::PgPool) {
    let leave_out = (
        "from larder.ended_since(l.provider, p_at - coalesce(l.width, interval '0')) e",
        "from (
            select coalesce(sum(c.requests), 0) as requests, coalesce(sum(c.credits), 0) as credits,
                   0 as reader_requests, 0 as reader_credits
            from larder.api_calls c
            where c.provider = l.provider and c.settled_at is not null
              and c.reserved_at >= p_at - coalesce(l.width, interval '0')
         ) e",
    );
    overspends(pool, a_minute, Habits::GOOD, Some(leave_out)).await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn hole_06_with_a_client_that_sends_again_it_fails(pool: sqlx::PgPool) {
    let habits = Habits {
        sends_twice: true,
        ..Habits::GOOD
    };
    overspends(pool, a_minute, habits, None).await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn hole_07_with_a_broken_connection_taken_for_not_sent_it_fails(pool: sqlx::PgPool) {
    let habits = Habits {
        takes_broken_for_unsent: true,
        ..Habits::GOOD
    };
    let mut ops = Vec::new();
    for _ in 0..3 {
        ops.extend(a_whole_call());
        if let Some(Op::End { how, .. }) = ops.last_mut() {
            *how = Ending::GiveUp;
        }
    }
    this_one_overspends(pool, a_minute, habits, &ops).await;
}
