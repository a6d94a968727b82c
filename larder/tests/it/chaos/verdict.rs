//! Judges a run by what it left behind, and prints the figures.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;
use worker::Handler;

use super::audit::{self, Call, Ended, Noted};
use super::crew::Done;
use super::expected;
use super::faults::{Fault, Injected};
use super::feeder::Fed;
use super::lanes::{Lane, Unit};
use super::matching;
use super::misbehaving::Misbehaving;
use super::process::faketime;
use super::trouble;
use super::watch::Seen;
use super::windows;
use super::world::World;

/// Longest time in seconds for which a lease may have run out and not be taken back: a
/// restart of the database on a busy machine is in it.
const LONGEST_EXPIRED: f64 = 15.0;

/// As many complaints of one kind are enough to look for their cause.
const MOST_TOLD: usize = 10;

/// Everything that a run left behind.
pub(crate) struct Run<'a> {
    pub(crate) world: &'a World,
    /// The faults that must have been injected.
    pub(crate) round: &'a [Fault],
    pub(crate) injected: &'a Injected,
    pub(crate) done: &'a Done,
    pub(crate) fed: &'a Fed,
    pub(crate) seen: &'a Seen,
}

/// Prints the figures; answers what did not hold.
pub(crate) async fn judge(run: &Run<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    injected(run, &mut wrong);
    let ledger = audit::ledger(&run.world.pool).await;
    println!(
        "\n{:<8} {:>9} {:>8} {:>8} {:>8} {:>6} {:>8} {:>10} {:>12} {:>9}",
        "lane",
        "requests",
        "ledger",
        "credits",
        "ledger",
        "over",
        "lapsed",
        "of killed",
        "unconfirmed",
        "unplaced"
    );
    for lane in &run.world.lanes {
        counts(run, lane, &ledger, &mut wrong);
    }
    println!(
        "\n{:<22} {:>6} {:>6} {:>9}",
        "limit", "cap", "most", "windows"
    );
    for lane in &run.world.lanes {
        limits(run, lane, &mut wrong);
    }
    jobs(run, &mut wrong).await;
    entries(run, &mut wrong).await;
    leases(run, &mut wrong).await;
    wrong
}

/// That every fault happened, or the run proves less than it says.
fn injected(run: &Run<'_>, wrong: &mut Vec<String>) {
    let Done {
        started,
        kills,
        stops,
        longest_stop,
        exchanged,
        left_behind,
        aborts,
        clocks_off,
        ..
    } = run.done;
    println!("\nfaults injected: {:?}", run.injected);
    println!(
        "workers: {started} started, {kills} killed, {exchanged} exchanged, {aborts} ended by \
         jobs, {stops} stopped for up to {:.1} s",
        longest_stop.as_secs_f64()
    );
    if *left_behind > 0 {
        wrong.push(format!(
            "{left_behind} jobs and calls were held by workers that had stopped"
        ));
    }
    if run.round.contains(&Fault::Abort) && *aborts == 0 {
        wrong.push("no job ended its worker".to_owned());
    }
    match faketime() {
        Some(_) => {
            println!("clocks: {clocks_off} workers had one that was off by about 10 minutes")
        }
        None => println!("clocks: NOT FAKED, libfaketime is not installed (Debian: faketime)"),
    }
    if faketime().is_some() && *clocks_off == 0 {
        wrong.push("no worker's clock was off, though libfaketime is there".to_owned());
    }
    for fault in run.round {
        if !run.injected.contains_key(fault) {
            wrong.push(format!("{fault:?} was never injected"));
        }
    }
    let met = run.seen.troubles();
    println!("trouble of providers: {met:?}");
    for name in trouble::names() {
        if !met.contains_key(name) {
            wrong.push(format!("no call met {name}"));
        }
    }
    let crossed = run.seen.crossed(&run.world.lanes);
    println!(
        "boundaries of calendar windows crossed by: {}",
        crossed.join(", ")
    );
    if crossed.is_empty() {
        wrong.push("no boundary of a calendar window was crossed".to_owned());
    }
}

