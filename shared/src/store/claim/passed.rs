//! What claims passed by: due jobs that stand before the place that they go on from.
//!
//! A job of a priority that was not seen yet, a `run_at` in the past, one that waits again
//! because its worker died. Looks find them ([`super::looks`]); one that takes long, as it does
//! while a snapshot is held, goes on beside the claims and keeps none of them waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::super::StoreError;
use super::super::db::Db;
use super::looks::{Depth, Looks};
use super::position::{MOST, Place, Position};
use super::turns::Turns;

/// Most jobs that one look shows of one priority. Where it shows so many there are more, and
/// claims go back to the first of them. The one that comes after the last of them reads what is
/// dead from there on, once.
const SHOWN: usize = 500;

/// What looks found.
#[derive(Debug)]
pub(super) struct Passed {
    /// For looks that may take long, and for others.
    patient: Db,
    prompt: Db,
    kinds: Vec<String>,
    looks: Looks,
    /// Looks that go on.
    running: JoinSet<Ended>,
    /// Jobs to be claimed by their id, by priority and place.
    found: BTreeSet<(i16, Place)>,
    /// Whether the last claim was one of these.
    had_turn: bool,
}

/// A look that ended.
#[derive(Debug)]
struct Ended {
    depth: Depth,
    took: Duration,
    shown: Result<Vec<Shown>, StoreError>,
}

/// Why a look shows a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// It is the first of a priority that has no place, and due.
    Unknown,
    /// It stands before the place of its priority.
    Passed,
    /// It became due before the place of claims by age.
    Older,
}

/// A job that a look shows.
#[derive(Debug)]
struct Shown {
    why: String,
    priority: i16,
    run_at: DateTime<Utc>,
    id: Uuid,
    looked_at: DateTime<Utc>,
}

impl Shown {
    fn why(&self) -> Why {
        match self.why.as_str() {
            "unknown" => Why::Unknown,
            "passed" => Why::Passed,
            _ => Why::Older,
        }
    }

    fn place(&self) -> Place {
        let (run_at, id) = (self.run_at, self.id);
        Place { run_at, id }
    }
}

impl Passed {
    pub(super) fn new(db: &Db, kinds: Vec<String>) -> Self {
        Self {
            patient: db.clone(),
            prompt: db.promptly(),
            kinds,
            looks: Looks::default(),
            running: JoinSet::new(),
            found: BTreeSet::new(),
            had_turn: false,
        }
    }

    /// Whether there are jobs to be claimed by their id.
    pub(super) fn has_found(&self) -> bool {
        !self.found.is_empty()
    }

    /// Whether the next claim is for these: every second one, so that they do not keep more
    /// urgent ones waiting.
    pub(super) fn is_their_turn(&mut self) -> bool {
        self.had_turn = self.has_found() && !self.had_turn;
        self.had_turn
    }

    /// Up to `most` jobs to be claimed by their id, the most urgent ones.
    pub(super) fn take(&mut self, most: usize) -> Vec<Uuid> {
        let taken = std::iter::from_fn(|| self.found.pop_first());
        taken.take(most).map(|(_, place)| place.id).collect()
    }

    /// A claim found too little: there is to be a look.
    pub(super) fn owe(&mut self) {
        self.looks.owe();
    }

    /// Looks, if it is time to, and takes in what looks found. Answers whether any found something.
    pub(super) async fn look(&mut self, position: &mut Position, turns: &mut Turns) -> bool {
        let mut found = false;
        while let Some(depth) = self.looks.due(Instant::now()) {
            found |= self.begin(depth, position, turns).await;
            if !self.looks.goes_on(depth) {
                if depth == Depth::All {
                    self.looks.saw_recent();
                }
                break;
            }
            // It takes long: what is recent is looked at meanwhile.
        }
        while let Some(Ok(ended)) = self.running.try_join_next() {
            found |= self.take_in(ended, position, turns);
        }
        found
    }

    /// Begins a look, and waits for it a little. Answers whether one found something.
    async fn begin(&mut self, depth: Depth, position: &mut Position, turns: &mut Turns) -> bool {
        // Nothing can be claimed meanwhile where there is no place.
        let patience = match position.is_new() {
            true => Duration::MAX,
            false => self.looks.patience(depth),
        };
        let db = match depth == Depth::All && !position.is_new() {
            true => &self.patient,
            false => &self.prompt,
        };
        self.looks.began(depth, Instant::now());
        self.running.spawn(look(
            db.clone(),
            self.kinds.clone(),
            depth,
            position.ends(),
            turns.reached(),
        ));
        match tokio::time::timeout(patience, self.running.join_next()).await {
            Ok(Some(Ok(ended))) => self.take_in(ended, position, turns),
            _ => false,
        }
    }

