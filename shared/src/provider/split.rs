//! Taking a batch reply apart: one reading for each item.
//!
//! An item is *not found* only if the reply could be read as a whole: as soon as
//! one element does not say which item it is, a missing item may be that one, and
//! its reading is *malformed* instead. What nobody asked for is left alone.

use std::borrow::Cow;
use std::collections::HashMap;

use super::json;
use super::parameter::Parameter;
use super::pointer::Pointer;
use crate::config::provider::{ParameterKind, SplitKind};

/// How the reply to one batch parameter is taken apart.
#[derive(Debug, Clone)]
pub(super) struct Split {
    pub(super) kind: SplitKind,
    /// Where an element says which item it is.
    pub(super) by: Option<Pointer>,
    /// Where an element says which key of the map it has.
    pub(super) key: Option<Pointer>,
    /// Whether several elements of a list may belong to one item.
    pub(super) many: bool,
}

/// What the data has for one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// JSON text, a piece of the data or a list of such pieces.
    Found(Cow<'a, str>),
    NotFound,
    Malformed(String),
}

/// Whether elements said which item they are.
enum Found<'a> {
    One(&'a str),
    Many(Vec<&'a str>),
    Twice,
}

impl Split {
    /// What the data has for each item, in the order asked.
    ///
    /// # Errors
    ///
    /// What is wrong with the data as a whole: not the shape that was configured.
    pub(super) fn pieces<'a>(
        &self,
        data: &'a str,
        parameter: &Parameter,
        items: &[String],
    ) -> Result<Vec<Piece<'a>>, String> {
        let mut found = HashMap::new();
        let all_known = match self.kind {
            SplitKind::ListBy => self.list(data, parameter, &mut found)?,
            SplitKind::MapBy | SplitKind::MapOfListsBy => self.map(data, parameter, &mut found)?,
        };
        Ok(items
            .iter()
            .map(|item| match found.get(item.as_str()) {
                Some(Found::One(text)) => self.kept(Cow::Borrowed(text), parameter, item),
                Some(Found::Many(texts)) => self.kept(
                    Cow::Owned(format!("[{}]", texts.join(","))),
                    parameter,
                    item,
                ),
                Some(Found::Twice) => {
                    Piece::Malformed("the reply has the item more than once".to_owned())
                }
                None if all_known => Piece::NotFound,
                None => Piece::Malformed(
                    "an element of the reply does not say which item it is".to_owned(),
                ),
            })
            .collect())
    }

    /// Collects a list's elements by item; false if one of them cannot be told.
    fn list<'a>(
        &self,
        data: &'a str,
        parameter: &Parameter,
        found: &mut HashMap<String, Found<'a>>,
    ) -> Result<bool, String> {
        let elements = json::elements(data)
            .map_err(|error| error.to_string())?
            .ok_or("the data is not a list")?;
        let mut all_known = true;
        for element in elements {
            let Some(item) = self.item_of(element, parameter) else {
                all_known = false;
                continue;
            };
            if self.many {
                match found.entry(item).or_insert_with(|| Found::Many(Vec::new())) {
                    Found::Many(texts) => texts.push(element),
                    other => *other = Found::Twice,
                }
            } else {
                add(found, item, element);
            }
        }
        Ok(all_known)
    }

    /// Collects a map's values by item; false if one of them cannot be told.
    fn map<'a>(
        &self,
        data: &'a str,
        parameter: &Parameter,
        found: &mut HashMap<String, Found<'a>>,
    ) -> Result<bool, String> {
        let members = json::members(data)
            .map_err(|error| error.to_string())?
            .ok_or("the data is not a map")?;
        let mut all_known = true;
        for (key, value) in members {
            if self.kind == SplitKind::MapOfListsBy {
                add(found, parameter.folded(&key), value);
                continue;
            }
            let item = match (&self.by, &self.key) {
                (None, _) => Some(parameter.folded(&key)),
                // The element must agree with the key that it has.
                (Some(_), None) => self
                    .item_of(value, parameter)
                    .filter(|item| *item == parameter.folded(&key)),
                // Either the key that it says it has or, as in some dialects, the
                // item itself.
                (Some(_), Some(pointer)) => {
                    let own = json::find(value, pointer).ok().flatten();
                    let own = own.and_then(json::scalar);
                    self.item_of(value, parameter).filter(|item| {
                        own.is_some_and(|own| own == key) || *item == parameter.folded(&key)
                    })
                }
            };
            match item {
                Some(item) => add(found, item, value),
                None => all_known = false,
            }
        }
        Ok(all_known)
    }

    /// Which item an element says it is; `None` if it does not say, or says it in
    /// a way that no item has.
    fn item_of(&self, element: &str, parameter: &Parameter) -> Option<String> {
        let found = json::find(element, self.by.as_ref()?).ok()??;
        let text = json::scalar(found)?;
        if parameter.config().kind == ParameterKind::Integer {
            // `1.0`, `1e0` or `"one"`: it may well be an item, but not surely.
            return parameter.value(&text).ok();
        }
        Some(parameter.folded(&text))
    }

    /// Checks a piece before it may become an answer.
    fn kept<'a>(&self, text: Cow<'a, str>, parameter: &Parameter, item: &str) -> Piece<'a> {
        if let Err(error) = json::sound(&text) {
            return Piece::Malformed(error.to_string());
        }
        if self.kind != SplitKind::MapOfListsBy {
            let object = self.many || text.starts_with('{');
            return if object && !json::is_empty(&text) {
                Piece::Found(text)
            } else {
                Piece::Malformed("the item is not an object with members".to_owned())
            };
        }
        let elements = match json::elements(&text) {
            Ok(Some(elements)) => elements,
            _ => return Piece::Malformed("the item is not a list".to_owned()),
        };
        if elements.is_empty() {
            return Piece::NotFound;
        }
        let belongs = |element: &&str| {
            self.by.is_none() || self.item_of(element, parameter).as_deref() == Some(item)
        };
        if elements.iter().all(|element| element.starts_with('{')) && elements.iter().all(belongs) {
            Piece::Found(text)
        } else {
            Piece::Malformed("the item's list has something else in it".to_owned())
        }
    }
}

fn add<'a>(found: &mut HashMap<String, Found<'a>>, item: String, text: &'a str) {
    found
        .entry(item)
        .and_modify(|known| *known = Found::Twice)
        .or_insert(Found::One(text));
}