/// The provider's count of one lane against ours.
fn counts(run: &Run<'_>, lane: &Lane, ledger: &[Call], wrong: &mut Vec<String>) {
    let name = lane.spec.name;
    let arrivals = run.seen.of(name);
    let total = lane.upstream.total();
    if arrivals.len() as u64 != total.requests {
        wrong.push(format!("{name}: not every arrival was looked at"));
    }
    let calls: Vec<Call> = ledger
        .iter()
        .filter(|call| call.provider == name)
        .cloned()
        .collect();
    let requests: i64 = calls.iter().map(|call| i64::from(call.requests)).sum();
    let credits: i64 = calls.iter().map(|call| i64::from(call.credits)).sum();
    let is_lapsed = |call: &&Call| call.outcome.as_deref() == Some("lapsed");
    let lapsed: Vec<&Call> = calls.iter().filter(is_lapsed).collect();
    let is_of_killed = |call: &&&Call| run.done.killed.contains(&call.worker);
    let of_killed = lapsed.iter().filter(is_of_killed).count();
    let is_unconfirmed = |call: &&&Call| {
        let admission = (call.worker.clone(), call.provider.clone());
        run.done.not_admitted.contains(&admission)
    };
    let unconfirmed = lapsed.iter().filter(|call| !is_of_killed(call));
    let unconfirmed = unconfirmed.filter(is_unconfirmed).count();
    let lapsed = lapsed.len();
    let matched = matching::compare(arrivals, &calls, lane.spec.clock_off);
    let over = requests - total.requests.cast_signed();
    println!(
        "{name:<8} {:>9} {requests:>8} {:>8} {credits:>8} {over:>6} {lapsed:>8} {of_killed:>10} {unconfirmed:>12} {:>9}",
        total.requests,
        total.credits,
        matched.unreserved.len(),
    );
    if over < 0 || credits < total.credits.cast_signed() {
        wrong.push(format!(
            "{name}: the ledger has less than the provider counted"
        ));
    }
    if !matched.unreserved.is_empty() {
        wrong.push(format!(
            "{name}: arrivals without a reservation in force: {:?}",
            matched.unreserved
        ));
    }
    if lapsed > of_killed + unconfirmed {
        wrong.push(format!(
            "{name}: calls lapsed whose workers lived and knew of them"
        ));
    }
    // What never came was in flight when its worker was killed, or its worker never learnt
    // that it may send it.
    if over > i64::try_from(of_killed + unconfirmed).unwrap() {
        let never_came = matched
            .never_came
            .iter()
            .map(|&nth| calls[nth].outcome.as_deref());
        wrong.push(format!(
            "{name}: counted {over} requests too many, killed workers had {of_killed} in flight, {unconfirmed} not confirmed: {:?}",
            never_came.collect::<Vec<_>>()
        ));
    }
    for call in &calls {
        if call.credits > call.reserved_credits {
            wrong.push(format!("{name}: a call cost more than was set aside"));
        }
    }
    if !run.seen.under.is_empty() && wrong.iter().all(|told| !told.contains("at some moment")) {
        wrong.push(format!("counted less at some moment: {:?}", run.seen.under));
    }
}

/// That no window of any limit held more than its cap.
fn limits(run: &Run<'_>, lane: &Lane, wrong: &mut Vec<String>) {
    let name = lane.spec.name;
    let arrivals = run.seen.of(name);
    for limit in &lane.spec.limits {
        let count = windows::count(limit, arrivals);
        let place = format!("{name}.{}", limit.name);
        let unit = match limit.unit {
            Unit::Requests => "requests",
            Unit::Credits => "credits",
        };
        println!(
            "{place:<22} {:>6} {:>6} {:>9}  {unit}, {:?}",
            limit.cap, count.most, count.windows, limit.window
        );
        if count.most > limit.cap {
            wrong.push(format!("{place}: {} of {}", count.most, limit.cap));
        }
    }
}

