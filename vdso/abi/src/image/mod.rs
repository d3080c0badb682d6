//! What the image promises: where its parts are, what it exports, and the structures that callers share with it.

pub mod export;
pub mod fixup;
pub mod layout;
pub mod state;
