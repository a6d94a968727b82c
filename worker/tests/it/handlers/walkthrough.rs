//! `docs/adding-a-job-kind.md` shows code that is compiled and run, and files as they are.

use serde_json::json;
use shared::model::JobStatus;
use sqlx::PgPool;
use worker::Handlers;

use super::{ended, enqueue, errors, setup, start};

#[path = "../../../examples/custom_kind.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "it is a program of its own, with what others may use"
)]
mod custom_kind;

const PAGE: &str = include_str!("../../../../docs/adding-a-job-kind.md");

/// The code blocks of the page that begin with "```" and this.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    let starts = PAGE.split(fence.as_str()).skip(1);
    starts
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

#[test]
fn the_handler_on_the_page_is_the_one_that_is_compiled() {
    let example = include_str!("../../../examples/custom_kind.rs");
    assert_eq!(blocks("rust"), [example]);
}

/// What a change keeps or takes out stands in the file that it is for, in one piece.
#[test]
fn each_change_on_the_page_fits_its_file() {
    let changes = blocks("diff");
    assert!(changes.len() >= 2);
    for change in changes {
        let (head, change) = change.split_once('\n').unwrap();
        let name = head.strip_prefix("--- ").unwrap();
        let path = format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"));
        let file = std::fs::read_to_string(&path).unwrap();
        let kept = change
            .lines()
            .filter_map(|line| line.strip_prefix([' ', '-']));
        let kept = kept.collect::<Vec<_>>().join("\n");
        assert!(file.contains(&kept), "not in {name}:\n{kept}");
        assert!(change.lines().any(|line| line.starts_with('+')));
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn the_handler_on_the_page_does_what_it_says(pool: PgPool) {
    sqlx::query("insert into larder.lanes (lane, is_provider) values ('coinmarketcap', true)")
        .execute(&pool)
        .await
        .unwrap();
    let handlers = Handlers::shipped().with(custom_kind::Digest);
    let worker = start(&pool, &setup("", &[]), handlers);
    let good = enqueue(&pool, "digest", json!({"provider": "coinmarketcap"}), 5).await;
    let unknown = enqueue(&pool, "digest", json!({"provider": "nobody"}), 5).await;

    assert_eq!(ended(&pool, good).await.status, JobStatus::Completed);
    let failed = ended(&pool, unknown).await;
    assert_eq!(errors(&failed), ["there is no provider \"nobody\""]);
    worker.stop().await;
}
