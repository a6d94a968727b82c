//! Keeps groups that follow a list up to date with it, and tells what is wrong with one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use shared::store::{Followed, ListProblem, StoreError};

use crate::app::App;

/// What was told of the lists, so that it is told once.
#[derive(Debug, Default)]
pub(crate) struct Lists(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    /// Whether another configuration is in force.
    other_configuration: bool,
    /// What is wrong with the list of a group, by the group's name.
    problems: BTreeMap<String, String>,
}

/// Resolves the members of groups whose list has changed.
///
/// # Errors
///
/// Whatever the database reports.
pub(crate) async fn follow(app: &App) -> Result<(), StoreError> {
    let followed = app.store.follow(&app.catalog.wanted()).await?;
    app.lists.tell(followed);
    Ok(())
}

impl Lists {
    /// Tells what following the lists came to, unless it was told before.
    pub(crate) fn tell(&self, followed: Followed) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let other = followed == Followed::OtherConfiguration;
        if other && !told.other_configuration {
            tracing::warn!(
                "a process that tracks something else has started since, and what it tracks is in \
                 force: start this one again with the same configuration"
            );
        }
        told.other_configuration = other;
        let Followed::Resolved(problems) = followed else {
            return;
        };
        let before = std::mem::take(&mut told.problems);
        for ListProblem { group, list, why } in problems {
            if before.get(&group) != Some(&why) {
                tracing::warn!(
                    group,
                    list,
                    why,
                    "the list of a group cannot be read; its members stay as they are"
                );
            }
            told.problems.insert(group, why);
        }
    }
}
