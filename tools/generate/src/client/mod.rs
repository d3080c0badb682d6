//! The client's generated files: a prototype, a method and a handler for C, from the tables and
//! from one assembly file.

pub(crate) mod calls;
pub(crate) mod handler;
pub(crate) mod header;
mod parameter;
mod safety;
