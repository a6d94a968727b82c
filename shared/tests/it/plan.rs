//! The planner against exact solutions, and against what must hold for any.

mod oracle;
mod policy;
mod solver;
