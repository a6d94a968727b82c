//! Calendar windows: where they begin and end, and which calls they hold.

use chrono::{DateTime, Utc};

use super::*;

async fn window(
    pool: &sqlx::PgPool,
    period: &str,
    zone: &str,
    day: i16,
    time: &str,
    at: &str,
) -> (String, String) {
    let (starts, ends): (DateTime<Utc>, DateTime<Utc>) = sqlx::query_as(
        "select starts_at, ends_at from larder.window_at($1, $2, $3, $4::time, $5::timestamptz)",
    )
    .bind(period)
    .bind(zone)
    .bind(day)
    .bind(time)
    .bind(at)
    .fetch_one(pool)
    .await
    .unwrap();
    let text = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%MZ").to_string();
    (text(starts), text(ends))
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn windows_begin_at_their_anchor_whatever_the_calendar_does(
    pool: sqlx::PgPool,
) -> TestResult {
    let cases = [
        // Billing day 31 in a short month, and in a leap year.
        (
            ("month", "UTC", 31, "00:00", "2026-02-27T12:00Z"),
            ("2026-01-31T00:00Z", "2026-02-28T00:00Z"),
        ),
        (
            ("month", "UTC", 31, "00:00", "2026-02-28T12:00Z"),
            ("2026-02-28T00:00Z", "2026-03-31T00:00Z"),
        ),
        (
            ("month", "UTC", 30, "05:30", "2028-02-29T05:30Z"),
            ("2028-02-29T05:30Z", "2028-03-30T05:30Z"),
        ),
        (
            ("month", "UTC", 5, "05:30", "2026-12-31T23:59Z"),
            ("2026-12-05T05:30Z", "2027-01-05T05:30Z"),
        ),
        // 09:30 in New York, across the change to summer time on 2026-03-08 and back on 2026-11-01.
        (
            ("day", "America/New_York", 1, "09:30", "2026-03-08T00:00Z"),
            ("2026-03-07T14:30Z", "2026-03-08T13:30Z"),
        ),
        (
            ("day", "America/New_York", 1, "09:30", "2026-11-01T14:29Z"),
            ("2026-10-31T13:30Z", "2026-11-01T14:30Z"),
        ),
        (
            ("day", "UTC", 1, "00:00", "2028-02-29T00:00Z"),
            ("2028-02-29T00:00Z", "2028-03-01T00:00Z"),
        ),
        (
            ("hour", "Asia/Kathmandu", 1, "00:00", "2026-05-05T10:20Z"),
            ("2026-05-05T10:15Z", "2026-05-05T11:15Z"),
        ),
        (
            ("minute", "UTC", 1, "00:00", "2026-05-05T10:20Z"),
            ("2026-05-05T10:20Z", "2026-05-05T10:21Z"),
        ),
    ];
    for ((period, zone, day, time, at), (starts, ends)) in cases {
        let found = window(&pool, period, zone, day, time, at).await;
        assert_eq!(
            found,
            (starts.to_owned(), ends.to_owned()),
            "{period} {zone} {day} {time} {at}"
        );
    }
    Ok(())
}

/// Every quarter of an hour of three years, in zones with and without daylight saving.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn windows_never_overlap_and_leave_no_gap(pool: sqlx::PgPool) -> TestResult {
    let wrong: i64 = sqlx::query_scalar(
        "select count(*)
         from unnest(array['day', 'month']) period,
              unnest(array['UTC', 'America/New_York', 'Europe/Berlin', 'Pacific/Apia']) zone,
              unnest(array[1, 29, 31]::smallint[]) day,
              unnest(array['00:00', '02:30', '09:30']::time[]) at_time,
              generate_series('2026-01-01Z'::timestamptz, '2028-12-31Z', '11 hours') t
         cross join lateral larder.window_at(period, zone, day, at_time, t) w
         cross join lateral larder.window_at(period, zone, day, at_time, w.ends_at) n
         where not (w.starts_at <= t and t < w.ends_at and n.starts_at = w.ends_at)",
    )
    .fetch_one(&pool)
    .await?;
    assert_eq!(wrong, 0);
    Ok(())
}

