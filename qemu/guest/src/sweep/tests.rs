use super::*;
use std::collections::BTreeSet;

/// A system call with the number in the first place, as the image's entries do it: this process's
/// image has none.
mod stand_in {
    use std::arch::naked_asm;

    use crate::bare::number;

    /// `getpid` as the image's entry.
    #[unsafe(naked)]
    pub(super) extern "C" fn getpid() {
        naked_asm!("mov eax, {number}", "mov r10, rcx", "syscall", "ret", number = const number("getpid"))
    }

    /// The right number and a lost register.
    #[unsafe(naked)]
    pub(super) extern "C" fn careless() {
        naked_asm!(
            "mov eax, {number}",
            "mov r10, rcx",
            "syscall",
            "xor edx, edx",
            "ret",
            number = const number("getpid"),
        )
    }

    /// Any call, with the number in memory: the child's copy of it.
    #[unsafe(naked)]
    pub(super) extern "C" fn any() {
        naked_asm!("mov eax, [rip + {number}]", "mov r10, rcx", "syscall", "ret", number = sym NUMBER)
    }

    pub(super) static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

    /// Never returns.
    #[unsafe(naked)]
    pub(super) extern "C" fn endless() {
        naked_asm!("2:", "pause", "jmp 2b")
    }

    /// Dies.
    #[unsafe(naked)]
    pub(super) extern "C" fn trap() {
        naked_asm!("ud2")
    }
}

fn compare_with(name: &str, entry: extern "C" fn()) -> Result<(), String> {
    let place = tempfile::tempdir().unwrap();
    let (area, folder) = (Area::new().unwrap(), Folder::new(place.path()).unwrap());
    let sweep = Sweep { legacy: Legacy::Carried, area, folder };
    let call = liblinux_abi::syscall::find(name).unwrap();
    // SAFETY: the stand-ins do what an entry does, or end the child.
    unsafe { sweep.compare(call, entry as usize) }.unwrap()
}

#[test]
fn a_right_entry_is_equal() {
    assert_eq!(compare_with("getpid", stand_in::getpid), Ok(()));
}

#[test]
fn a_wrong_number_differs() {
    assert!(compare_with("getppid", stand_in::getpid).unwrap_err().contains("the entry returned"));
}

#[test]
fn a_lost_register_is_named() {
    assert!(
        compare_with("getpid", stand_in::careless).unwrap_err().contains("did not preserve rdx")
    );
}

#[test]
fn an_entry_that_hangs_or_dies_is_reported() {
    assert!(compare_with("getppid", stand_in::endless).unwrap_err().contains("the entry blocks"));
    assert!(
        compare_with("getppid", stand_in::trap).unwrap_err().contains("the entry died of SIGILL")
    );
}

/// The tables themselves: with entries that are certainly right, every comparison must succeed.
#[test]
fn right_entries_sweep_clean() {
    let place = tempfile::tempdir().unwrap();
    let find = |symbol: &str| {
        let call = SYSCALLS.iter().find(|call| call.symbol == symbol)?;
        stand_in::NUMBER.store(call.number, std::sync::atomic::Ordering::Relaxed);
        Some(stand_in::any as *const () as usize)
    };
    let mut differences = Vec::new();
    let mut report = |call: &Syscall, outcome: Outcome| {
        if let Outcome::Fail(reason) = outcome {
            differences.push(format!("{}: {reason}", call.name));
        }
        Ok(())
    };
    // SAFETY: the entry makes the call that `find` was last asked for.
    let count =
        unsafe { sweep(Scope::Host, Legacy::Carried, place.path(), &find, &mut report) }.unwrap();
    assert_eq!(differences, [""; 0]);
    assert_eq!(count.comparable + count.skipped, calls().count());
    assert!(count.comparable > 300, "{count:?}");
    count.check().unwrap();
}

#[test]
fn missing_entries_and_no_entries_fail() {
    let place = tempfile::tempdir().unwrap();
    // SAFETY: no address is returned.
    let count =
        unsafe { sweep(Scope::Host, Legacy::Carried, place.path(), &|_| None, &mut |_, _| Ok(())) }
            .unwrap();
    assert_eq!(count.equal, 0);
    assert!(count.check().is_err());
    assert!(Count::default().check().is_err());
}

#[test]
fn the_tables_name_calls_that_exist() {
    let known: BTreeSet<&str> = calls().map(|call| call.name).collect();
    for name in sets::names().chain(exceptions::EXCEPTIONS.iter().map(|(name, ..)| *name)) {
        assert!(known.contains(name), "no exported call is named {name}");
    }
    for call in calls().filter(|call| reason_to_skip(call, Scope::Guest).is_none()) {
        assert!(!sets::sets(call.name).is_empty(), "{} has no arguments", call.name);
    }
}
