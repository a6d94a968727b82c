//! `larder bench credits`: what readers cost, from ten to a hundred thousand a minute.
//!
//! A day in virtual time, second by second: readers come by chance and ask for one of 100
//! coins, by Zipf's law. Two caches answer them, for which an answer is good for equally
//! long. Cache-aside fetches what a reader finds missing or old, one coin a call, as an
//! application with a cache in front of the API does. Larder fetches what is due, all of it
//! in one call, whether somebody asks or not; a reader of an overdue answer gets it as it is.
//!
//! What Larder's calls cost is priced by the provider's own rule in the preset; that reads of
//! tracked resources cause no call is what `enqueuer/tests/it/reads.rs` holds it to.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use shared::catalog::Catalog;
use shared::config::Source;

use super::report::Report;
use crate::cli::{Failure, Outcome};

/// Coins that are read, all of them tracked.
const COINS: usize = 100;

/// Seconds in a day.
const DAY: u32 = 86_400;

/// Readers a minute.
const READERS: [u32; 3] = [10, 1_000, 100_000];

/// Name, colour and figures of a line.
type Line = (&'static str, &'static str, fn(&Day) -> u32);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Seconds for which an answer is good
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(10..=86_400))]
    ttl: u32,
    /// Draw the figures as an SVG into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print JSON lines
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Day {
    bench: &'static str,
    readers_per_minute: u32,
    larder_credits: u32,
    cache_aside_credits: u32,
}

/// Simulates a day for each number of readers.
pub(super) fn run(arguments: &Arguments) -> Outcome {
    let price = price()?;
    let mut report = Report::new(arguments.json);
    let mut days = Vec::new();
    for readers in READERS {
        let day = simulate(readers, arguments.ttl, &price);
        report.add(
            &format!("{readers} readers a minute"),
            &format!("{} credits a day", day.larder_credits),
            &format!("cache-aside: {}", day.cache_aside_credits),
            &day,
        )?;
        days.push(day);
    }
    if let Some(file) = &arguments.svg {
        std::fs::write(file, picture(&days, arguments.ttl))
            .map_err(|error| Failure::from(&error))?;
    }
    report.end();
    Ok(ExitCode::SUCCESS)
}

/// Credits of a call for so many coins, by the preset of CoinMarketCap.
fn price() -> Result<impl Fn(usize) -> u32, Failure> {
    let source = Source {
        directory: std::env::temp_dir().join("no-larder-toml-here"),
        ..Source::default()
    };
    let (catalog, _) = Catalog::load(&source).map_err(|error| Failure::from(&error))?;
    let provider = catalog.provider("coinmarketcap").cloned();
    let provider = provider.ok_or_else(|| Failure::new("the preset is missing"))?;
    let quote = catalog.resource("coinmarketcap.quotes_latest?id=1");
    let batch = quote.map_err(|error| Failure::from(&error))?.batch_key;
    Ok(move |coins: usize| provider.worst_case(&batch, coins).unwrap_or(u32::MAX))
}

fn simulate(readers_per_minute: u32, ttl: u32, price: impl Fn(usize) -> u32) -> Day {
    let mut sums = Vec::with_capacity(COINS);
    let mut sum = 0.0;
    for rank in 1..=100_u32 {
        sum += 1.0 / f64::from(rank);
        sums.push(sum);
    }
    let mut chance = Chance(u64::from(readers_per_minute) + 1);
    let mut aside: [Option<u32>; COINS] = [None; COINS];
    let mut day = Day {
        bench: "credits",
        readers_per_minute,
        larder_credits: 0,
        cache_aside_credits: 0,
    };
    let mut expected = 0.0;
    for second in 0..DAY {
        if second % ttl == 0 {
            day.larder_credits += price(COINS);
        }
        expected += f64::from(readers_per_minute) / 60.0;
        while expected > chance.next() {
            expected -= 1.0;
            let wanted = chance.next() * sum;
            let coin = sums
                .partition_point(|so_far| *so_far < wanted)
                .min(COINS - 1);
            if aside[coin].is_none_or(|fetched| second - fetched >= ttl) {
                aside[coin] = Some(second);
                day.cache_aside_credits += price(1);
            }
        }
    }
    day
}

