//! The C headers: the types of their prototypes, calls that are looked up, and targets that they
//! are not for.

mod compiler;
mod lookup;
mod prototypes;
mod targets;
