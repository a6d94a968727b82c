//! An instance of the planner's problem as `larder plan solve --json` reads it.

use serde::{Deserialize, Serialize};

use super::{Item, Objective, Solution, SolveError, Status, solve};

/// A problem in columns: the same place of each list is one item.
///
/// Fields that are not named here are ignored, so that a file may say where it is from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// What is minimised.
    #[serde(default)]
    pub objective: Objective,
    /// Reads per unit of time.
    pub mu: Vec<f64>,
    /// Changes per unit of time.
    pub delta: Vec<f64>,
    /// What one refresh costs.
    pub c: Vec<f64>,
    /// What may be spent per unit of time.
    pub budget: f64,
    /// Least refreshes per unit of time.
    pub rho_min: Vec<f64>,
    /// Most refreshes per unit of time; `null` for no bound.
    pub rho_max: Vec<Option<f64>>,
}

/// The answer, with the names of the literature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// How the budget compares with what could be spent.
    pub status: Status,
    /// Refreshes per unit of time, in the order of the instance.
    pub rates: Vec<f64>,
    /// The price of a unit of cost; `null` where there is none.
    pub lam: Option<f64>,
    /// What the rates cost per unit of time.
    pub spend: f64,
    /// What the least rates were multiplied by.
    pub phi: f64,
}

/// Why an instance has no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InstanceError {
    /// The lists are not of one length.
    #[error("{name} has {length} values, but mu has {items}")]
    Length {
        /// Which list.
        name: &'static str,
        /// How many values it has.
        length: usize,
        /// How many there should be.
        items: usize,
    },
    /// A value means nothing.
    #[error(transparent)]
    Solve(#[from] SolveError),
}

impl Instance {
    /// Solves it.
    ///
    /// # Errors
    ///
    /// [`InstanceError`] if its lists differ in length or hold what is no rate or cost.
    pub fn answer(&self) -> Result<Answer, InstanceError> {
        let Solution {
            status,
            rates,
            price,
            spend,
            scale,
        } = solve(self.objective, &self.items()?, self.budget)?;
        Ok(Answer {
            status,
            rates,
            lam: price,
            spend,
            phi: scale,
        })
    }

    fn items(&self) -> Result<Vec<Item>, InstanceError> {
        let items = self.mu.len();
        let lengths = [
            ("delta", self.delta.len()),
            ("c", self.c.len()),
            ("rho_min", self.rho_min.len()),
            ("rho_max", self.rho_max.len()),
        ];
        if let Some((name, length)) = lengths.into_iter().find(|(_, length)| *length != items) {
            return Err(InstanceError::Length {
                name,
                length,
                items,
            });
        }
        Ok((0..items)
            .map(|nth| Item {
                reads: self.mu[nth],
                changes: self.delta[nth],
                cost: self.c[nth],
                min_rate: self.rho_min[nth],
                max_rate: self.rho_max[nth].unwrap_or(f64::INFINITY),
            })
            .collect())
    }
}