    /// Waits until a look finds something, of those that go on or are owed.
    pub(super) async fn wait(&mut self, position: &mut Position, turns: &mut Turns) {
        while !self.has_found() {
            let next = self.looks.next();
            let possible = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            };
            let found = tokio::select! {
                Some(Ok(ended)) = self.running.join_next() => self.take_in(ended, position, turns),
                () = possible => self.look(position, turns).await,
            };
            if found {
                break;
            }
        }
    }

    /// Has what a look shows claimed next. Answers whether it shows anything.
    fn take_in(&mut self, ended: Ended, position: &mut Position, turns: &mut Turns) -> bool {
        let now = Instant::now();
        let shown = match ended.shown {
            Ok(shown) => {
                self.looks.ended(ended.depth, now, ended.took);
                shown
            }
            Err(error) => {
                self.looks.failed(ended.depth, now);
                tracing::warn!(error = %error.chain(), "cannot look for jobs that claims passed by");
                return false;
            }
        };
        let mut groups: BTreeMap<(Why, i16), Vec<Shown>> = BTreeMap::new();
        for shown in shown {
            let why = shown.why();
            // Claims by age go through all priorities.
            let of = match why {
                Why::Older => 0,
                Why::Unknown | Why::Passed => shown.priority,
            };
            groups.entry((why, of)).or_default().push(shown);
        }
        let found = !groups.is_empty();
        for ((why, priority), jobs) in groups {
            let Some(first) = jobs.iter().min_by_key(|job| job.place()) else {
                continue;
            };
            let (place, looked_at) = (first.place(), first.looked_at);
            match why {
                Why::Unknown => position.start_with(priority, place, looked_at),
                _ if jobs.len() < SHOWN => {
                    let found = jobs.iter().map(|job| (job.priority, job.place()));
                    self.found.extend(found);
                }
                Why::Passed => position.start_with(priority, place, looked_at),
                Why::Older => turns.start_with(place.run_at),
            }
        }
        found
    }
}

/// Looks, and times it.
async fn look(
    db: Db,
    kinds: Vec<String>,
    depth: Depth,
    places: Vec<(i16, Place)>,
    oldest: Option<DateTime<Utc>>,
) -> Ended {
    let began = Instant::now();
    let shown = show(&db, &kinds, depth, &places, oldest).await;
    Ended {
        depth,
        took: began.elapsed(),
        shown,
    }
}

/// Due jobs: the first of each priority that has no place; of the others those that stand before
/// it; and those that became due before the place of claims by age.
async fn show(
    db: &Db,
    kinds: &[String],
    depth: Depth,
    places: &[(i16, Place)],
    oldest: Option<DateTime<Utc>>,
) -> Result<Vec<Shown>, StoreError> {
    let priorities: Vec<i16> = places.iter().map(|(priority, _)| *priority).collect();
    let times: Vec<DateTime<Utc>> = places.iter().map(|(_, place)| place.run_at).collect();
    let ids: Vec<Uuid> = places.iter().map(|(_, place)| place.id).collect();
    let known = priorities.iter().copied().map(i32::from);
    let after: Vec<i32> = std::iter::once(i32::MIN).chain(known.clone()).collect();
    let until: Vec<i32> = known.chain([i32::MAX]).collect();
    // What is between two known priorities is looked for there alone: to go from one priority to
    // the next would read what is dead of each once more.
    let shown = sqlx::query_as!(
        Shown,
        r#"
        -- name: claim_local_look
        with recursive unknown as (
            select g.after as priority, null::timestamptz as run_at, null::uuid as id, g.until
            from unnest($1::int[], $2::int[]) as g(after, until)
            union all
            select j.priority, j.run_at, j.id, u.until
            from unknown u
            cross join lateral (
                select priority, run_at, id from larder.jobs
                where lane = 'local' and status = 'pending'
                  and priority > u.priority and priority < u.until and kind = any($8)
                order by lane, priority, run_at, id
                limit 1
            ) j
        )
        select s.why as "why!", s.priority as "priority!", s.run_at as "run_at!", s.id as "id!",
               now() as "looked_at!"
        from (
            (select 'unknown' as why, priority::smallint, run_at, id from unknown where run_at <= now() limit $3)
            union all
            select 'passed', j.priority, j.run_at, j.id
            from unnest($4::smallint[], $5::timestamptz[], $6::uuid[]) as a(priority, run_at, id)
            cross join lateral (
                select priority, run_at, id from larder.jobs
                where lane = 'local' and status = 'pending'
                  and (priority, run_at, id) <= (a.priority, a.run_at, a.id)
                  and (priority, run_at)
                      >= (a.priority, coalesce(now() - make_interval(secs => $7), '-infinity'))
                  and kind = any($8)
                order by priority, run_at, id
                limit $9
            ) j
            union all
            (select 'older', priority, run_at, id from larder.jobs
             where lane = 'local' and status = 'pending' and run_at < $10
               and run_at >= coalesce(now() - make_interval(secs => $7), '-infinity')
               and kind = any($8)
             order by run_at
             limit $9)
        ) s
        where not exists (select from larder.lanes where lane = 'local' and closed_until > now())
        "#,
        &after,
        &until,
        i64::try_from(MOST).unwrap_or(i64::MAX),
        &priorities,
        &times,
        &ids,
        depth.seconds(),
        kinds,
        i64::try_from(SHOWN).unwrap_or(i64::MAX),
        oldest,
    );
    Ok(shown.fetch_all(db).await?)
}
