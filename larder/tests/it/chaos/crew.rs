//! The workers of a run: killed and exchanged for others, stopped and let go on again.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::audit;
use super::dice::Dice;
use super::obstacles::TRIPPED;
use super::process::{Process, faketime};
use super::world::{World, now};

/// How far the clocks of workers are off, in seconds: one is right.
const CLOCKS_OFF: [i64; 5] = [-600, 600, 0, -541, 597];

/// Errors of the database that say that nothing was committed.
const UNDONE: [&str; 3] = [TRIPPED, "statement timeout", "No space left on device"];

/// What was done to workers.
#[derive(Debug, Default, Clone)]
pub(crate) struct Done {
    pub(crate) started: usize,
    pub(crate) kills: usize,
    pub(crate) stops: usize,
    /// Told to stop in order, and replaced.
    pub(crate) exchanged: usize,
    /// What those held after their ends: jobs and calls.
    pub(crate) left_behind: i64,
    /// Ended by a job of their own.
    pub(crate) aborts: usize,
    /// Longest time from SIGSTOP to SIGCONT.
    pub(crate) longest_stop: Duration,
    /// Workers whose own log showed a clock that is off by minutes.
    pub(crate) clocks_off: usize,
    /// Names of those that were killed.
    pub(crate) killed: HashSet<String>,
    /// Workers and lanes with an admission that failed: the commit may have come through
    /// though the connection was lost before it said so.
    pub(crate) not_admitted: HashSet<(String, String)>,
}

impl Done {
    /// Takes down what the log of a worker that has ended says.
    pub(crate) fn note(&mut self, worker: &Process) {
        self.clocks_off += usize::from(clock_is_off(worker));
        let name = name(worker).unwrap_or_default();
        let failed = worker.told("cannot admit").filter(|line| {
            let error = line["error"].as_str().unwrap_or_default();
            !UNDONE.iter().any(|undone| error.contains(undone))
        });
        let lanes = failed.filter_map(|line| Some(line["lane"].as_str()?.to_owned()));
        self.not_admitted
            .extend(lanes.map(|lane| (name.clone(), lane)));
    }

    /// Adds what was done to another worker.
    pub(crate) fn add(&mut self, other: Self) {
        self.started += other.started;
        self.aborts += other.aborts;
        self.clocks_off += other.clocks_off;
        self.killed.extend(other.killed);
        self.not_admitted.extend(other.not_admitted);
    }
}

pub(crate) struct Crew {
    workers: Vec<Process>,
    next_clock: usize,
    done: Arc<Mutex<Done>>,
    /// Those that wait for SIGCONT.
    stopped: Vec<tokio::task::JoinHandle<()>>,
}

impl Crew {
    pub(crate) fn start(world: &World, size: usize) -> Self {
        let mut crew = Self {
            workers: Vec::new(),
            next_clock: 0,
            done: Arc::default(),
            stopped: Vec::new(),
        };
        for _ in 0..size {
            let worker = crew.hire(world);
            crew.workers.push(worker);
        }
        crew
    }

    fn hire(&mut self, world: &World) -> Process {
        let clock_off = self.next_clock();
        world.worker(clock_off)
    }

    /// Counts one more worker; answers how far its clock is off.
    fn next_clock(&mut self) -> i64 {
        let off = match faketime() {
            Some(_) => CLOCKS_OFF[self.next_clock % CLOCKS_OFF.len()],
            None => 0,
        };
        self.next_clock += 1;
        self.done.lock().unwrap().started += 1;
        off
    }

