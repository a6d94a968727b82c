//! `docs/METRICS.md` is what `shared::metrics` declares.

use shared::metrics::{ALL, ENDS, Kind, REASONS};
use shared::provider::Outcome;

fn page() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         Made from `shared/src/metrics.rs`; `LARDER_BLESS=1 cargo test -p shared --test it metrics` renews it.\n\n\
         Every process serves `/metrics`: the enqueuer on its own address, or on `enqueuer.metrics_listen`; the worker on\n\
         port 8081; under `larder up` one page carries all. Labels are from closed sets: names of providers, endpoints,\n\
         limits and lanes from the configuration, and the words below; never a key, an id or a URL. Every series that\n\
         a process counts exists from its start, at zero: of a worker those of calls and jobs, of an enqueuer those of reads and\n\
         of cancelled jobs.\n\n\
         What a process did is counted by that process: take `sum` over instances. What the database knows is the same from\n\
         every enqueuer, and workers do not report it: take `max by` its labels.\n\n\
         | name | kind | labels | of | meaning |\n|---|---|---|---|---|\n",
    );
    let listed = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        words.join(", ")
    };
    for metric in ALL {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        page.push_str(&format!(
            "| `{}` | {kind} | {} | {} | {} |\n",
            metric.name,
            listed(metric.labels),
            if metric.is_of_the_database() {
                "database"
            } else {
                "process"
            },
            metric.help,
        ));
    }
    let outcomes: Vec<&str> = Outcome::ALL.iter().map(|it| it.as_str()).collect();
    page.push_str(&format!(
        "\n## Words of labels\n\n\
         | label | values |\n|---|---|\n\
         | `outcome` | what an answer came to: {}; without one: `not_sent`, `connect`, `timeout`, `broken`, `too_large`, `cannot_store`, `lapsed` |\n\
         | `status` of `larder_jobs` | `pending`, `running` |\n\
         | `status` of `larder_jobs_finished_total` | {} |\n\
         | `reason` of `larder_jobs_waiting` | `due`, `scheduled`, `retry`, `lane_closed` |\n\
         | `reason` of `larder_lane_closed` | {} |\n\
         | `result` | `fresh`, `stale`, `miss` |\n\
         | `state` | `fresh`, `overdue`, `past_bound`, `missing` |\n",
        listed(&outcomes),
        listed(&ENDS),
        listed(&REASONS),
    ));
    page
}

#[test]
fn the_page_of_metrics_is_what_is_declared() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/METRICS.md");
    let made = page();
    if std::env::var_os("LARDER_BLESS").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap();
    assert!(
        kept == made,
        "docs/METRICS.md is out of date: see its first lines"
    );
}

/// `LARDER_BLESS=1 scripts/check-ops` renews it.
#[test]
fn the_log_of_operations_has_every_alert_and_every_panel() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let log = read("docs/ops-log.txt");
    let rules = read("ops/prometheus/rules/alerts.yml");
    let alerts = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let mut wanted: Vec<String> = alerts.map(|name| format!("ok    rule {name}:")).collect();
    for name in ["budget", "cache", "queue"] {
        let dashboard = read(&format!("ops/grafana/dashboards/{name}.json"));
        let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
        let panels = dashboard["panels"].as_array().unwrap();
        let panels = panels.iter().filter(|panel| panel["type"] != "row");
        let titles = panels.map(|panel| panel["title"].as_str().unwrap());
        wanted.extend(titles.map(|title| format!("ok    {name} / {title}: ")));
    }
    assert!(wanted.len() > 50, "premise: {wanted:#?}");
    wanted.retain(|line| !log.lines().any(|it| it.starts_with(line.as_str())));
    assert_eq!(wanted, Vec::<String>::new());
}

#[test]
fn rules_and_dashboards_name_only_metrics_that_there_are() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops");
    let mut unknown = Vec::new();
    for folder in ["prometheus/rules", "grafana/dashboards"] {
        for file in std::fs::read_dir(root.join(folder)).unwrap() {
            let file = file.unwrap().path();
            let text = std::fs::read_to_string(&file).unwrap();
            let words = text.split(|letter: char| {
                !letter.is_ascii_alphanumeric() && letter != '_' && letter != ':'
            });
            for word in words.filter(|word| word.starts_with("larder_")) {
                let bare = ["_bucket", "_sum", "_count"]
                    .iter()
                    .find_map(|end| word.strip_suffix(end));
                let known = |name: &str| ALL.iter().any(|metric| metric.name == name);
                if !known(word) && !bare.is_some_and(known) {
                    unknown.push(format!("{}: {word}", file.display()));
                }
            }
        }
    }
    assert_eq!(unknown, Vec::<String>::new());
}
