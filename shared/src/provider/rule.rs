//! The ordered rules that say what a reply means.

use super::pointer::Pointer;
use super::problem::Problems;
use crate::config::provider::{ConditionConfig, RuleConfig, Scalar, StatusMatch, VerdictConfig};

/// One rule, checked.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    status: Vec<StatusClass>,
    place: Option<Place>,
    value: ValueMatch,
    pub(super) verdict: VerdictConfig,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StatusClass {
    /// This status.
    Exactly(u16),
    /// Any status of the hundred.
    Hundred(u16),
}

/// Where the value stands that a rule looks at.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// In the body.
    Body(Pointer),
    /// In a header.
    Header(String),
}

#[derive(Debug, Clone)]
enum ValueMatch {
    /// There is a value.
    Present,
    /// The value is one of these.
    In(Vec<String>),
    /// There is a value, and it is none of these.
    NotIn(Vec<String>),
}

impl Rule {
    /// Checks a rule; `None` when it broke one of the rules for rules.
    pub(super) fn compile(key: &str, config: &RuleConfig, problems: &mut Problems) -> Option<Self> {
        let when = &config.when;
        let status = statuses(key, when, problems)?;
        let place = place(key, when, problems)?;
        let value = value(key, when, place.is_some(), problems)?;
        if status.is_empty() && place.is_none() {
            problems.add(
                format!("{key}.when"),
                "",
                "must have status, pointer or header",
                "a rule without a condition would match every reply",
            );
            return None;
        }
        Some(Self {
            status,
            place,
            value,
            verdict: config.then.clone(),
        })
    }

    /// Whether a reply with this status matches, given what stands at the rule's
    /// place. `look` is asked only if the status matches.
    pub(super) fn matches(&self, status: u16, look: impl Fn(&Place) -> Option<String>) -> bool {
        let status_matches = self.status.is_empty()
            || self.status.iter().any(|class| match class {
                StatusClass::Exactly(one) => *one == status,
                StatusClass::Hundred(hundred) => status / 100 == *hundred,
            });
        if !status_matches {
            return false;
        }
        let Some(place) = &self.place else {
            return true;
        };
        match (&self.value, look(place)) {
            (_, None) => false,
            (ValueMatch::Present, Some(_)) => true,
            (ValueMatch::In(values), Some(found)) => values.contains(&found),
            (ValueMatch::NotIn(values), Some(found)) => !values.contains(&found),
        }
    }
}

fn statuses(
    key: &str,
    when: &ConditionConfig,
    problems: &mut Problems,
) -> Option<Vec<StatusClass>> {
    let given = match &when.status {
        None => return Some(Vec::new()),
        Some(StatusMatch::One(one)) => std::slice::from_ref(one),
        Some(StatusMatch::Any(any)) => any.as_slice(),
    };
    let mut classes = Vec::with_capacity(given.len());
    for text in given {
        let class = match text.as_str().strip_suffix("xx") {
            Some(hundred) => hundred
                .parse()
                .ok()
                .filter(|hundred| (1..=5).contains(hundred))
                .map(StatusClass::Hundred),
            None => text
                .as_str()
                .parse()
                .ok()
                .filter(|status| (100..=599).contains(status))
                .map(StatusClass::Exactly),
        };
        let Some(class) = class else {
            problems.add(
                format!("{key}.when.status"),
                text,
                "must be a status such as 429 or a class such as \"5xx\"",
                "no reply has another status",
            );
            return None;
        };
        classes.push(class);
    }
    Some(classes)
}

fn place(key: &str, when: &ConditionConfig, problems: &mut Problems) -> Option<Option<Place>> {
    match (&when.pointer, &when.header) {
        (None, None) => Some(None),
        (None, Some(header)) => Some(Some(Place::Header(header.clone()))),
        (Some(pointer), None) => match Pointer::parse(pointer) {
            Ok(pointer) => Some(Some(Place::Body(pointer))),
            Err(error) => {
                problems.add(
                    format!("{key}.when.pointer"),
                    pointer,
                    "must be a JSON pointer",
                    error.to_string(),
                );
                None
            }
        },
        (Some(pointer), Some(_)) => {
            problems.add(
                format!("{key}.when"),
                pointer,
                "must not have both pointer and header",
                "is, in and not look at one value",
            );
            None
        }
    }
}

fn value(
    key: &str,
    when: &ConditionConfig,
    has_place: bool,
    problems: &mut Problems,
) -> Option<ValueMatch> {
    let texts = |values: &[Scalar]| values.iter().map(ToString::to_string).collect();
    let given = [
        when.is.is_some(),
        !when.one_of.is_empty(),
        !when.not.is_empty(),
    ];
    let count = given.iter().filter(|given| **given).count();
    if count > 1 || (count == 1 && !has_place) {
        problems.add(
            format!("{key}.when"),
            "is, in, not",
            "must have at most one of them, with a pointer or header to look at",
            "they say what the value there must be",
        );
        return None;
    }
    Some(if let Some(value) = &when.is {
        ValueMatch::In(vec![value.to_string()])
    } else if !when.one_of.is_empty() {
        ValueMatch::In(texts(&when.one_of))
    } else if !when.not.is_empty() {
        ValueMatch::NotIn(texts(&when.not))
    } else {
        ValueMatch::Present
    })
}
