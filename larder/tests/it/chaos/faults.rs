//! What goes wrong, when, and how often.
//!
//! Faults of processes and of the database come one after the other, in a shuffled order
//! that contains each kind; then the next shuffle begins. Trouble of the providers hits a
//! share of all calls, and each kind of it at least one call of every lane.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::crew::Crew;
use super::database::Restart;
use super::dice::Dice;
use super::feeder::Feeder;
use super::lanes::{LEASE, MAX_FREEZE};
use super::misbehaving::Misdeed;
use super::obstacles;
use super::process::can_be_first;
use super::trouble::hang_some;
use super::world::{Form, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// SIGKILL to a worker.
    Kill,
    /// SIGSTOP to a worker with a call in flight for longer than its lease, then SIGCONT.
    Stop,
    /// The same to a worker that is admitting calls.
    StopAdmitting,
    /// SIGTERM to a worker with work in hand, and another one in its place.
    Exchange,
    /// The same, and the other one is the first process of a namespace.
    ExchangeFirst,
    /// The database restarts, sessions being ended.
    RestartFast,
    /// The database restarts without a checkpoint, and recovers.
    RestartImmediate,
    /// The same, and it is away for 5 s.
    AwayShortly,
    /// The same, and it is away for a minute.
    AwayLong,
    /// Every connection to the database is cut on its way.
    Cut,
    /// The connections that listen fall silent.
    SilentListeners,
    /// All connections fall silent.
    Silent,
    /// The database ends some of its sessions.
    EndSessions,
    /// The disk of the database is full.
    DiskFull,
    /// A table is locked for longer than a statement may take.
    TimeOuts,
    /// Statements end as victims of deadlocks.
    Deadlocks,
    /// Statements end as what could not be serialized.
    NotSerializable,
    /// Jobs take all connections of their worker's pool.
    PoolUsedUp,
    /// Jobs panic, once or each time.
    Panics,
    /// A job never ends.
    Hang,
    /// A job ends its process, each time.
    Abort,
    /// A job's arguments are not what its handler takes.
    BadArgs,
    /// SIGKILL to the enqueuer.
    KillEnqueuer,
}

/// One round of the short form: killing and stopping workers is the more interesting half.
const SHORT: [Fault; 9] = [
    Fault::Kill,
    Fault::Kill,
    Fault::Stop,
    Fault::StopAdmitting,
    Fault::RestartFast,
    Fault::RestartImmediate,
    Fault::Cut,
    Fault::EndSessions,
    Fault::KillEnqueuer,
];

/// What comes to it in one round of the long form.
const LONG: [Fault; 15] = [
    Fault::Exchange,
    Fault::ExchangeFirst,
    Fault::AwayShortly,
    Fault::AwayLong,
    Fault::SilentListeners,
    Fault::Silent,
    Fault::DiskFull,
    Fault::TimeOuts,
    Fault::Deadlocks,
    Fault::NotSerializable,
    Fault::PoolUsedUp,
    Fault::Panics,
    Fault::Hang,
    Fault::Abort,
    Fault::BadArgs,
];

/// From one fault to the next, if there is time for that.
const GAP: Duration = Duration::from_secs(4);

/// How long the database is away at most.
const LONGEST_AWAY: Duration = Duration::from_secs(60);

/// How often each fault was injected.
pub(crate) type Injected = BTreeMap<Fault, usize>;

/// One round: what a run of this form can meet here.
pub(crate) fn round(world: &World, form: Form) -> Vec<Fault> {
    let mut round = SHORT.to_vec();
    if form == Form::Short {
        return round;
    }
    round.extend(LONG);
    let mut without = |fault, why| {
        println!("not run: {fault:?}, {why}");
        round.retain(|one| *one != fault);
    };
    if world.disk.is_none() {
        without(Fault::DiskFull, "this user may not mount a file system");
    }
    if !can_be_first() {
        without(Fault::ExchangeFirst, "this user may not make a namespace");
    }
    round
}

