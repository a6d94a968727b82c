//! Takes over what a provider says of its limits.
//!
//! The provider's lock is taken as an admission takes it, after the reply was recorded: the
//! record of a call itself never waits for limits. A process that dies in between loses a
//! report, and the next one brings the same.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::admit::{lock_lane, lock_limits};
use super::{CallId, Store, StoreError, seconds};
use crate::model::ProviderName;

/// What a provider said of one of its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitReport {
    /// Name of the limit.
    pub limit: String,
    /// Spent in the window, by everybody who has the key.
    pub used: Option<u64>,
    /// How much the window may hold.
    pub cap: Option<u64>,
    /// When the window ends, by the provider's clock.
    pub resets_at: Option<DateTime<Utc>>,
    /// In how long it ends, where that is all that is said.
    pub resets_in: Option<Duration>,
    /// The calendar window, in UTC, that the figures count over, where that is not the
    /// limit's own: `minute`, `hour`, `day` or `month`.
    pub period: Option<&'static str>,
    /// Whether the figures count the call that brought them.
    pub counts_itself: bool,
}

/// What a report came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenReport {
    /// Name of the limit.
    pub limit: String,
    /// What others have spent on the same key.
    pub others: i64,
    /// By how much that is more than was known before.
    pub risen: i64,
    /// The provider's count less ours, of calls that had ended; `None` without a count.
    pub drift: Option<i64>,
}

impl Store {
    /// Takes over what the reply to `call` said of the provider's limits; answers those
    /// reports that were taken. One that is older than what is known, or was read too near
    /// to the end of a window, is not.
    ///
    /// # Errors
    ///
    /// Whatever the database reports; nothing was taken over then.
    pub async fn take_reports(
        &self,
        provider: &ProviderName,
        call: CallId,
        reports: &[LimitReport],
    ) -> Result<Vec<TakenReport>, StoreError> {
        let mut tx = self.begin_locking().await?;
        lock_lane(&mut tx, provider).await?;
        lock_limits(&mut tx, provider).await?;
        let mut taken = Vec::new();
        for report in reports {
            let row = sqlx::query!(
                r#"
                -- name: take_report
                select t.taken as "taken!", coalesce(t.others, 0) as "others!", t.drift,
                       coalesce(before.others, 0) as "before!"
                from larder.limits l
                left join lateral (
                    select r.others from larder.limit_reports r
                    where r.limit_id = l.id and r.expires_at > clock_timestamp()
                    order by r.call_id desc limit 1
                ) before on true
                cross join lateral larder.take_report(
                    $3, l.id, $4, $5,
                    coalesce($6, clock_timestamp() + make_interval(secs => $8)), $7, $9
                ) t
                where l.provider = $1 and l.name = $2 and l.removed_at is null
                "#,
                provider.as_str(),
                report.limit,
                call.0,
                report.used.and_then(whole),
                report.cap.and_then(whole).filter(|cap| *cap > 0),
                report.resets_at,
                report.period,
                report.resets_in.map(seconds),
                report.counts_itself,
            )
            .fetch_optional(&mut tx)
            .await?;
            if let Some(row) = row.filter(|row| row.taken) {
                taken.push(TakenReport {
                    limit: report.limit.clone(),
                    others: row.others,
                    risen: row.others - row.before,
                    drift: row.drift,
                });
            }
        }
        tx.commit().await?;
        Ok(taken)
    }
}

/// A figure that the ledger can count; larger ones are no figures.
fn whole(figure: u64) -> Option<i64> {
    i64::try_from(figure).ok().filter(|figure| *figure <= MOST)
}

/// The largest figure that is believed: sums of it stay far from the end of 64 bits.
const MOST: i64 = 1_000_000_000_000_000;
