//! What was found, and how it is printed.

use std::io::IsTerminal;

use serde::Serialize;

use crate::commands::table::wrap;

/// What is left of a terminal's 80 columns beside the grade and the name.
const BESIDE: usize = 60;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Grade {
    /// As it should be.
    Good,
    /// Works, and could be better.
    Warning,
    /// Does not work.
    Bad,
}

#[derive(Debug, Serialize)]
struct Finding {
    grade: Grade,
    what: String,
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

/// Everything that was found, in the order in which it was looked at.
#[derive(Debug, Default, Serialize)]
pub(super) struct Findings {
    findings: Vec<Finding>,
}

impl Findings {
    pub(super) fn good(&mut self, what: &str, found: &str) {
        self.add(Grade::Good, what, found, None);
    }

    pub(super) fn warn(&mut self, what: &str, found: &str, help: &str) {
        self.add(Grade::Warning, what, found, Some(help));
    }

    pub(super) fn bad(&mut self, what: &str, found: &str, help: &str) {
        self.add(Grade::Bad, what, found, Some(help));
    }

    pub(super) fn add(&mut self, grade: Grade, what: &str, found: &str, help: Option<&str>) {
        self.findings.push(Finding {
            grade,
            what: what.to_owned(),
            found: found.to_owned(),
            help: help.map(str::to_owned),
        });
    }

    /// The worst grade; good if nothing was found.
    pub(super) fn worst(&self) -> Grade {
        let grades = self.findings.iter().map(|finding| finding.grade);
        grades.max().unwrap_or(Grade::Good)
    }

    /// A line for each finding, and under it what to do; in colour on a terminal.
    pub(super) fn text(&self) -> String {
        let colour = std::io::stdout().is_terminal() && may_colour();
        let mut text = String::new();
        for finding in &self.findings {
            let (word, code) = match finding.grade {
                Grade::Good => ("ok  ", 32),
                Grade::Warning => ("warn", 33),
                Grade::Bad => ("FAIL", 31),
            };
            let word = match colour {
                true => format!("\u{1b}[{code}m{word}\u{1b}[0m"),
                false => word.to_owned(),
            };
            let mut lines = wrap(&finding.found, BESIDE).into_iter();
            let first = lines.next().unwrap_or_default();
            text.push_str(&format!("{word}  {:<13} {first}\n", finding.what));
            let help = finding.help.as_ref().map(|help| format!("help: {help}"));
            for line in lines.chain(help.iter().flat_map(|help| wrap(help, BESIDE))) {
                text.push_str(&format!("{:20}{line}\n", ""));
            }
        }
        text
    }
}

/// Whether `NO_COLOR` leaves it to us: by its convention only a value that is not empty forbids.
fn may_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_decides() {
        let mut findings = Findings::default();
        assert_eq!(findings.worst(), Grade::Good);
        findings.warn("clock", "2 s apart", "set the clock");
        findings.good("database", "answers");
        assert_eq!(findings.worst(), Grade::Warning);
        findings.bad("key", "refused", "get another");
        assert_eq!(findings.worst(), Grade::Bad);
        let text = findings.text();
        assert!(text.contains("FAIL  key           refused\n"), "{text}");
        assert!(text.contains("help: get another\n"), "{text}");
    }

    #[test]
    fn long_findings_are_wrapped() {
        let mut findings = Findings::default();
        findings.warn("a", &"words ".repeat(40), &"more ".repeat(40));
        let text = findings.text();
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        assert_eq!(text.matches("words").count(), 40);
        assert_eq!(text.matches("more").count(), 40);
    }
}
