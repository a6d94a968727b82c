//! Headers in which several policies stand side by side: `"default";r=50;t=30`.
//!
//! They are lists of structured fields (RFC 9651), as draft 11 of the IETF's RateLimit
//! headers has them (2026-05-23).

use sfv::{BareItem, List, ListEntry, Parameters, Parser};

/// The policies of one header, in order.
pub(super) struct Policies(Vec<Policy>);

/// One policy's name and figures.
pub(super) struct Policy {
    pub(super) name: String,
    parameters: Parameters,
}

impl Policies {
    /// Reads every line of the header as one list; without policies if it is none.
    pub(super) fn read(headers: &[(String, String)], name: &str) -> Self {
        let lines: Vec<&str> = headers
            .iter()
            .filter(|(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect();
        let list: List = Parser::new(&lines.join(", ")).parse().unwrap_or_default();
        let policies = list.into_iter().filter_map(|entry| match entry {
            ListEntry::Item(item) => Some(Policy {
                name: match item.bare_item {
                    BareItem::String(name) => name.as_str().to_owned(),
                    BareItem::Token(name) => name.as_str().to_owned(),
                    _ => return None,
                },
                parameters: item.params,
            }),
            ListEntry::InnerList(_) => None,
        });
        Self(policies.collect())
    }

    /// The policy of this name; the first without a name.
    pub(super) fn chosen(&self, name: Option<&str>) -> Option<&Policy> {
        self.0
            .iter()
            .find(|policy| name.is_none_or(|name| policy.name == name))
    }
}

impl Policy {
    /// One of its figures; `None` if it is no whole number of 0 or more.
    pub(super) fn figure(&self, name: &str) -> Option<u64> {
        // A structured integer has up to 15 digits, less than the most of any figure.
        let integer = self.parameters.get(name)?.as_integer()?;
        u64::try_from(i64::from(integer)).ok()
    }
}
