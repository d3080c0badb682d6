//! The words of a report in KTAP, and the keys of its diagnostics `KEY: VALUE`.

/// The first line of a report and of each report in it.
pub const HEADER: &str = "KTAP version 1";

/// The name of a test that a program did not finish. The host never takes two of them for alike.
pub const MISSING: &str = "missing";

/// The value where there is none: no image, no function resolved.
pub const NONE: &str = "none";

/// The guest's clock source.
pub const CLOCKSOURCE: &str = "clocksource";
/// The resolution of the guest's timers, in nanoseconds.
pub const TIMER_RESOLUTION: &str = "timer resolution";
/// How many processors the guest has.
pub const PROCESSORS: &str = "processors";
/// The build-id of the image that the guest's init has.
pub const IMAGE: &str = "image";
/// The name of the program that the report is of.
pub const SUBTEST: &str = "Subtest";
/// The build-id of the image that a program saw.
pub const BUILD_ID: &str = "build-id";
/// The functions of the image that a program's libc resolved.
pub const RESOLVED: &str = "resolved";
/// How many system calls worked although the kernel refuses their numbers.
pub const NOT_CARRIED: &str = "calls that this kernel need not carry";

/// What the guest itself says of a program, among the program's own diagnostics.
pub const OBSERVED: [&str; 3] = [SUBTEST, BUILD_ID, RESOLVED];
