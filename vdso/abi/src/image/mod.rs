//! What the image promises: where its parts are, what it exports, and the structures that callers share with it.

pub mod entry;
pub mod export;
pub mod fixup;
pub mod layout;
pub mod state;
pub mod structure;
