//! The lanes of a run: a provider each, with limits of its own and a sandbox of its own.

use std::fmt::Write;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use sandbox::{Handle, Sandbox, SandboxConfig};

use super::dice::Dice;

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Requests,
    Credits,
}

/// The stretch of time that a limit counts over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Window {
    Rolling(Duration),
    /// From one full minute to the next.
    Minute,
    /// Days, of which one begins at this instant, a full second.
    Day(DateTime<Utc>),
    InFlight,
}

#[derive(Debug, Clone)]
pub(crate) struct Limit {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(crate) cap: u64,
    pub(crate) window: Window,
}

#[derive(Debug, Clone)]
pub(crate) struct LaneSpec {
    pub(crate) name: &'static str,
    pub(crate) limits: Vec<Limit>,
    /// How far the provider's clock is off: less than `reset_grace`.
    pub(crate) clock_off: TimeDelta,
    /// Currencies that a request may ask for; each after the first costs a credit more.
    pub(crate) converts: &'static [&'static str],
}

/// How much a run may wait for what it does not know.
pub(crate) const LEASE: Duration = Duration::from_secs(3);
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_millis(1500);
pub(crate) const MAX_FREEZE: Duration = Duration::from_secs(8);
pub(crate) const MAX_TRANSIT: Duration = Duration::from_secs(3);

fn requests(name: &'static str, cap: u64, window: Window) -> Limit {
    Limit {
        name,
        unit: Unit::Requests,
        cap,
        window,
    }
}

fn credits(name: &'static str, cap: u64, window: Window) -> Limit {
    Limit {
        unit: Unit::Credits,
        ..requests(name, cap, window)
    }
}

fn secs(secs: u64) -> Window {
    Window::Rolling(Duration::from_secs(secs))
}

const CHEAP: &[&str] = &[""];
const PRICES: &[&str] = &["", "", "&convert=EUR,USD", "&convert=EUR,GBP,USD"];

/// The lanes of a run under faults. Boundaries of calendar windows fall into it: every
/// minute, and of days at its half and at its third quarter.
pub(crate) fn under_faults(began: DateTime<Utc>, length: Duration) -> Vec<LaneSpec> {
    let at = |share: f64| {
        let after = TimeDelta::from_std(length.mul_f64(share)).unwrap();
        (began + after).with_nanosecond(0).unwrap()
    };
    // At the pace below, both are used up shortly before their boundaries, or not quite.
    let used_up = |share: f64| (length.as_secs_f64() * share) as u64;
    let lane = |name, converts, clock_off_ms, limits| LaneSpec {
        name,
        limits,
        clock_off: TimeDelta::milliseconds(clock_off_ms),
        converts,
    };
    vec![
        lane(
            "rolls",
            CHEAP,
            0,
            vec![
                requests("some", 24, secs(4)),
                requests("in_flight", 8, Window::InFlight),
            ],
        ),
        lane(
            "priced",
            PRICES,
            0,
            vec![
                credits("some", 30, secs(5)),
                requests("in_flight", 8, Window::InFlight),
            ],
        ),
        lane(
            "dated",
            PRICES,
            700,
            vec![
                credits("today", used_up(2.2), Window::Day(at(0.5))),
                requests("tonight", used_up(2.0), Window::Day(at(0.75))),
                requests("this_minute", 160, Window::Minute),
                requests("pace", 6, secs(2)),
                requests("in_flight", 8, Window::InFlight),
            ],
        ),
        lane(
            "slots",
            CHEAP,
            0,
            vec![
                requests("some", 24, secs(2)),
                requests("in_flight", 3, Window::InFlight),
            ],
        ),
        lane(
            "mixed",
            PRICES,
            -700,
            vec![
                requests("some", 16, secs(3)),
                credits("more", 60, secs(10)),
                credits("this_minute", 200, Window::Minute),
                requests("in_flight", 5, Window::InFlight),
            ],
        ),
    ]
}

