//! What the registry asks of the kernel. A kernel that knows nothing of fixups is a good one, too: nothing here has to
//! succeed.

/// The private calls.
pub trait Kernel {
    /// The area that the kernel consults for this process.
    fn attached(&self) -> Option<u64>;

    /// Has the kernel consult another area.
    fn attach(&self, area: u64, size: u64);

    /// Marks the text as what it is now: its marks are lost when it is unmapped or replaced.
    fn mark(&self, start: u64, len: u64);
}
