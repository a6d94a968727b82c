//! Looks at every state that a machine can come to, nearest first.

use std::collections::{HashSet, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;

/// Something that goes from state to state, by steps of which any may come next.
pub(crate) trait Machine {
    type State: Copy + Eq + Hash;
    type Step: Copy + Debug;

    fn start(&self) -> Self::State;

    /// Every step that may come next, with the state that it leads to.
    fn steps(&self, state: &Self::State, into: &mut Vec<(Self::Step, Self::State)>);

    /// The same for all states that only differ in how things are named.
    fn canonical(&self, state: &Self::State) -> Self::State {
        *state
    }

    /// What is wrong with a state, if anything is.
    fn wrong(&self, state: &Self::State) -> Option<String>;
}

/// What an exploration found.
#[derive(Debug)]
pub(crate) struct Explored {
    /// Different states that were looked at.
    pub(crate) states: usize,
    /// Steps that were taken between them.
    pub(crate) steps: usize,
    /// The shortest way to something wrong, one step a line, and what is wrong there.
    pub(crate) counterexample: Option<String>,
}

/// More states than any of the explorations needs; whoever comes here has no bounds.
const MOST_STATES: usize = 30_000_000;

/// Explores breadth first, and stops at the first state in which something is wrong.
pub(crate) fn explore<M: Machine>(machine: &M) -> Explored {
    let start = machine.start();
    let mut seen = HashSet::from([machine.canonical(&start)]);
    // How each state was reached, in the order in which they were found.
    let mut reached: Vec<(usize, Option<M::Step>)> = vec![(0, None)];
    let mut queue = VecDeque::from([(0, start)]);
    let mut next = Vec::new();
    let mut steps = 0;
    let found = |states, steps, counterexample| Explored {
        states,
        steps,
        counterexample,
    };
    if let Some(why) = machine.wrong(&start) {
        return found(1, 0, Some(why));
    }
    while let Some((from, state)) = queue.pop_front() {
        machine.steps(&state, &mut next);
        for (step, to) in next.drain(..) {
            steps += 1;
            if !seen.insert(machine.canonical(&to)) {
                continue;
            }
            reached.push((from, Some(step)));
            let at = reached.len() - 1;
            assert!(at < MOST_STATES, "the machine has no bounds");
            if let Some(why) = machine.wrong(&to) {
                let schedule = schedule(&reached, at);
                return found(at + 1, steps, Some(format!("{schedule}=> {why}")));
            }
            queue.push_back((at, to));
        }
    }
    found(reached.len(), steps, None)
}

fn schedule<S: Debug>(reached: &[(usize, Option<S>)], mut at: usize) -> String {
    let mut lines = Vec::new();
    while let (from, Some(step)) = &reached[at] {
        lines.push(format!("   {step:?}\n"));
        at = *from;
    }
    lines.into_iter().rev().collect()
}

/// Explores, prints how much was looked at, and fails if anything was wrong.
pub(crate) fn holds<M: Machine>(name: &str, machine: &M) {
    let began = std::time::Instant::now();
    let explored = explore(machine);
    println!(
        "{name}: {} states, {} steps, in {:.1} s",
        explored.states,
        explored.steps,
        began.elapsed().as_secs_f64()
    );
    if let Some(schedule) = explored.counterexample {
        panic!("{name}: a rule does not hold:\n{schedule}");
    }
}

/// Explores, and fails unless something is found to be wrong; prints the shortest way.
pub(crate) fn fails<M: Machine>(name: &str, machine: &M) {
    let explored = explore(machine);
    match explored.counterexample {
        Some(schedule) => println!(
            "{name}: found after {} states:\n{schedule}",
            explored.states
        ),
        None => panic!(
            "{name}: {} states, and nothing is wrong without this rule",
            explored.states
        ),
    }
}
