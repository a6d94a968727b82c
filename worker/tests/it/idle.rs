//! What a worker costs the database while there is nothing to do.

use std::time::{Duration, Instant};

use sqlx::PgPool;

use crate::relay::Relay;
use crate::rig::Rig;
use crate::rows::ended;
use crate::spawned::Spawned;

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_idle_worker_does_fewer_than_two_statements_a_second(pool: PgPool) {
    let rig = Rig::new(pool, &[]).await;
    let relay = Relay::start(&rig.pool).await;
    let job = rig.enqueue(vec![rig.quote(1)]).await[0];
    let url = relay.url();
    let _worker = Spawned::start(&rig, &[("DATABASE_URL", &url)], &[]);
    assert_eq!(ended(&rig, job).await.status, "completed");

    // What its start and that job leave to do is done by then.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (before, started) = (relay.statements(), Instant::now());
    tokio::time::sleep(Duration::from_secs(6)).await;
    let done = f64::from(u32::try_from(relay.statements() - before).unwrap());
    let seconds = started.elapsed().as_secs_f64();
    assert!(done > 0.0, "it looks");
    assert!(done / seconds < 2.0, "{done} statements in {seconds} s");
}
