//! Lays one configuration over another: the file over a preset.
//!
//! Tables are merged key by key. Lists of tables that have a `name`, such as
//! limits, are merged by that name, so that one figure of one limit can be
//! changed without repeating the others. Every other list is replaced as a
//! whole, because "the third element" means nothing across two files, and so are
//! the few tables in [`WHOLE`].

use super::origin::Origin;
use super::problems::{Problem, Problems, closest};
use super::provider::{PRESETS, preset};
use super::tree::{Item, Node};

/// Tables below a provider that are replaced as a whole, with `*` for any name:
/// each says one of several things, and two of them laid together say nothing.
const WHOLE: &[&[&str]] = &[
    &["auth"],
    &["limits", "*", "window"],
    &["endpoints", "*", "cost"],
];

/// Lays `over` over `under`, both at `path` below a provider.
fn merge(under: &mut Item, over: Item, path: &mut Vec<String>) {
    let whole = WHOLE.iter().any(|pattern| matches(pattern, path));
    match (&mut under.node, over.node) {
        (Node::Table(below), Node::Table(above)) if !whole => {
            for (name, item) in above {
                match below.get_mut(&name) {
                    Some(known) => {
                        path.push(name);
                        merge(known, item, path);
                        path.pop();
                    }
                    None => {
                        below.insert(name, item);
                    }
                }
            }
        }
        (Node::List(below), Node::List(above)) if all_named(below) && all_named(&above) => {
            path.push(String::new());
            for item in above {
                let known = below.iter_mut().find(|known| known.name() == item.name());
                match known {
                    Some(known) => merge(known, item, path),
                    None => below.push(item),
                }
            }
            path.pop();
        }
        (_, node) => under.node = node,
    }
    under.origin = over.origin;
}

fn matches(pattern: &[&str], path: &[String]) -> bool {
    let same = |(part, name): (&&str, &String)| *part == "*" || *part == name;
    pattern.len() == path.len() && pattern.iter().zip(path).all(same)
}

/// Whether these are tables with names, each another.
fn all_named(items: &[Item]) -> bool {
    let names: std::collections::BTreeSet<_> = items.iter().filter_map(Item::name).collect();
    !items.is_empty() && names.len() == items.len()
}

/// Puts under every provider of the configuration the preset that it names.
///
/// `preset = "coinmarketcap"` chooses one and `preset = "none"` none; without
/// the key it is the one of the provider's own name, if there is one.
pub(super) fn lay_over_presets(root: &mut Item, problems: &mut Problems) {
    let providers = root.table_mut().and_then(|root| root.get_mut("providers"));
    let Some(providers) = providers.and_then(Item::table_mut) else {
        return;
    };
    for (name, provider) in providers {
        let Some(table) = provider.table_mut() else {
            continue;
        };
        let chosen = table.remove("preset");
        let preset = match &chosen {
            Some(chosen) => match chosen.text() {
                Some("none") => continue,
                Some(given) if preset(given).is_some() => given.to_owned(),
                _ => {
                    problems.push(unknown_preset(name, chosen));
                    continue;
                }
            },
            None => name.clone(),
        };
        if let Some(mut under) = preset_item(&preset) {
            let over = std::mem::replace(provider, Item::empty(Origin::Default));
            merge(&mut under, over, &mut Vec::new());
            *provider = under;
        }
    }
}

/// A preset as a tree. That each of them is TOML is tested.
fn preset_item(name: &str) -> Option<Item> {
    let place = |line| Origin::Preset {
        name: name.to_owned(),
        line,
    };
    Item::parse(preset(name)?, &place).ok()
}

fn unknown_preset(provider: &str, chosen: &Item) -> Problem {
    let names = PRESETS.iter().map(|(name, _)| *name);
    let listed: Vec<_> = names.clone().map(|name| format!("\"{name}\"")).collect();
    let meant = chosen.text().and_then(|given| closest(given, names));
    Problem {
        key: format!("providers.{provider}.preset"),
        value: super::shown::value(chosen),
        origin: chosen.origin.clone(),
        rule: format!("must be {} or \"none\"", listed.join(", ")),
        reason: String::new(),
        suggestion: meant.map(|name| format!("\"{name}\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(text: &str) -> Item {
        Item::parse(text, &|line| Origin::File { line, column: None }).unwrap()
    }

    fn merged(under: &str, over: &str) -> toml::Value {
        let mut under = item(under);
        merge(&mut under, item(over), &mut Vec::new());
        under.to_value()
    }

    #[test]
    fn every_preset_is_toml() {
        for (name, _) in PRESETS {
            assert!(preset_item(name).is_some(), "{name}");
        }
    }

    #[test]
    fn tables_are_merged_key_by_key() {
        let result = merged("a.b = 1\na.c = 2", "a.c = 3\na.d = 4");
        assert_eq!(result, item("a = { b = 1, c = 3, d = 4 }").to_value());
    }

    #[test]
    fn named_tables_are_merged_by_name() {
        let result = merged(
            "[[l]]\nname = 'x'\ncap = 1\n[[l]]\nname = 'y'\ncap = 2",
            "[[l]]\nname = 'y'\ncap = 3\n[[l]]\nname = 'z'\ncap = 4",
        );
        let expected =
            "l = [{ name = 'x', cap = 1 }, { name = 'y', cap = 3 }, { name = 'z', cap = 4 }]";
        assert_eq!(result, item(expected).to_value());
    }

    #[test]
    fn a_window_is_replaced_and_not_mixed() {
        let result = merged(
            "limits.month = { cap = 1, window = { calendar = 'month' } }",
            "limits.month.window = { rolling = '60s' }",
        );
        let expected = "limits.month = { cap = 1, window = { rolling = '60s' } }";
        assert_eq!(result, item(expected).to_value());
    }

    #[test]
    fn other_lists_are_replaced() {
        assert_eq!(merged("a = [1, 2]", "a = [3]"), item("a = [3]").to_value());
        assert_eq!(
            merged("a = [{ name = 'x' }]", "a = []"),
            item("a = []").to_value()
        );
    }
}
