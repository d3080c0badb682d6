//! The actions in which a writer is cut, and the registries in which each is what it says.

/// DSOs that a small area has room for.
const CAPACITY: u64 = 8;

/// The action of a writer that is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    Register,
    Unregister,
    Grow,
    RegisterAfterGrow,
    /// Registers in a chunk that is full.
    Split,
    /// Registers a text that reaches beyond the first address of the next range.
    Reach,
    /// Unregisters in a chunk that is small then, as its neighbour is.
    Merge,
    /// The same, where a chunk behind them moves.
    MergeAndMove,
    /// Moves a registry of several chunks.
    GrowChunks,
}

pub(crate) const ACTIONS: [Action; 9] = [
    Action::Register,
    Action::Unregister,
    Action::Grow,
    Action::RegisterAfterGrow,
    Action::Split,
    Action::Reach,
    Action::Merge,
    Action::MergeAndMove,
    Action::GrowChunks,
];

impl Action {
    /// DSOs that there is room for, and that are registered in the order of their addresses, before
    /// those of these numbers are unregistered. The first one and the last one of the rest are
    /// `Scene::first` and `Scene::second`.
    pub(crate) fn crowd(self) -> (u64, u64, Vec<u64>) {
        // The first chunk gets 25 of them when it is split, and the second one when that is.
        match self {
            Self::Split => (40, 32, vec![]),
            Self::Reach => (40, 33, vec![25]),
            Self::Merge => (40, 33, (0..17).collect()),
            Self::MergeAndMove => (60, 58, (0..17).chain(25..42).collect()),
            Self::GrowChunks => (40, 34, vec![]),
            _ => (CAPACITY, 2, vec![]),
        }
    }

    /// How many chunks there are afterwards.
    pub(crate) fn chunks(self) -> u64 {
        match self {
            Self::Split | Self::Reach | Self::MergeAndMove | Self::GrowChunks => 2,
            _ => 1,
        }
    }

    pub(crate) fn registers(self) -> bool {
        matches!(self, Self::Register | Self::RegisterAfterGrow | Self::Split | Self::Reach)
    }

    pub(crate) fn unregisters(self) -> bool {
        matches!(self, Self::Unregister | Self::Merge | Self::MergeAndMove)
    }
}