/// Moves a call's times, instead of the clock.
async fn move_calls(store: &Store, reserved: &str, end: Option<&str>) {
    sqlx::query(
        "update larder.api_calls
         set reserved_at = $1::timestamptz,
             end_at = case when settled_at is null then null else $2::timestamptz end,
             needs_fold = settled_at is not null",
    )
    .bind(reserved)
    .bind(end)
    .execute(store.pool())
    .await
    .unwrap();
}

async fn used(store: &Store, at: &str) -> Vec<i64> {
    sqlx::query_scalar(
        "select spent + reserved from larder.limit_usage('coins', $1::timestamptz) order by starts_at",
    )
    .bind(at)
    .fetch_all(store.pool())
    .await
    .unwrap()
}

/// Hole 2 of the protocol: charging only the window of the reservation overspends.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_unfinished_call_occupies_the_next_window_as_soon_as_it_opens(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, vec![monthly(9)]).await;
    enqueue_one(&store, refresh(quote(1))).await;
    admit_one(&store).await;
    move_calls(&store, "2026-01-31T23:59:00Z", None).await;

    assert_eq!(used(&store, "2026-01-31T23:59:30Z").await, [1]);
    assert_eq!(used(&store, "2026-02-20T00:00:00Z").await, [1]);
    Ok(())
}

/// Just after a window began, the provider may still count into the one before: both bind.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_call_is_charged_to_each_window_that_it_may_be_counted_in(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, vec![monthly(9)]).await;
    enqueue_one(&store, refresh(quote(1))).await;
    let call = admit_one(&store).await;
    store.record(&answered(&call, 1, "1")).await?;
    move_calls(&store, "2026-01-31T23:59:50Z", Some("2026-01-31T23:59:56Z")).await;

    for folded in [false, true] {
        assert_eq!(
            used(&store, "2026-01-31T23:59:59Z").await,
            [1],
            "folded: {folded}"
        );
        assert_eq!(
            used(&store, "2026-02-01T00:00:04Z").await,
            [1, 1],
            "folded: {folded}"
        );
        assert_eq!(
            used(&store, "2026-02-01T00:00:06Z").await,
            [1],
            "folded: {folded}"
        );
        assert_eq!(
            used(&store, "2026-03-01T12:00:00Z").await,
            [0],
            "folded: {folded}"
        );
        sqlx::query("select larder.fold('coins')")
            .execute(store.pool())
            .await?;
    }
    Ok(())
}

/// Hole 11: a correction goes to the windows that were charged, not to the current one.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_late_correction_goes_to_the_windows_that_were_charged(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, vec![monthly(9)]).await;
    enqueue_one(&store, refresh(single("listing"))).await;
    let call = admit_one(&store).await;
    sqlx::query("update larder.api_calls set leased_until = now() - interval '1 s'")
        .execute(store.pool())
        .await?;
    store.rescue(3).await?;
    move_calls(&store, "2026-01-10T00:00:00Z", Some("2026-01-10T00:10:00Z")).await;
    sqlx::query("select larder.fold('coins')")
        .execute(store.pool())
        .await?;
    assert_eq!(
        used(&store, "2026-01-20T00:00:00Z").await,
        [3],
        "premise: it lapsed as spent"
    );

    sqlx::query("update larder.api_calls set credits = 1, needs_fold = true")
        .execute(store.pool())
        .await?;
    let _ = call;

    for folded in [false, true] {
        assert_eq!(
            used(&store, "2026-01-20T00:00:00Z").await,
            [1],
            "folded: {folded}"
        );
        assert_eq!(
            used(&store, "2026-02-20T00:00:00Z").await,
            [0],
            "folded: {folded}"
        );
        sqlx::query("select larder.fold('coins')")
            .execute(store.pool())
            .await?;
    }
    Ok(())
}
