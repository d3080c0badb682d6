//! `utime`, `utimes`, `futimesat`: the times that a file has afterwards, and which of several
//! errors wins.

use crate::Function;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// A file's time of access and of modification, seconds and nanoseconds.
type Times = [(i64, i64); 2];

fn times(path: &Path) -> Times {
    let data = path.metadata().expect("a file");
    [(data.atime(), data.atime_nsec()), (data.mtime(), data.mtime_nsec())]
}

fn text(path: &Path) -> CString {
    CString::new(path.as_os_str().as_encoded_bytes()).expect("a path")
}

/// Result and the times afterwards, of a file whose times were the oldest before.
fn set(function: Function, file: &Path, arguments: [usize; 3]) -> (isize, Times) {
    let oldest = std::time::SystemTime::UNIX_EPOCH;
    let handle = File::open(file).expect("a file");
    handle
        .set_times(std::fs::FileTimes::new().set_accessed(oldest).set_modified(oldest))
        .expect("its times");
    let [a, b, c] = arguments;
    // SAFETY: the kernel reads a path and times.
    let result = unsafe { function.call([a, b, c, 4, 5, 6]) };
    (result, times(file))
}

#[test]
fn files_get_the_same_times_and_callers_the_same_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    File::create(&file).expect("a file");
    let (name, missing) = (text(&file), text(&folder.path().join("missing")));
    let open = File::open(&file).expect("the file");
    let descriptor = usize::try_from(open.as_raw_fd()).expect("a descriptor");
    let words: [[i64; 4]; 10] = [
        [1, 2, 3, 4],
        [0, 999_999, 1_700_000_000, 0],
        [-1, 5, -2, 7],
        [5, 1_000_000, 5, 0],
        [5, 0, 5, 1_000_000],
        [5, -1, 5, 0],
        [5, 0, 5, i64::MIN],
        [i64::MAX, 0, i64::MIN, 0],
        [5, 0x3fff_ffff, 5, 0x3fff_ffff], // UTIME_NOW
        [5, 0x3fff_fffe, 5, 0x3fff_fffe], // UTIME_OMIT
    ];
    let mut results = std::collections::BTreeSet::new();
    let mut compare = |call: &str, arguments: [usize; 3], what: &dyn std::fmt::Debug| {
        let [ours, bare] = Function::both(call).map(|function| set(function, &file, arguments));
        assert_eq!(ours, bare, "{call} with {what:?}");
        results.insert(ours.0);
    };
    for path in [name.as_ptr().addr(), missing.as_ptr().addr(), 0, usize::MAX - 4095] {
        for word in &words {
            let pointer = word.as_ptr().addr();
            compare("utime", [path, pointer, 3], word);
            compare("utimes", [path, pointer, 3], word);
            for place in [-100_isize as usize, descriptor, usize::MAX] {
                compare("futimesat", [place, path, pointer], word);
            }
        }
        for pointer in [8, usize::MAX - 4095, usize::MAX - 7] {
            compare("utime", [path, pointer, 3], &pointer);
            compare("utimes", [path, pointer, 3], &pointer);
            compare("futimesat", [descriptor, path, pointer], &pointer);
        }
    }
    assert!(results.len() > 4, "of the errors only these were seen: {results:?}");
}

#[test]
fn no_times_are_now() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    File::create(&file).expect("a file");
    let name = text(&file);
    for (call, arguments) in [
        ("utime", [name.as_ptr().addr(), 0, 0]),
        ("utimes", [name.as_ptr().addr(), 0, 0]),
        ("futimesat", [-100_isize as usize, name.as_ptr().addr(), 0]),
    ] {
        for function in Function::both(call) {
            let (result, times) = set(function, &file, arguments);
            assert_eq!(result, 0, "{call}");
            assert!(times.iter().all(|time| time.0 > 1_700_000_000), "{call}: {times:?}");
        }
    }
}
