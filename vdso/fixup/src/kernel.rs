//! What the registry asks of the kernel. A kernel that knows nothing of fixups is a good one, too: nothing here has to
//! succeed.

/// The private calls.
pub trait Kernel {
    /// The area that the kernel consults for this process, with its size in bytes.
    fn attached(&self) -> Option<(u64, u64)>;

    /// Has the kernel consult another area, none if both are 0; what it said, `-errno` or 0.
    fn attach(&self, area: u64, size: u64) -> isize;

    /// Marks the text as what it is now: its marks are lost when it is unmapped or replaced.
    fn mark(&self, start: u64, len: u64);
}
