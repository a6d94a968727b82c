//! Turns a part of the tree into its struct, and finds every mistake in it.
//!
//! Serde stops at the first mistake. So the mistake is noted, the value that
//! caused it is taken out, and the rest is tried again, until what is left can be
//! read. That needs nothing from the structs but `Deserialize`, and each mistake
//! is still found by the code that reads the value.

use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use super::origin::Origin;
use super::overrides::variable_of;
use super::problems::{Problem, Problems, closest};
use super::shown;
use super::strict::Strict;
use super::tree::{Item, Node, join};
use super::wording;

/// Most mistakes that are looked for in one part: each costs another reading of
/// it, and nobody reads on after so many.
const MOST_MISTAKES: usize = 20;

/// Reads `item`; `also` are keys beside those of `T` that may stand in it.
///
/// `None` if what is left without its mistakes is still no `T`; then `problems`
/// says why.
pub(super) fn read<T: DeserializeOwned>(
    mut item: Item,
    also: &[&str],
    problems: &mut Problems,
) -> Option<T> {
    for _ in 0..MOST_MISTAKES {
        let error = match serde_path_to_error::deserialize(Strict(item.to_value())) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let steps = steps(&item, error.path());
        let message = error.inner().message().to_owned();
        let culprit = find(&mut item, &steps)?;
        if let Some(raw) = culprit.raw.take()
            && culprit.text().is_none()
        {
            culprit.node = Node::Scalar(toml::Value::from(raw));
            continue;
        }
        note(culprit, &message, also, problems);
        if !remove(&mut item, &steps) {
            return None;
        }
    }
    None
}

/// One step down the tree.
enum Step {
    Name(String),
    Index(usize),
}

/// The part of serde's path that exists in the tree.
fn steps(item: &Item, path: &Path) -> Vec<Step> {
    let mut at = item;
    let mut steps = Vec::new();
    for segment in path {
        let (next, step) = match (segment, &at.node) {
            (Segment::Map { key }, Node::Table(table)) => (table.get(key), Step::Name(key.clone())),
            (Segment::Seq { index }, Node::List(items)) => (items.get(*index), Step::Index(*index)),
            // An enum's variant is no step of its own: its fields stand beside it.
            (Segment::Enum { .. }, _) => continue,
            _ => break,
        };
        let Some(next) = next else { break };
        at = next;
        steps.push(step);
    }
    steps
}

fn find<'a>(item: &'a mut Item, steps: &[Step]) -> Option<&'a mut Item> {
    steps
        .iter()
        .try_fold(item, |at, step| match (&mut at.node, step) {
            (Node::Table(table), Step::Name(name)) => table.get_mut(name),
            (Node::List(items), Step::Index(index)) => items.get_mut(*index),
            _ => None,
        })
}

/// Takes the value at `steps` out; `false` if that is all there is.
fn remove(item: &mut Item, steps: &[Step]) -> bool {
    let Some((last, before)) = steps.split_last() else {
        return false;
    };
    match (find(item, before).map(|around| &mut around.node), last) {
        (Some(Node::Table(table)), Step::Name(name)) => table.remove(name).is_some(),
        (Some(Node::List(items)), Step::Index(index)) => {
            items.remove(*index);
            true
        }
        _ => false,
    }
}

/// Notes what serde said about `culprit`.
fn note(culprit: &Item, message: &str, also: &[&str], problems: &mut Problems) {
    let mut problem = Problem {
        key: culprit.label.clone(),
        value: shown::value(culprit),
        origin: culprit.origin.clone(),
        rule: String::new(),
        reason: String::new(),
        suggestion: None,
    };
    if let Some(name) = wording::missing_field(message) {
        problem.key = join(&culprit.label, name);
        problem.value = None;
        // A key that was taken out as wrong is missing only because of that.
        if problems.has(&problem.key) {
            return;
        }
        "must be given".clone_into(&mut problem.rule);
    } else if let Some((name, known)) = wording::unknown_field(message) {
        let known: Vec<_> = known.into_iter().chain(also.iter().copied()).collect();
        unknown_key(&mut problem, name, &known);
    } else if let Some((given, known)) = wording::unknown_variant(message) {
        problem.rule = format!("must be one of {}", known.join(", "));
        problem.suggestion = closest(given, known).map(|name| format!("\"{name}\""));
    } else {
        problem.rule = wording::rule(message);
        if problem.value.is_none() && shown::may_be_secret(last(&problem.key)) {
            "must have another form".clone_into(&mut problem.rule);
        }
    }
    problems.push(problem);
}

/// Words the problem of a key that nobody reads.
pub(super) fn unknown_key(problem: &mut Problem, name: &str, known: &[&str]) {
    if problem.key.starts_with("database.") && name.ends_with("url") {
        problem.value = None;
        "must not stand in the configuration".clone_into(&mut problem.rule);
        "it may carry a password, so it comes from DATABASE_URL and DATABASE_LISTEN_URL only"
            .clone_into(&mut problem.reason);
        return;
    }
    if shown::may_be_secret(name) {
        problem.value = None;
        "must not stand in the configuration".clone_into(&mut problem.rule);
        let said_by = match problem.key.starts_with("webhooks.") {
            true => "a webhook's `secret_env` says which variable holds its secret",
            false => "a provider's `key_env` says which variable holds its key",
        };
        problem.reason = format!(
            "secrets come from variables such as CMC_API_KEY, or from the file that \
             CMC_API_KEY_FILE names;\n    {said_by}"
        );
        return;
    }
    "is no key that is known here".clone_into(&mut problem.rule);
    if let Some(meant) = closest(name, known.iter().copied()) {
        let around = problem.key.strip_suffix(name).unwrap_or_default();
        problem.suggestion = Some(match &problem.origin {
            Origin::Variable(variable) => variable.to_ascii_uppercase().replace(
                &variable_of(&problem.key),
                &variable_of(&format!("{around}{meant}")),
            ),
            _ => format!("{around}{meant}"),
        });
    } else {
        let mut listed = known.to_vec();
        listed.sort_unstable();
        problem.reason = format!("known are {}", listed.join(", "));
    }
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or_default()
}
