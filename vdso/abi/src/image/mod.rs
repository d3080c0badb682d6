// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The promises of the image: the places of its parts, its exports, and the structures that callers
//! share with it.

pub mod cancel;
pub mod entry;
pub mod export;
pub mod fixup;
pub mod layout;
pub mod note;
pub mod state;
pub mod structure;
