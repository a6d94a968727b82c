//! The binary `enqueuer`: what it says when it cannot start, and how it stops.

use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::harness::{SECRET, TestResult, url_of};

/// The binary in a directory without any file, and in no environment but this.
pub(crate) fn enqueuer(environment: &[(&str, &str)]) -> Command {
    let directory = std::env::temp_dir().join("enqueuer-binary-tests");
    std::fs::create_dir_all(&directory).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_enqueuer"));
    command
        .env_clear()
        .env("LARDER__ENQUEUER__LISTEN", "127.0.0.1:0")
        .envs(environment.iter().copied())
        .current_dir(directory)
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn ended(environment: &[(&str, &str)]) -> Output {
    let output = enqueuer(environment).output();
    let output = tokio::time::timeout(Duration::from_secs(20), output).await;
    output.expect("it must end by itself").unwrap()
}

#[tokio::test]
async fn what_keeps_it_from_starting_is_one_line_and_status_1() {
    let secret = ("JOBS_API_SECRET", SECRET);
    let nowhere = ("DATABASE_URL", "postgres://x:marked-password@h.invalid/x");
    for (environment, word) in [
        (vec![nowhere], "JOBS_API_SECRET is not set"),
        (vec![secret], "DATABASE_URL is not set"),
        (vec![secret, nowhere], "lookup"),
        (
            vec![secret, nowhere, ("LARDER_LOG", "a=loud")],
            "LARDER_LOG",
        ),
    ] {
        let output = ended(&environment).await;
        let said = String::from_utf8(output.stderr).unwrap();
        let errors: Vec<&str> = said.lines().filter(|line| !line.starts_with('{')).collect();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(errors.len(), 1, "{said}");
        assert!(
            errors[0].starts_with("error: ") && errors[0].contains(word),
            "{said}"
        );
        assert!(!said.contains("marked-password"), "{said}");
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn it_logs_json_and_stops_with_status_0_when_told_to(pool: sqlx::PgPool) -> TestResult {
    let url = url_of(&pool);
    let mut running = enqueuer(&[("JOBS_API_SECRET", SECRET), ("DATABASE_URL", &url)]).spawn()?;
    let mut lines = BufReader::new(running.stderr.take().unwrap()).lines();
    let prepared = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if line["message"] == "the database is prepared" {
                return;
            }
        }
        panic!("it ended");
    };
    tokio::time::timeout(Duration::from_secs(20), prepared).await?;
    let id = running.id().unwrap().to_string();
    let told = Command::new("kill").args(["-TERM", &id]).status().await?;
    assert!(told.success());
    let status = tokio::time::timeout(Duration::from_secs(10), running.wait()).await??;
    assert_eq!(status.code(), Some(0));
    Ok(())
}
