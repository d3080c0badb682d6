//! The vDSO of a process: what its kernel has mapped, alternatives put in.

use super::{Found, IMAGE_LIMIT};
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

/// The vDSO that process `id` (a number or `self`) has mapped.
pub(super) fn mapped(id: &str) -> Result<Found, String> {
    let path = format!("/proc/{id}/maps");
    let maps = fs::read_to_string(&path)
        .map_err(|error| format!("{path}: {error}; give the number of a process of yours"))?;
    let (start, end) = maps
        .lines()
        .filter(|line| line.ends_with("[vdso]"))
        .find_map(range)
        .ok_or_else(|| format!("{path} has no [vdso]: the process runs without one"))?;
    let len = end.saturating_sub(start).min(IMAGE_LIMIT);
    let mut bytes = vec![0; len as usize];
    let path = format!("/proc/{id}/mem");
    let memory = File::open(&path).and_then(|memory| memory.read_exact_at(&mut bytes, start));
    memory.map_err(|error| format!("{path}: {error}; ptrace access to the process is needed"))?;
    Ok(Found { name: format!("[vdso] of process {id}"), bytes, debug: None })
}

/// Start and end of a line of `maps`.
fn range(line: &str) -> Option<(u64, u64)> {
    let (start, end) = line.split_whitespace().next()?.split_once('-')?;
    Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
}
