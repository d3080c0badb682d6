//! The chain of the process, and its handler.

use liblinux::chain::{Chain, Handler};

/// Links of actions, and as many more of programs that add their own.
pub(crate) static CHAIN: Chain<1024> = Chain::new();

pub(crate) static HANDLER: Handler = Handler::new(CHAIN.area()).with_origin(crate::origin::caller);