/// That every accepted job ended exactly once.
async fn jobs(run: &Run<'_>, wrong: &mut Vec<String>) {
    let pool = &run.world.pool;
    let outcomes = audit::outcomes(pool).await;
    let mut by_status: BTreeMap<&str, usize> = BTreeMap::new();
    let mut ends: HashMap<Uuid, usize> = HashMap::new();
    for Noted {
        operation,
        id,
        status,
    } in &outcomes
    {
        if operation != "INSERT" {
            wrong.push(format!("job {id}, {status}: {operation} after its end"));
        }
        *ends.entry(*id).or_default() += 1;
        *by_status.entry(status).or_default() += 1;
    }
    let twice = ends.values().filter(|times| **times > 1).count();
    if twice > 0 {
        wrong.push(format!("{twice} jobs ended more than once"));
    }
    let ended: HashSet<Uuid> = ends.into_keys().collect();
    let lost = run.fed.accepted.difference(&ended).count();
    if lost > 0 {
        wrong.push(format!("{lost} accepted jobs have no outcome"));
    }
    let all = audit::ended(pool).await;
    wrong.extend(all.iter().filter_map(expected::complaint).take(MOST_TOLD));
    let without = audit::completed_without_answer(pool).await;
    if without > 0 {
        wrong.push(format!("{without} completed refreshes have no answer"));
    }
    println!(
        "\njobs: {} accepted ({} requests refused while the database or the enqueuer was away)",
        run.fed.accepted.len(),
        run.fed.refused
    );
    println!(
        "outcomes: {by_status:?}, {twice} jobs with two, {lost} accepted without one, {} rescues",
        all.iter().map(|job| job.rescues).sum::<i32>()
    );
    misdeeds(&all);
}

/// Says how jobs ended that misbehaved.
fn misdeeds(all: &[Ended]) {
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for job in all.iter().filter(|job| job.kind == Misbehaving::KIND) {
        let end = format!(
            "{} {}",
            job.args["misdeed"].as_str().unwrap_or("?"),
            job.status
        );
        *ends.entry(end).or_default() += 1;
    }
    if !ends.is_empty() {
        println!("jobs that misbehaved: {ends:?}");
    }
    let others = all.iter().filter(|job| job.kind != Misbehaving::KIND);
    let most = others.map(|job| job.rescues).max();
    println!(
        "another one was rescued {} times at most",
        most.unwrap_or(0)
    );
}

/// That no entry was replaced by an older one.
async fn entries(run: &Run<'_>, wrong: &mut Vec<String>) {
    let replaced = audit::replaced(&run.world.pool).await;
    let older: Vec<_> = replaced
        .iter()
        .filter(|one| one.by_an_older() != Some(false))
        .collect();
    println!(
        "entries: {} times replaced by a newer one, {} by an older one",
        replaced.len() - older.len(),
        older.len()
    );
    if let Some(one) = older.first() {
        wrong.push(format!(
            "{} entries were replaced by older ones: {one:?}",
            older.len()
        ));
    }
    if replaced.is_empty() {
        wrong.push("no entry was ever replaced".to_owned());
    }
}

/// That nobody who is dead holds anything.
async fn leases(run: &Run<'_>, wrong: &mut Vec<String>) {
    let (pending, running, unsettled) = audit::left_over(&run.world.pool).await;
    println!(
        "left over: {pending} waiting, {running} held, {unsettled} calls not settled; \
         a lease was taken back at most {:.1} s after its end",
        run.seen.longest_expired
    );
    println!(
        "looks at both counts during the run: {}",
        run.seen.comparisons
    );
    if pending + running + unsettled > 0 {
        wrong.push(format!(
            "left over: {pending} waiting, {running} held, {unsettled} not settled"
        ));
    }
    if run.seen.longest_expired > LONGEST_EXPIRED {
        wrong.push(format!(
            "a lease stayed with the dead for {:.1} s",
            run.seen.longest_expired
        ));
    }
}
