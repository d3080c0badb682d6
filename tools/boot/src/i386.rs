//! The i386 system: Debian's packages for i386, as the tests of 32-bit programs run them.

use crate::cache::Cache;
use crate::foreign;
use anyhow::Result;
use std::path::PathBuf;

/// The name of the set of packages; changes with it.
const SET: &str = "programs-2";

/// The packages: programs, and the libraries that they need.
const PACKAGES: &[&str] = &[
    "bash",
    "busybox-static",
    "coreutils",
    "diffutils",
    "findutils",
    "git",
    "grep",
    "gzip",
    "libacl1",
    "libattr1",
    "libc6",
    "libcrypt1",
    "libexpat1",
    "libgmp10",
    "libpcre2-8-0",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libselinux1",
    "libssl3",
    "libtinfo6",
    "mawk",
    "perl-base",
    "python3.11-minimal",
    "sed",
    "tar",
    "zlib1g",
];

/// The folder of the system, fetched if it is not in the cache.
pub fn system(cache: &Cache) -> Result<PathBuf> {
    foreign::get(SET, "i386", PACKAGES, cache)
}
