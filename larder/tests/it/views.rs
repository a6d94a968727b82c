//! `background_jobs`, whose name may be taken by what was there before.

use sqlx::PgPool;

use crate::commands::{json, printed};

/// A relation that stood there before the schema did: the migrations leave it alone, and so does
/// every `larder init`, until it has another name.
#[sqlx::test(migrations = false)]
async fn the_view_comes_with_the_init_after_the_old_one_was_renamed(pool: PgPool) {
    let old = "create view public.background_jobs as select 'old' as id";
    sqlx::query(old).execute(&pool).await.unwrap();
    for _ in 0..2 {
        let text = printed(&pool, &["init"]);
        assert!(text.contains("rename it, then larder init again"), "{text}");
    }
    let doctor = json_of_doctor(&pool);
    assert!(doctor.contains("public.background_jobs is not Larder's view"));

    let rename = "alter view public.background_jobs rename to old_background_jobs";
    sqlx::query(rename).execute(&pool).await.unwrap();
    let done = json(&pool, &["init", "--json"]);

    assert_eq!(done["background_jobs"], true, "{done}");
    assert!(!json_of_doctor(&pool).contains("background_jobs"));
    let jobs: i64 = sqlx::query_scalar("select count(*) from background_jobs")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(jobs, 102);
}

/// Every process prepares the database in the same way; whoever starts next makes the view.
#[sqlx::test(migrations = false)]
async fn the_view_comes_with_the_next_start_of_a_process_too(pool: PgPool) {
    let old = "create table public.background_jobs (id text)";
    sqlx::query(old).execute(&pool).await.unwrap();
    let store = shared::store::Store::new(pool.clone());
    store.migrate().await.unwrap();
    sqlx::query("select id from public.background_jobs")
        .execute(&pool)
        .await
        .unwrap();
    let rename = "alter table public.background_jobs rename to old_background_jobs";
    sqlx::query(rename).execute(&pool).await.unwrap();

    // Several at once, of which one makes it.
    let migrate = || store.migrate();
    let all = tokio::join!(migrate(), migrate(), migrate(), migrate());

    assert!(matches!(all, (Ok(()), Ok(()), Ok(()), Ok(()))), "{all:?}");
    let jobs: i64 = sqlx::query_scalar(
        "select count(*) from public.background_jobs where job_type is not null",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(jobs, 0);
}

fn json_of_doctor(pool: &PgPool) -> String {
    json(pool, &["doctor", "--json"]).to_string()
}
