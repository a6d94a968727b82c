//! Who may finish a job, when claims need not be durable and leases run out.

use super::explore::{Machine, fails, holds};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Job {
    Pending,
    Running { token: u8 },
    Finished,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    job: Job,
    /// Whether the claim is on disk.
    durable: bool,
    tokens: u8,
    /// Handlers that run, by their lease tokens.
    running: [bool; 4],
    crashes: u8,
    /// Recorded by somebody who did not hold the job.
    by_a_stranger: bool,
    outcomes: u8,
}

#[derive(Debug, Clone, Copy)]
#[expect(dead_code, reason = "the numbers are printed")]
enum Step {
    Claim,
    Flush,
    CrashOfPostgres,
    LeaseRunsOut,
    Finish(usize),
    Retry(usize),
}

/// Jobs whose outcomes are recorded under the lease token, or by whoever comes.
struct Leases {
    fenced: bool,
}

impl Machine for Leases {
    type State = State;
    type Step = Step;

    fn start(&self) -> State {
        State {
            job: Job::Pending,
            durable: true,
            tokens: 0,
            running: [false; 4],
            crashes: 2,
            by_a_stranger: false,
            outcomes: 0,
        }
    }

    fn steps(&self, state: &State, into: &mut Vec<(Step, State)>) {
        if state.job == Job::Pending && usize::from(state.tokens) < state.running.len() {
            let mut to = *state;
            to.job = Job::Running {
                token: state.tokens,
            };
            to.running[usize::from(state.tokens)] = true;
            to.tokens += 1;
            to.durable = false;
            into.push((Step::Claim, to));
        }
        if let Job::Running { .. } = state.job {
            let job = Job::Pending;
            into.push((Step::LeaseRunsOut, State { job, ..*state }));
            if !state.durable {
                let durable = true;
                into.push((Step::Flush, State { durable, ..*state }));
            }
            if !state.durable && state.crashes > 0 {
                let crashes = state.crashes - 1;
                let durable = true;
                let to = State {
                    job,
                    crashes,
                    durable,
                    ..*state
                };
                into.push((Step::CrashOfPostgres, to));
            }
        }
        for nth in 0..state.running.len() {
            if !state.running[nth] {
                continue;
            }
            for (step, job) in [
                (Step::Finish(nth), Job::Finished),
                (Step::Retry(nth), Job::Pending),
            ] {
                let mut to = *state;
                to.running[nth] = false;
                let holds =
                    matches!(state.job, Job::Running { token } if usize::from(token) == nth);
                let there = state.job != Job::Finished;
                if holds || (there && !self.fenced) {
                    to.by_a_stranger |= !holds;
                    to.outcomes += u8::from(job == Job::Finished);
                    to.job = job;
                }
                into.push((step, to));
            }
        }
    }

    fn wrong(&self, state: &State) -> Option<String> {
        if state.by_a_stranger {
            return Some("recorded by somebody who did not hold the job".to_owned());
        }
        let finished = u8::from(state.job == Job::Finished);
        (state.outcomes != finished).then(|| format!("{} outcomes", state.outcomes))
    }
}

/// A handler may run twice, since a claim need not be durable; its outcome is one.
#[test]
fn hole_32_a_job_has_one_outcome_by_who_holds_it() {
    holds("leases", &Leases { fenced: true });
}

#[test]
fn hole_09_without_the_token_who_lost_the_lease_finishes_the_job() {
    fails("no token", &Leases { fenced: false });
}
