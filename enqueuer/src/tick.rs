//! Makes due resources into jobs every `enqueuer.tick_every`, so that cron is optional.
//!
//! Any number of enqueuers may tick: a resource has one live job at most, whoever makes
//! it. A little chance in each wait keeps them from ticking at the same instant.

use shared::schedule;
use shared::store::{StoreError, Ticked};

use crate::app::App;
use crate::lists;

/// Ticks until the server stops; at once when `tick_every` is zero.
pub(crate) async fn every_so_often(app: &App) {
    let every = app.config().enqueuer.tick_every;
    if every.is_zero() {
        return;
    }
    let mut failing = false;
    loop {
        match timers_tick(app).await {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(cause = error.chain(), "tick failed; trying again");
            }
            Err(_) => {}
        }
        let wait = every.mul_f64(0.9 + 0.2 * chance());
        let slept = app.stop.run_until_cancelled(tokio::time::sleep(wait)).await;
        if slept.is_none() {
            return;
        }
    }
}

/// A tick that asks for schedules and lists in the same statement.
async fn timers_tick(app: &App) -> Result<(), StoreError> {
    let ticked = app.store.timers_tick(&app.catalog.wanted()).await?;
    tracing::debug!(due = ticked.due, enqueued = ticked.enqueued, "tick");
    if ticked.enqueued > 0 {
        app.notifier.jobs();
    }
    match ticked.followed {
        Some(followed) if !ticked.schedules => app.lists.tell(followed),
        // What they bring is due now.
        _ => {
            tick(app, false).await?;
        }
    }
    Ok(())
}

/// One tick: enqueues what is due, and announces it after the commit.
///
/// # Errors
///
/// Whatever the database reports.
pub(crate) async fn tick(app: &App, keys: bool) -> Result<Ticked, StoreError> {
    // First what schedules say, so that it is due for this tick already.
    schedule::make_due_ticks(&app.store).await?;
    // Then who is a member, so that a new one is due for this tick too.
    lists::follow(app).await?;
    let ticked = app.store.tick(keys).await?;
    if ticked.enqueued > 0 {
        app.notifier.jobs();
    }
    Ok(ticked)
}

/// A number from 0 to 1 by chance: the random bits of a new uuid.
fn chance() -> f64 {
    let bits = uuid::Uuid::new_v4().as_u128() as u16;
    f64::from(bits) / f64::from(u16::MAX)
}
