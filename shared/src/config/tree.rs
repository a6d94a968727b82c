//! The configuration as a tree in which every value knows where it was written.
//!
//! TOML text, presets and variables all become such trees; [`super::layers`] lays
//! one over the other, and [`super::typed`] turns the result into structs. What
//! was written where is kept on each value, so that a problem found at any later
//! stage can still name the line.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::origin::{Origin, Places};

/// A value and where it was written.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub node: Node,
    pub origin: Origin,
    /// Its path, such as `track[0].every`; set by [`Item::label`].
    pub label: String,
    /// The text of the variable that set it, if one did: it may have been meant
    /// as text although it reads as a number.
    pub raw: Option<String>,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Table(BTreeMap<String, Item>),
    List(Vec<Item>),
    Scalar(toml::Value),
}

/// What is not TOML, and where: byte offset and message.
pub(super) type SyntaxError = (usize, String);

impl Item {
    /// A table with nothing in it.
    pub(super) fn empty(origin: Origin) -> Self {
        Self::new(Node::Table(BTreeMap::new()), origin)
    }

    pub(super) fn new(node: Node, origin: Origin) -> Self {
        Self {
            node,
            origin,
            label: String::new(),
            raw: None,
        }
    }

    /// Reads a TOML document; `place` makes an origin of a line, from 1.
    pub(super) fn parse(text: &str, place: &dyn Fn(usize) -> Origin) -> Result<Self, SyntaxError> {
        let document = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            (at, error.message().to_owned())
        })?;
        let lines = Lines::of(text);
        let origin = |offset: usize| place(lines.line(offset));
        from_table(document.into_inner(), place(1), &origin, "")
    }

    /// Reads one TOML value, all of it from one place.
    pub(super) fn parse_value(text: &str, origin: &Origin) -> Option<Self> {
        let value = DeValue::parse(text).ok()?;
        from_value(value, origin.clone(), &|_| origin.clone(), "").ok()
    }

    /// The value that the name leads to, if this is a table that has it.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.table()?.get(name)
    }

    pub(super) fn table(&self) -> Option<&BTreeMap<String, Self>> {
        match &self.node {
            Node::Table(table) => Some(table),
            _ => None,
        }
    }

    pub(super) fn table_mut(&mut self) -> Option<&mut BTreeMap<String, Self>> {
        match &mut self.node {
            Node::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The value as text, if it is text.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.node {
            Node::Scalar(value) => value.as_str(),
            _ => None,
        }
    }

    /// The `name` of an element of a list of named tables.
    pub(super) fn name(&self) -> Option<&str> {
        self.get("name")?.text()
    }

    /// Without the places.
    pub(super) fn to_value(&self) -> toml::Value {
        match &self.node {
            Node::Scalar(value) => value.clone(),
            Node::List(items) => toml::Value::Array(items.iter().map(Self::to_value).collect()),
            Node::Table(table) => toml::Value::Table(
                table
                    .iter()
                    .map(|(name, item)| (name.clone(), item.to_value()))
                    .collect(),
            ),
        }
    }

    /// Gives every value its path, starting with `label`.
    pub(super) fn label(&mut self, label: &str) {
        match &mut self.node {
            Node::Scalar(_) => {}
            Node::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    item.label(&format!("{label}[{index}]"));
                }
            }
            Node::Table(table) => {
                for (name, item) in table {
                    item.label(&join(label, name));
                }
            }
        }
        label.clone_into(&mut self.label);
    }

    /// Notes the place and the shown value of everything below.
    pub(super) fn places(&self, places: &mut Places) {
        let note = (self.origin.clone(), super::shown::value(self));
        places.0.insert(self.label.clone(), note);
        match &self.node {
            Node::Scalar(_) => {}
            Node::List(items) => items.iter().for_each(|item| item.places(places)),
            Node::Table(table) => table.values().for_each(|item| item.places(places)),
        }
    }
}

/// The path of `name` in the table at `path`.
pub(super) fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    }
}

fn from_table(
    table: DeTable<'_>,
    own: Origin,
    origin: &dyn Fn(usize) -> Origin,
    path: &str,
) -> Result<Item, SyntaxError> {
    let mut items = BTreeMap::new();
    for (name, value) in table {
        let place = origin(name.span().start);
        let name = name.into_inner().into_owned();
        let item = from_value(value, place, origin, &join(path, &name))?;
        items.insert(name, item);
    }
    Ok(Item::new(Node::Table(items), own))
}

fn from_value(
    value: Spanned<DeValue<'_>>,
    own: Origin,
    origin: &dyn Fn(usize) -> Origin,
    path: &str,
) -> Result<Item, SyntaxError> {
    let span = value.span();
    match value.into_inner() {
        DeValue::Table(table) => from_table(table, own, origin, path),
        DeValue::Array(list) => {
            let mut items = Vec::with_capacity(list.len());
            for (index, element) in list.into_iter().enumerate() {
                let place = origin(element.span().start);
                let path = format!("{path}[{index}]");
                items.push(from_value(element, place, origin, &path)?);
            }
            Ok(Item::new(Node::List(items), own))
        }
        scalar => {
            let deserializer = ValueDeserializer::from(Spanned::new(span.clone(), scalar));
            let value = toml::Value::deserialize(deserializer)
                .map_err(|_| (span.start, format!("{path} has at most 64 bits")))?;
            Ok(Item::new(Node::Scalar(value), own))
        }
    }
}

/// Where the lines of a text begin.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(
            std::iter::once(0)
                .chain(breaks.map(|(at, _)| at + 1))
                .collect(),
        )
    }

    /// The line of a byte offset, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }

    /// Line and column in characters, both from 1.
    pub(super) fn position(&self, text: &str, offset: usize) -> (usize, usize) {
        let line = self.line(offset);
        let start = self.0.get(line - 1).copied().unwrap_or(0);
        let before = text.get(start..offset).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}