/// The lanes of a run that measures how much of each cap can be used.
pub(crate) fn without_faults(began: DateTime<Utc>, length: Duration) -> Vec<LaneSpec> {
    let boundary = began + TimeDelta::from_std(length.mul_f64(0.4)).unwrap();
    // Several times in a run. How soon a lane is open again weighs less in a longer one.
    let width = (length.as_secs() / 4).clamp(4, 15);
    let lane = |name, converts, limit| LaneSpec {
        name,
        limits: vec![limit, requests("in_flight", 20, Window::InFlight)],
        clock_off: TimeDelta::zero(),
        converts,
    };
    vec![
        lane("rolls", CHEAP, requests("some", 8 * width, secs(width))),
        lane("priced", PRICES, credits("some", 8 * width, secs(width))),
        lane(
            "minutes",
            CHEAP,
            requests("this_minute", 60, Window::Minute),
        ),
        lane(
            "days",
            PRICES,
            credits(
                "today",
                80,
                Window::Day(boundary.with_nanosecond(0).unwrap()),
            ),
        ),
    ]
}

/// A lane with the sandbox that plays its provider.
pub(crate) struct Lane {
    pub(crate) spec: LaneSpec,
    pub(crate) upstream: Handle,
    sandbox: Sandbox,
}

impl Lane {
    pub(crate) async fn start(spec: LaneSpec, seed: u64) -> Self {
        let config = SandboxConfig {
            keys: vec![spec.key()],
            // It only counts: by how much a cap was passed must show.
            enforce: false,
            requests_per_minute: 1_000_000,
            credits_per_month: 100_000_000,
            clock_offset: spec.clock_off,
            // So that later answers are of later versions.
            price_step: Duration::from_millis(250),
            coins: 300,
            seed,
            ..SandboxConfig::default()
        };
        let sandbox = Sandbox::start("127.0.0.1:0", config).await.unwrap();
        Self {
            spec,
            upstream: sandbox.handle(),
            sandbox,
        }
    }

    pub(crate) async fn stop(self) {
        self.sandbox.stop().await;
    }

    /// A resource of this lane: coins that share calls, and lists that do not.
    pub(crate) fn resource(&self, dice: &mut Dice) -> String {
        let provider = self.spec.name;
        let convert = dice.pick(self.spec.converts);
        match dice.below(8) {
            0 => {
                let id = dice.below(40) + 1;
                format!("{provider}:/v3/cryptocurrency/quotes/latest?id={id}")
            }
            _ => {
                let start = dice.below(250) + 1;
                format!(
                    "{provider}:/v3/cryptocurrency/listings/latest?limit=1&start={start}{convert}"
                )
            }
        }
    }

    /// This provider's part of the configuration.
    pub(crate) fn config(&self) -> String {
        let LaneSpec { name, limits, .. } = &self.spec;
        let mut text = format!(
            r#"
[providers.{name}]
preset = "coinmarketcap"
base_url = "{url}"
key_env = "{variable}"

[providers.{name}.budget]
reset_grace = "1s"
max_freeze = "{freeze}s"
max_transit = "{transit}s"
readers_share = 0.0
reconcile_every = "24h"

# What the sandbox's account allows is out of reach: the limits below are tried.
[providers.{name}.limits.month]
cap = 100000000
[providers.{name}.limits.minute]
cap = 1000000
"#,
            url = self.sandbox.url(),
            variable = self.spec.key_variable(),
            freeze = MAX_FREEZE.as_secs(),
            transit = MAX_TRANSIT.as_secs(),
        );
        for limit in limits {
            let unit = match limit.unit {
                Unit::Requests => "requests",
                Unit::Credits => "credits",
            };
            let window = match limit.window {
                Window::Rolling(width) => format!("rolling = \"{}s\"", width.as_secs()),
                Window::Minute => "calendar = \"minute\"".to_owned(),
                // Three hours ahead of UTC, by the name that POSIX gives it.
                Window::Day(begins) => format!(
                    "calendar = \"day\", zone = \"Etc/GMT-3\", at = \"{}\"",
                    (begins + TimeDelta::hours(3)).format("%H:%M:%S")
                ),
                Window::InFlight => "concurrency = true".to_owned(),
            };
            writeln!(
                text,
                "[providers.{name}.limits.{}]\nunit = \"{unit}\"\ncap = {}\nwindow = {{ {window} }}",
                limit.name, limit.cap
            )
            .unwrap();
        }
        text
    }
}

impl LaneSpec {
    pub(crate) fn key(&self) -> String {
        format!("key-of-{}", self.name)
    }

    pub(crate) fn key_variable(&self) -> String {
        format!("KEY_OF_{}", self.name.to_uppercase())
    }
}
