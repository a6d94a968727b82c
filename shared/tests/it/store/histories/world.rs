//! What a history is played in: the store, its clock, and how workers behave.

use chrono::TimeDelta;

use super::clock::{Clock, beginning};
use super::worker::History;
use super::*;

pub(super) const LEASE: Duration = Duration::from_secs(30);
/// Before the lease's end, a request is not sent any more.
pub(super) const MARGIN: TimeDelta = TimeDelta::seconds(2);
pub(super) const MAX_FREEZE: Duration = Duration::from_secs(60);
pub(super) const MAX_TRANSIT: Duration = Duration::from_secs(10);
pub(super) const GRACE: Duration = Duration::from_secs(5);
pub(super) const JOBS: usize = 60;

/// How a call ends for the worker that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Answer,
    GiveUp,
    NotSent,
}

/// What workers, clients and operators do; which of it the promise does not cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Habits {
    pub(super) no_hold: bool,
    pub(super) no_transit: bool,
    pub(super) no_grace: bool,
    pub(super) sends_at_any_time: bool,
    pub(super) sends_twice: bool,
    pub(super) takes_broken_for_unsent: bool,
}

impl Habits {
    pub(super) const GOOD: Self = Self {
        no_hold: false,
        no_transit: false,
        no_grace: false,
        sends_at_any_time: false,
        sends_twice: false,
        takes_broken_for_unsent: false,
    };
}

pub(super) struct World {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) limits: fn() -> Vec<LimitSpec>,
    pub(super) habits: Habits,
}

impl World {
    pub(super) fn lane(&self, cap: u32) -> LaneSpec {
        let mut limits = (self.limits)();
        limits[0].cap = cap;
        LaneSpec {
            reset_grace: match self.habits.no_grace {
                true => Duration::ZERO,
                false => GRACE,
            },
            max_freeze: if self.habits.no_hold {
                Duration::ZERO
            } else {
                MAX_FREEZE
            },
            max_transit: match self.habits.no_hold || self.habits.no_transit {
                true => Duration::ZERO,
                false => MAX_TRANSIT,
            },
            ..super::lane(limits)
        }
    }

    pub(super) async fn prepare(&self) {
        let cap = (self.limits)()[0].cap;
        self.store.sync(&[self.lane(cap)], &[]).await.unwrap();
        let confirmed = sqlx::query(
            "insert into larder.endpoints (provider, endpoint, confirmed_at)
             values ('coins', 'listing', clock_timestamp()) on conflict do nothing",
        );
        confirmed.execute(self.store.pool()).await.unwrap();
    }

    /// Plays one history from its beginning; what went wrong is the error.
    pub(super) async fn history(&self, ops: &[Op]) -> Result<(), String> {
        sqlx::raw_sql(
            "delete from larder.jobs; delete from larder.finished_jobs; delete from larder.api_calls;
             delete from larder.limit_windows; delete from larder.ended_calls; delete from larder.entries;
             update larder.lanes set closed_until = null, closed_reason = null",
        )
        .execute(self.store.pool())
        .await
        .unwrap();
        self.clock.set(beginning()).await;
        let mut history = History::new(self, beginning());
        history.set_cap(history.cap).await;
        let requests: Vec<_> = (0..JOBS)
            .map(|nth| {
                let mut resource = single("listing");
                resource.key = ResourceKey(format!("coins:/listing?n={nth}"));
                resource.batch_key = BatchKey(format!("listing?n={nth}"));
                refresh(resource)
            })
            .collect();
        self.store.enqueue(&requests).await.unwrap();
        for op in ops {
            history.play(op).await?;
        }
        history.finish().await
    }
}
