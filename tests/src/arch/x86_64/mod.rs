//! x86-64.

pub mod alternatives;
pub mod code;
pub mod counter;
pub mod landing;
pub mod stepper;
pub mod unwinder;
