//! The guest's kernel log, searched for lines that a sound kernel never writes.
//!
//! A fault in the kernel often changes no result of a program: the wrong order of two locks, a use
//! of freed memory, a sleep where none is allowed. The kernel reports them in its log, if it was
//! built to look for them (`qemu/config/ debug.config`), so the log is part of the verdict. The log
//! comes from the console, where processes print, too: only lines with the kernel's time stamp
//! count.
//!
//! # Invariants
//!
//! 1. A log that does not reach from the kernel's first line to its last is a problem, and so is a
//!    log that is missing.
//! 2. A report is shown with the lines that follow it.

/// The kernel's first line, and the line as it powers off.
const FIRST: &str = "Linux version ";
const LAST: &str = "reboot: Power down";

/// Parts of lines that begin a report, or mean that the kernel stopped looking.
const REPORTS: &[&str] = &[
    "BUG:",
    "WARNING:",
    "Oops:",
    "KASAN:",
    "UBSAN:",
    "------------[ cut here ]------------",
    "Call Trace:",
    "kernel BUG at",
    "Kernel panic",
    "unable to handle",
    "INFO: lockdep is turned off",
    "INFO: possible",
    "INFO: trying to register non-static key",
    "possible recursive locking",
    "possible circular locking",
    "possible irq lock inversion",
    "inconsistent lock state",
    "bad unlock balance",
    "held lock freed",
    "suspicious RCU usage",
    "RCU used illegally",
    "invalid wait context",
    "scheduling while atomic",
    "sleeping function called from",
    "list_add corruption",
    "list_del corruption",
    "refcount_t:",
    "Bad page",
    "Bad rss-counter",
    "detected stall",
    "blocked for more than",
    "soft lockup",
    "hard LOCKUP",
    // Timers as coarse as a tick: a sleeping process wakes at another time than in other guests.
    "Could not switch to high resolution mode",
];

/// How many lines of a report are shown.
const SHOWN_LINES: usize = 12;

/// The problems of a log, a paragraph each; `says` are parts of lines that must be there.
pub fn problems(console: &str, says: &[String]) -> Vec<String> {
    let lines: Vec<&str> = console.lines().filter_map(kernels).collect();
    let mut problems = Vec::new();
    if !lines.iter().any(|line| line.starts_with(FIRST)) {
        return vec![
            "the kernel's log is not there, so it is not known whether it reported a fault"
                .to_owned(),
        ];
    }
    if !lines.iter().any(|line| line.contains(LAST)) {
        problems.push(
            "the kernel's log ends before the guest did, so a report may be missing".to_owned(),
        );
    }
    for wanted in
        says.iter().filter(|wanted| !lines.iter().any(|line| line.contains(wanted.as_str())))
    {
        problems.push(format!(
            "the kernel did not say `{wanted}`: it does not look for the faults that the case is about"
        ));
    }
    let begins = |line: &str| REPORTS.iter().any(|report| line.contains(report));
    let count = lines.iter().filter(|line| begins(line)).count();
    if let Some(at) = lines.iter().position(|line| begins(line)) {
        let shown: Vec<String> =
            lines[at..].iter().take(SHOWN_LINES).map(|line| format!("    {line}")).collect();
        problems.push(format!(
            "the kernel's log has lines that a sound one never has ({count} of them):\n{}",
            shown.join("\n")
        ));
    }
    problems
}

/// The kernel's part of a line of the console: a process may have begun the line.
fn kernels(line: &str) -> Option<&str> {
    line.match_indices('[').find_map(|(at, _)| {
        let (stamp, text) = line[at + 1..].split_once("] ")?;
        let (seconds, fraction) = stamp.trim_start().split_once('.')?;
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        (is_number(seconds) && fraction.len() == 6 && is_number(fraction)).then_some(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "\
[    0.000000] Linux version 6.12.117 (liblinux@liblinux)
[    0.000000] kasan: KernelAddressSanitizer initialized
WARNING: a process may print this
[ 1234.567890] traps: hostile[70] general protection fault ip:401020 sp:7ffc error:0
[   73.965505] reboot: Power down
";

    fn of(report: &str) -> Vec<String> {
        problems(&SOUND.replace("[   73", &format!("{report}\n[   73")), &[])
    }

    #[test]
    fn a_sound_log_passes() {
        assert_eq!(problems(SOUND, &["KernelAddressSanitizer initialized".into()]), [""; 0]);
    }

    #[test]
    fn each_report_is_found() {
        for report in [
            "BUG: KASAN: slab-use-after-free in vdso_fixup_lookup+0x1a2/0x400",
            "WARNING: CPU: 1 PID: 70 at arch/x86/entry/vdso/fixup.c:210 vdso_fixup_mark+0x31/0x80",
            "UBSAN: shift-out-of-bounds in arch/x86/entry/vdso/fixup.c:96:14",
            "UBSAN: array-index-out-of-bounds in arch/x86/entry/vdso/fixup.c:120:9",
            "WARNING: possible recursive locking detected",
            "WARNING: possible circular locking dependency detected",
            "WARNING: suspicious RCU usage",
            "BUG: sleeping function called from invalid context at include/linux/uaccess.h:162",
            "BUG: scheduling while atomic: crowd/81/0x00000002",
            "BUG: MAX_LOCKDEP_ENTRIES too low!",
            "BUG: unable to handle page fault for address: ffff8880deadbeef",
            "Oops: general protection fault, probably for non-canonical address 0xdffffc0000000001: 0000 [#1]",
            "------------[ cut here ]------------",
            "kernel BUG at mm/vma.c:440!",
            "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
            "Could not switch to high resolution mode on CPU 1",
        ] {
            let found = of(&format!("half a line of a process[    3.141592] {report}"));
            assert_eq!(found.len(), 1, "{report}");
            assert!(found[0].contains(report), "{found:?}");
        }
    }

    #[test]
    fn a_report_is_shown_with_what_follows() {
        let found = of(
            "[    3.000001] BUG: KASAN: slab-out-of-bounds in x\n[    3.000002] Write of size 8 at addr 1\n\
                        [    3.000003] Call Trace:",
        );
        assert!(
            found[0].contains("(2 of them)") && found[0].contains("Write of size 8"),
            "{found:?}"
        );
    }

    #[test]
    fn a_log_that_is_missing_in_whole_or_in_part_is_a_problem() {
        assert!(problems("", &[])[0].contains("not there"));
        assert!(problems("Linux version 6.12\nreboot: Power down\n", &[])[0].contains("not there"));
        let (cut, _) = SOUND.split_once("[   73").unwrap();
        assert!(problems(cut, &[])[0].contains("ends before"));
        assert!(problems(SOUND, &["Lock dependency validator".into()])[0].contains("did not say"));
    }
}
