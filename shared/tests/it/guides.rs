//! What the guides in `docs/` show is true.

use std::collections::BTreeMap;

use shared::catalog::Catalog;
use shared::config::Source;
use shared::provider::{ItemReading, Outcome, RawReply};

use crate::recordings::understand;

const ADDING_AN_API: &str = include_str!("../../../docs/adding-an-api.md");

/// The blocks of a guide that are in this language.
fn blocks(guide: &str, language: &str) -> Vec<String> {
    let fence = format!("\n```{language}\n");
    guide
        .split(&fence)
        .skip(1)
        .map(|rest| rest.split("\n```").next().unwrap().to_owned())
        .collect()
}

/// The configuration that a guide's blocks are together.
fn catalog(guide: &str) -> Catalog {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("larder.toml");
    std::fs::write(&path, blocks(guide, "toml").join("\n\n")).unwrap();
    let source = Source {
        path: Some(path),
        directory: directory.path().to_owned(),
        environment: BTreeMap::new(),
    };
    match Catalog::load(&source) {
        Ok((catalog, _)) => catalog,
        Err(errors) => panic!("{errors}"),
    }
}

#[test]
fn the_blocks_about_adding_an_api_are_one_good_configuration() {
    let catalog = catalog(ADDING_AN_API);
    let names: Vec<&str> = catalog.providers().map(|it| it.name().as_str()).collect();
    assert_eq!(names, ["coingecko", "shop", "weather"]);
    let tracked: Vec<&str> = catalog
        .tracked()
        .iter()
        .map(|track| track.resource.key.as_str())
        .collect();
    assert_eq!(
        tracked,
        [
            "weather:/v1/forecast?current=temperature_2m&latitude=52.52&longitude=13.41",
            "weather:/v1/forecast?current=temperature_2m&latitude=48.85&longitude=2.35",
            "shop:/prices?article=A1",
            "shop:/prices?article=B2",
            "shop:/prices?article=C3",
        ]
    );
}

#[test]
fn the_question_and_the_reply_about_adding_an_api_are_understood() {
    let catalog = catalog(ADDING_AN_API);
    let replies = blocks(ADDING_AN_API, "json");
    let [weather_reply, shop_reply] = replies.as_slice() else {
        panic!("{} replies", replies.len());
    };

    let weather = catalog.provider("weather").unwrap();
    let shell = blocks(ADDING_AN_API, "sh").join("\n");
    let (_, rest) = shell.split_once("/proxy/weather").unwrap();
    let (asked, _) = rest.split_once('\'').unwrap();
    let tracked = &catalog.tracked()[0].resource;
    assert_eq!(
        &weather.resource(&format!("weather:{asked}")).unwrap(),
        tracked
    );
    let call = weather.call(&tracked.batch_key, &[]).unwrap();
    let sent = ("timeformat".to_owned(), "unixtime".to_owned());
    assert!(call.query.contains(&sent), "{call:?}");
    let reading = understand(weather, tracked.batch_key.as_str(), &[], 200, weather_reply);
    let [(_, ItemReading::Found(answer))] = reading.items.as_slice() else {
        panic!("{reading:?}");
    };
    assert_eq!(&answer.body, weather_reply);
    assert_eq!(answer.provider_time.unwrap().timestamp(), 1_763_910_000);
    let spent =
        r#"{"error":true,"reason":"Daily API request limit exceeded. Please try again tomorrow."}"#;
    let reading = understand(weather, tracked.batch_key.as_str(), &[], 429, spent);
    assert_eq!(reading.outcome, Outcome::Throttled);
    assert!(reading.message.unwrap().starts_with("Daily"));

    let shop = catalog.provider("shop").unwrap();
    let reading = understand(
        shop,
        "prices?article=*",
        &["A1", "B2", "C3"],
        200,
        shop_reply,
    );
    assert_eq!(reading.outcome, Outcome::Ok);
    assert!(matches!(
        reading.items.as_slice(),
        [
            (_, ItemReading::Found(_)),
            (_, ItemReading::Found(_)),
            (_, ItemReading::NotFound)
        ]
    ));
}

#[test]
fn the_headers_about_adding_an_api_are_understood() {
    let catalog = catalog(ADDING_AN_API);
    let headers: Vec<(String, String)> = blocks(ADDING_AN_API, "http")[0]
        .lines()
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let reply = RawReply {
        status: 200,
        headers: &headers,
        body: b"{}",
    };
    let date = chrono::DateTime::from_timestamp(1_763_910_020, 0);
    let readings = catalog.provider("shop").unwrap().rate_limits(&reply, date);
    assert_eq!(readings.len(), 1);
    assert_eq!(readings[0].limit.as_deref(), Some("minute"));
    assert_eq!(
        (readings[0].cap, readings[0].remaining),
        (Some(60), Some(12))
    );
    assert_eq!(readings[0].resets_in.unwrap().as_secs(), 40);
}

/// Every source file below a directory, as one text.
fn sources(below: &std::path::Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|it| it == "rs") {
            text += &std::fs::read_to_string(path).unwrap();
        }
    }
    text
}

#[test]
fn the_tests_that_the_guide_to_the_queue_names_are_there() {
    let guide = include_str!("../../../docs/queue.md");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let crates = ["shared", "worker", "enqueuer", "larder"];
    let tests: String = crates
        .iter()
        .map(|name| sources(&root.join(name).join("tests")))
        .collect();
    let survived = guide.split_once("## What it survives").unwrap().1;
    let named: Vec<&str> = survived
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.matches('_').count() >= 3)
        .collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        assert!(tests.contains(&format!("fn {name}(")), "{name}");
    }
}