/// Numbers from 0 to 1, the same in every run: a generator of Marsaglia's.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        #[expect(clippy::cast_precision_loss, reason = "a share between 0 and 1")]
        let share = (self.0 >> 11) as f64 / (1_u64 << 53) as f64;
        share
    }
}

/// The figures as lines over both axes' logarithms.
fn picture(days: &[Day], ttl: u32) -> String {
    let x = |readers: u32| 90.0 + 130.0 * (f64::from(readers).log10() - 1.0);
    let y = |credits: u32| 330.0 - 95.0 * (f64::from(credits.max(1)).log10() - 2.0);
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 700 400\" font-family=\"sans-serif\" font-size=\"14\">\n\
         <rect width=\"700\" height=\"400\" fill=\"#ffffff\"/>\n",
    );
    // Writing to a string does not fail.
    let _ = writeln!(
        svg,
        "<text x=\"90\" y=\"26\" font-size=\"16\">Credits a day for {COINS} coins, each answer good for {ttl} s</text>"
    );
    for credits in [100, 1_000, 10_000, 100_000] {
        let at = y(credits);
        let _ = writeln!(
            svg,
            "<line x1=\"90\" y1=\"{at:.0}\" x2=\"610\" y2=\"{at:.0}\" stroke=\"#dddddd\"/>\
             <text x=\"82\" y=\"{:.0}\" text-anchor=\"end\">{}</text>",
            at + 5.0,
            grouped(credits)
        );
    }
    for day in days {
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"352\" text-anchor=\"middle\">{}</text>",
            x(day.readers_per_minute),
            grouped(day.readers_per_minute)
        );
    }
    svg.push_str("<text x=\"350\" y=\"380\" text-anchor=\"middle\">readers a minute</text>\n");
    let lines: [Line; 2] = [
        ("cache-aside", "#c0392b", |day| day.cache_aside_credits),
        ("Larder", "#1f77b4", |day| day.larder_credits),
    ];
    for (name, colour, credits) in lines {
        let points: Vec<String> = days
            .iter()
            .map(|day| format!("{:.0},{:.0}", x(day.readers_per_minute), y(credits(day))))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"3\"/>",
            points.join(" ")
        );
        for day in days {
            let (at_x, at_y) = (x(day.readers_per_minute), y(credits(day)));
            let label_y = if name == "Larder" {
                at_y + 20.0
            } else {
                at_y - 10.0
            };
            let _ = writeln!(
                svg,
                "<circle cx=\"{at_x:.0}\" cy=\"{at_y:.0}\" r=\"4\" fill=\"{colour}\"/>\
                 <text x=\"{at_x:.0}\" y=\"{label_y:.0}\" text-anchor=\"middle\" fill=\"{colour}\">{}</text>",
                grouped(credits(day))
            );
        }
        if let Some(last) = days.last() {
            let _ = writeln!(
                svg,
                "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\" fill=\"{colour}\">{name}</text>",
                x(last.readers_per_minute) - 40.0,
                y(credits(last)) - 8.0
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// `100000` as `100,000`.
fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 250 coins cost one credit.
    fn price(coins: usize) -> u32 {
        u32::try_from(coins.div_ceil(250)).unwrap()
    }

    #[test]
    fn ten_thousand_times_the_readers_cost_the_same() {
        let days = READERS.map(|readers| simulate(readers, 300, price));
        assert!(days.iter().all(|day| day.larder_credits == 288));
        let aside = days.map(|day| day.cache_aside_credits);
        assert!(aside[0] < aside[1] && aside[1] < aside[2], "{aside:?}");
        assert!((28_000..=28_800).contains(&aside[2]), "{aside:?}");
        let svg = picture(&days, 300);
        assert!(svg.contains("polyline") && svg.contains("100,000"));
    }
}