    /// A worker that has a call in flight by the ledger, if there is one soon; else any.
    async fn busy(&self, world: &World, dice: &mut Dice) -> usize {
        let names: Vec<Option<String>> = self.workers.iter().map(name).collect();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(2) {
            let holders = sqlx::query_scalar::<_, String>(
                "select worker from larder.api_calls where settled_at is null
                 and reserved_at < clock_timestamp() - interval '50 milliseconds'
                 order by id desc",
            );
            let holders = holders.fetch_all(&world.pool).await.unwrap_or_default();
            let held =
                |name: &Option<String>| name.as_ref().is_some_and(|name| holders.contains(name));
            let busy: Vec<usize> = (0..names.len()).filter(|&nth| held(&names[nth])).collect();
            if !busy.is_empty() {
                return dice.pick(&busy);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        dice.below(self.workers.len())
    }

    /// SIGKILL to a worker, and another one in its place.
    pub(crate) async fn kill_one(&mut self, world: &World, dice: &mut Dice) {
        let nth = self.busy(world, dice).await;
        let victim = self.workers[nth].clone();
        if victim.signal(Signal::KILL) {
            victim.end().await;
            let mut done = self.done.lock().unwrap();
            done.kills += 1;
            done.killed.extend(name(&victim));
            done.note(&victim);
        }
        self.workers[nth] = self.hire(world);
    }

    /// SIGTERM to a worker with work in hand, and another one in its place, which is the first
    /// process of a namespace if `as_first`.
    pub(crate) async fn exchange_one(&mut self, world: &World, dice: &mut Dice, as_first: bool) {
        let nth = self.busy(world, dice).await;
        let clock_off = self.next_clock();
        let next = if as_first {
            world.first_worker()
        } else {
            world.worker(clock_off)
        };
        let old = std::mem::replace(&mut self.workers[nth], next);
        old.signal(Signal::TERM);
        let name = name(&old).unwrap_or_default();
        ends_well(&old).await;
        let held = audit::held(&world.pool, &name).await;
        if held > 0 {
            println!("{name} ended and holds {held}; it said:\n{}", old.said());
        }
        let mut done = self.done.lock().unwrap();
        done.note(&old);
        done.exchanged += 1;
        done.left_behind += held;
    }

    /// SIGSTOP to a worker that has a call in flight, and SIGCONT after `time`, whatever
    /// else happens meanwhile.
    pub(crate) async fn stop_one(&mut self, world: &World, dice: &mut Dice, time: Duration) {
        let nth = self.busy(world, dice).await;
        self.stop(nth, time);
    }

    /// The same to a worker in the middle of an admission: the lock that it needs is held
    /// until it is stopped, and then given to it.
    pub(crate) async fn stop_one_admitting(
        &mut self,
        world: &World,
        dice: &mut Dice,
        time: Duration,
    ) {
        let nth = dice.below(self.workers.len());
        let Ok(mut held) = world.pool.begin().await else {
            return self.stop(nth, time);
        };
        let lock = sqlx::query("select from larder.lanes where is_provider for update");
        if lock.execute(&mut *held).await.is_ok() {
            // Lanes are in backlog: by then all workers ask for the lock.
            tokio::time::sleep(Duration::from_millis(600)).await;
        }
        self.stop(nth, time);
        let _ = held.rollback().await;
    }

    fn stop(&mut self, nth: usize, time: Duration) {
        let victim = self.workers[nth].clone();
        if !victim.signal(Signal::STOP) {
            return;
        }
        let began = Instant::now();
        self.done.lock().unwrap().stops += 1;
        let done = Arc::clone(&self.done);
        self.stopped.push(tokio::spawn(async move {
            tokio::time::sleep(time).await;
            victim.signal(Signal::CONT);
            let mut done = done.lock().unwrap();
            done.longest_stop = done.longest_stop.max(began.elapsed());
        }));
    }

    /// Waits until nobody is stopped any more.
    pub(crate) async fn all_awake(&mut self) {
        for stopped in std::mem::take(&mut self.stopped) {
            stopped.await.unwrap();
        }
    }

    /// Stops all in order; each must end well.
    pub(crate) async fn dismiss(mut self) -> Done {
        self.all_awake().await;
        for worker in &self.workers {
            worker.signal(Signal::TERM);
        }
        for worker in &self.workers {
            ends_well(worker).await;
            self.done.lock().unwrap().note(worker);
        }
        self.done.lock().unwrap().clone()
    }
}

/// Waits for the end of a worker that was told to stop.
pub(crate) async fn ends_well(worker: &Process) {
    let status = worker.end().await;
    assert!(status.success(), "{status}: {}", worker.said());
}

/// A worker's name, as it stands in rows; none before it has said it.
pub(crate) fn name(worker: &Process) -> Option<String> {
    worker.field("worker started", "worker")
}

/// Whether the worker's own clock was wrong by minutes, as its log has it.
pub(crate) fn clock_is_off(worker: &Process) -> bool {
    let off = worker.first_stamp().map(|stamp| {
        let since = now() - stamp;
        since.num_seconds() - worker.age().as_secs().cast_signed()
    });
    off.is_some_and(|off| off.abs() > 60)
}
