//! What goes wrong, when, and how often.
//!
//! Faults of processes and of the database come one after the other, in a shuffled order
//! that contains each kind; then the next shuffle begins. Trouble of the providers hits a
//! share of all calls, and each kind of it at least one call of every lane.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sandbox::{RetryAfter, Trouble, TroubleKind};

use super::crew::Crew;
use super::database::Restart;
use super::dice::Dice;
use super::lanes::{LEASE, MAX_FREEZE};
use super::world::World;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// SIGKILL to a worker.
    Kill,
    /// SIGSTOP to a worker with a call in flight for longer than its lease, then SIGCONT.
    Stop,
    /// The same to a worker that is admitting calls.
    StopAdmitting,
    /// The database restarts, sessions being ended.
    RestartFast,
    /// The database restarts without a checkpoint, and recovers.
    RestartImmediate,
    /// Every connection to the database is cut on its way.
    Cut,
    /// The database ends some of its sessions.
    EndSessions,
    /// SIGKILL to the enqueuer.
    KillEnqueuer,
}

/// One round: killing and stopping workers is the more interesting half.
const ROUND: [Fault; 9] = [
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

/// From one fault to the next, if there is time for that.
const GAP: Duration = Duration::from_secs(4);

/// How often each fault was injected.
pub(crate) type Injected = BTreeMap<Fault, usize>;

/// Injects faults for `length`, each kind at least once.
pub(crate) async fn inject(
    world: &World,
    crew: &mut Crew,
    dice: &mut Dice,
    length: Duration,
) -> Injected {
    let began = Instant::now();
    let rounds = ROUND.len() + 1;
    let gap = GAP.min(length / u32::try_from(rounds).unwrap());
    let mut injected = Injected::new();
    let mut round: Vec<Fault> = Vec::new();
    let mut next = began + gap;
    while next < began + length {
        tokio::time::sleep_until(next.into()).await;
        if round.is_empty() {
            round = ROUND.to_vec();
            dice.shuffle(&mut round);
        }
        if let Some(fault) = round.pop() {
            println!("{:>6.1} s  {fault:?}", began.elapsed().as_secs_f64());
            once(world, crew, dice, fault).await;
            *injected.entry(fault).or_default() += 1;
        }
        next += gap;
    }
    injected
}

async fn once(world: &World, crew: &mut Crew, dice: &mut Dice, fault: Fault) {
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
        Fault::RestartFast => world.database.lock().await.restart(Restart::Fast).await,
        Fault::RestartImmediate => {
            world
                .database
                .lock()
                .await
                .restart(Restart::Immediate)
                .await
        }
        Fault::Cut => world.relay.cut(),
        Fault::EndSessions => {
            let end = sqlx::query(
                "select pg_terminate_backend(pid) from pg_stat_activity
                 where datname = current_database() and pid <> pg_backend_pid()
                   and random() < 0.5",
            );
            // The database may be recovering from a restart; then it has ended them itself.
            let _ = end.execute(&world.pool).await;
        }
        // It decides nothing by its clock either.
        Fault::KillEnqueuer => world.replace_enqueuer(dice.pick(&[-600, 600])).await,
    }
}

/// Lets the next calls hang, so that whoever is hit soon has a call in flight.
fn hang_some(world: &World) {
    for lane in &world.lanes {
        let hang = TroubleKind::Latency { ms: 20_000 };
        lane.upstream.script(Trouble::next(1, hang));
    }
}

/// Trouble of the providers: what share of the calls it hits, and its name in the
/// sandbox's ledger.
fn troubles() -> Vec<(f64, &'static str, TroubleKind)> {
    let second = Some(RetryAfter::Seconds(1));
    vec![
        (0.03, "drop_after_counting", TroubleKind::DropAfterCounting),
        (0.01, "latency", TroubleKind::Latency { ms: 20_000 }),
        (0.30, "latency", TroubleKind::Latency { ms: 150 }),
        (0.03, "transit", TroubleKind::Transit { ms: 1_000 }),
        (0.02, "half_body", TroubleKind::HalfBody),
        (
            0.03,
            "status",
            TroubleKind::Status {
                status: 500,
                body: None,
                headers: Vec::new(),
            },
        ),
        (
            0.01,
            "limited",
            TroubleKind::Limited {
                code: 1008,
                retry_after: second,
                headers: Vec::new(),
            },
        ),
    ]
}

/// Makes the providers go wrong from now on.
pub(crate) fn script(world: &World) {
    for lane in &world.lanes {
        for (share, _, kind) in troubles() {
            lane.upstream.script(Trouble::next(1, kind.clone()));
            lane.upstream.script(Trouble::fraction(share, kind));
        }
    }
}

/// The names of the troubles that must have been met.
pub(crate) fn names() -> Vec<&'static str> {
    troubles().into_iter().map(|(_, name, _)| name).collect()
}

/// The faults that must have been injected.
pub(crate) fn kinds() -> Vec<Fault> {
    ROUND.to_vec()
}