/// Injects the faults of `round` for `length`, and until each has been.
pub(crate) async fn inject(
    world: &World,
    (crew, feeder): (&mut Crew, &Feeder),
    dice: &mut Dice,
    length: Duration,
    round: &[Fault],
) -> Injected {
    let began = Instant::now();
    // A run that is not long enough for it has a shorter one.
    let away = LONGEST_AWAY.min(length / 4);
    let rounds = u32::try_from(round.len() + 1).unwrap();
    let for_gaps = match round.contains(&Fault::AwayLong) {
        true => length - away,
        false => length,
    };
    let gap = GAP.min(for_gaps / rounds);
    let mut injected = Injected::new();
    let mut left: Vec<Fault> = Vec::new();
    let mut next = began + gap;
    let is_missing = |injected: &Injected| round.iter().any(|one| !injected.contains_key(one));
    while next < began + length || is_missing(&injected) {
        tokio::time::sleep_until(next.into()).await;
        if left.is_empty() {
            left = round.to_vec();
            dice.shuffle(&mut left);
        }
        if let Some(fault) = left.pop() {
            println!("{:>6.1} s  {fault:?}", began.elapsed().as_secs_f64());
            match fault {
                Fault::AwayLong => leave(world, Restart::Immediate, away).await,
                fault => once(world, crew, feeder, dice, fault).await,
            }
            *injected.entry(fault).or_default() += 1;
        }
        // After one that took its time, the next one comes no sooner for that.
        next = (next + gap).max(Instant::now() + gap / 2);
    }
    injected
}

async fn leave(world: &World, how: Restart, time: Duration) {
    world.database.lock().await.away(how, time).await;
}

async fn once(world: &World, crew: &mut Crew, feeder: &Feeder, dice: &mut Dice, fault: Fault) {
    // Longer than the lease, and a good deal shorter than what is promised for.
    let frozen = dice.between(LEASE + Duration::from_millis(200), MAX_FREEZE * 5 / 8);
    match fault {
        Fault::Kill => {
            hang_some(world);
            crew.kill_one(world, dice).await;
        }
        Fault::Stop => {
            hang_some(world);
            crew.stop_one(world, dice, frozen).await;
        }
        Fault::StopAdmitting => crew.stop_one_admitting(world, dice, frozen).await,
        Fault::Exchange => crew.exchange_one(world, dice, false).await,
        Fault::ExchangeFirst => crew.exchange_one(world, dice, true).await,
        Fault::RestartFast => leave(world, Restart::Fast, Duration::ZERO).await,
        Fault::RestartImmediate => leave(world, Restart::Immediate, Duration::ZERO).await,
        Fault::AwayShortly => leave(world, Restart::Immediate, Duration::from_secs(5)).await,
        Fault::AwayLong => leave(world, Restart::Immediate, LONGEST_AWAY).await,
        Fault::Cut => {
            world.relay.cut();
            world.listeners.cut();
        }
        Fault::SilentListeners => world.listeners.stall(),
        Fault::Silent => {
            world.relay.stall();
            world.listeners.stall();
        }
        Fault::EndSessions => {
            let end = sqlx::query(
                "select pg_terminate_backend(pid) from pg_stat_activity
                 where datname = current_database() and pid <> pg_backend_pid()
                   and random() < 0.5",
            );
            // The database may be recovering from a restart; then it has ended them itself.
            let _ = end.execute(&world.pool).await;
        }
        Fault::DiskFull => obstacles::fill_disk(world).await,
        Fault::TimeOuts => obstacles::lock(world, dice.pick(&obstacles::TABLES)).await,
        Fault::Deadlocks => obstacles::trip(world, "40P01").await,
        Fault::NotSerializable => obstacles::trip(world, "40001").await,
        Fault::PoolUsedUp => {
            // More than there are connections, and what they wait for.
            feeder.misdeed(world, Misdeed::Hog, 12).await;
            obstacles::lock(world, "workers").await;
        }
        Fault::Panics => {
            feeder.misdeed(world, Misdeed::Panic, 3).await;
            feeder.misdeed(world, Misdeed::Stumble, 3).await;
        }
        Fault::Hang => feeder.misdeed(world, Misdeed::Hang, 1).await,
        Fault::Abort => feeder.misdeed(world, Misdeed::Abort, 1).await,
        Fault::BadArgs => feeder.misdeed(world, Misdeed::Unheard, 3).await,
        // It decides nothing by its clock either.
        Fault::KillEnqueuer => world.replace_enqueuer(dice.pick(&[-600, 600])).await,
    }
}
