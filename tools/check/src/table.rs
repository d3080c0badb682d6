//! What every table of a file is read by: at least one entry, and names that a message can quote.
//!
//! # Invariants
//!
//! 1. A table that is handed out has at least one entry.
//! 2. A name that is handed out is printable ASCII of at most [`NAME_LIMIT`] bytes.

/// The longest name that is read, in bytes; no compiler makes longer ones.
pub const NAME_LIMIT: usize = 4096;

/// A table, or why it could not be read.
pub(crate) type Table<T> = Result<Vec<T>, String>;

/// The printable string at `offset` of a table, if it ends there.
pub(crate) fn string_in(table: &[u8], offset: usize) -> Option<&str> {
    let tail = table.get(offset..)?;
    let end = tail.iter().take(NAME_LIMIT + 1).position(|byte| *byte == 0)?;
    let is_printable = tail[..end].iter().all(|byte| matches!(byte, b' '..=b'~'));
    std::str::from_utf8(&tail[..end]).ok().filter(|_| is_printable)
}

pub(crate) fn not_empty<T>(what: &str, table: Vec<T>) -> Table<T> {
    if table.is_empty() { Err(format!("the file has no {what}")) } else { Ok(table) }
}
