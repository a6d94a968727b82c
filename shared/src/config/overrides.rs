//! `LARDER__WORKER__LEASE=30s`: variables that set single keys.
//!
//! Two underscores separate the parts of a path, and letters may be of either
//! case. A part below a list of named tables is the name of one, or its number
//! from 0. A variable may change a provider but not add one: a slip in the name
//! of a provider would otherwise become a second provider.

use std::collections::BTreeMap;

use super::origin::Origin;
use super::problems::{Problem, Problems, closest};
use super::tree::{Item, Node, join};

/// What the names of these variables begin with.
const PREFIX: &str = "LARDER__";

/// A variable, the path that it names, and its value.
struct Override<'a> {
    variable: &'a str,
    path: Vec<String>,
    text: &'a str,
}

/// The variable that sets `key`.
pub(super) fn variable_of(key: &str) -> String {
    let parts = key.replace('[', ".").replace(']', "").replace('.', "__");
    format!("{PREFIX}{}", parts.to_ascii_uppercase())
}

/// Sets what the variables of `environment` say.
///
/// With `presets`, only those that choose a provider's preset, which must be
/// known before anything is laid over one; without it, all others.
pub(super) fn apply(
    root: &mut Item,
    environment: &BTreeMap<String, String>,
    presets: bool,
    problems: &mut Problems,
) {
    let mut seen = BTreeMap::new();
    for given in environment.iter().filter_map(read) {
        let chooses_preset =
            given.path.len() == 3 && given.path[0] == "providers" && given.path[2] == "preset";
        if chooses_preset != presets {
            continue;
        }
        if let Some(first) = seen.insert(given.path.clone(), given.variable) {
            let rule = format!("must be given once, but {first} names the same key");
            problems.push(problem(
                &given,
                rule,
                "which of the two holds is not defined",
            ));
            continue;
        }
        if let Err(found) = set(root, &given) {
            problems.push(*found);
        }
    }
}

fn read<'a>((name, text): (&'a String, &'a String)) -> Option<Override<'a>> {
    let start = name.get(..PREFIX.len())?;
    if !start.eq_ignore_ascii_case(PREFIX) {
        return None;
    }
    let path = name[PREFIX.len()..].split("__");
    Some(Override {
        variable: name,
        path: path.map(str::to_ascii_lowercase).collect(),
        text,
    })
}

/// Walks down the path and puts the value at its end.
fn set(root: &mut Item, given: &Override<'_>) -> Result<(), Box<Problem>> {
    let origin = Origin::Variable(given.variable.to_owned());
    let mut at = root;
    let mut path = String::new();
    for (depth, part) in given.path.iter().enumerate() {
        if part.is_empty() {
            let rule = "is not a path of keys".to_owned();
            return Err(Box::new(problem(
                given,
                rule,
                "a part of the name is empty",
            )));
        }
        let add = !(depth == 1 && path == "providers");
        at = match &mut at.node {
            Node::Table(table) => {
                let known = table.keys().find(|key| key.eq_ignore_ascii_case(part));
                match known.cloned() {
                    None if !add => {
                        return Err(Box::new(unknown(
                            given,
                            &path,
                            table.keys().map(String::as_str),
                        )));
                    }
                    name => table
                        .entry(name.unwrap_or_else(|| part.clone()))
                        .or_insert_with(|| Item::empty(origin.clone())),
                }
            }
            Node::List(items) => match position(items, part) {
                Some(index) => &mut items[index],
                None => {
                    let names = items.iter().filter_map(Item::name);
                    return Err(Box::new(unknown(given, &path, names)));
                }
            },
            Node::Scalar(_) => {
                let rule = format!("names no key, because {path} is a single value");
                return Err(Box::new(problem(given, rule, "")));
            }
        };
        path = join(&path, part);
    }
    let text = toml::Value::from(given.text);
    *at = Item::parse_value(given.text, &origin)
        .unwrap_or_else(|| Item::new(Node::Scalar(text), origin));
    at.raw = Some(given.text.to_owned());
    Ok(())
}

/// The element of a list that a part of a path means.
fn position(items: &[Item], part: &str) -> Option<usize> {
    let named = items.iter().position(|item| {
        item.name()
            .is_some_and(|name| name.eq_ignore_ascii_case(part))
    });
    named.or_else(|| part.parse().ok().filter(|index| *index < items.len()))
}

fn problem(given: &Override<'_>, rule: String, reason: &str) -> Problem {
    Problem {
        key: given.path.join("."),
        value: None,
        origin: Origin::Variable(given.variable.to_owned()),
        rule,
        reason: reason.to_owned(),
        suggestion: None,
    }
}

/// A path that leads to something the configuration does not have.
fn unknown<'a>(
    given: &Override<'_>,
    path: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Problem {
    let depth = path.split('.').count();
    let part = given.path.get(depth).map_or("", String::as_str);
    let known: Vec<_> = names.clone().collect();
    let rule = match known.as_slice() {
        [] => format!("names nothing: {path} is empty"),
        _ => format!("names nothing in {path}, which has {}", known.join(", ")),
    };
    let meant = closest(part, names).map(|name| {
        let mut path = given.path.clone();
        path[depth] = name.to_owned();
        variable_of(&path.join("."))
    });
    Problem {
        suggestion: meant,
        ..problem(
            given,
            rule,
            "a variable changes providers and groups that the file defines, it adds none",
        )
    }
}
