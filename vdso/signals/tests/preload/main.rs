//! `liblinux-signals.so` in real processes, each beside the same process without it.

#[path = "../programs/mod.rs"]
mod programs;

mod musl;

use programs::{FOLDER, LIBRARY, compile, go, java, passing, program, run, told};

/// Flags of a program that is linked with the library.
const LINKED: [&str; 5] =
    ["-L.", "-Wl,-rpath,$ORIGIN", "-l:liblinux-signals.so", "-pthread", "-ldl"];

const EXAMPLES: &str = "../../client/examples";

/// The orders of three libraries.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// Libraries that come in an order, then faults.
fn steps_in<'a>(order: [usize; 3], installs: &[&'a str; 3], faults: &[&'a str]) -> Vec<&'a str> {
    order.iter().map(|index| installs[*index]).chain(faults.iter().copied()).collect()
}

/// Whether a process ended by SIGSEGV, in its own words or in its shell's.
fn has_crashed(told: &str) -> bool {
    told.contains("(exit status: 139)") || told.contains("signal: 11")
}

/// The handlers that ran in the steps of `host.c`.
fn host(steps: &[&str], is_preloaded: bool) -> String {
    let output = program("./host", steps, is_preloaded).output().expect("it starts");
    told(&output).replace(" (exit status: 0)", "")
}

#[test]
fn a_fault_is_for_the_library_whose_text_it_was_in_whatever_the_order() {
    let installs = ["careless:./a.so", "careful:./b.so", "careless:./c.so"];
    let faults = ["fault:./a.so", "fault:./b.so", "fault:./c.so", "send"];
    let mut wrong = 0;
    for order in ORDERS {
        let steps = steps_in(order, &installs, &faults);
        let newest = ["a", "b", "c"][order[2]];
        assert_eq!(host(&steps, true), format!("a b c {newest}"), "{steps:?}");
        wrong += usize::from(host(&steps, false) != format!("a b c {newest}"));
    }
    assert_eq!(wrong, 6, "without the library, a library gets faults that are not its own");
}

#[test]
fn a_fault_in_code_of_no_file_is_for_the_library_that_called_it() {
    let installs = ["careful:./a.so", "careless:./b.so", "careless:./c.so"];
    let faults = ["made:./a.so", "made:./b.so", "made:./c.so", "fault:./a.so"];
    for order in ORDERS {
        let steps = steps_in(order, &installs, &faults);
        assert_eq!(host(&steps, true), "a b c a", "{steps:?}");
        assert_ne!(host(&steps, false), "a b c a", "{steps:?}");
    }
}

#[test]
fn code_of_no_file_whose_stack_is_lost_is_for_the_library_that_came_last() {
    for (installs, wanted) in [
        (["careful:./a.so", "careless:./b.so"], "b b a"),
        (["careless:./b.so", "careful:./a.so"], "a b a"),
    ] {
        let steps = [&installs[..], &["lost:./a.so", "made:./b.so", "made:./a.so"]].concat();
        assert_eq!(host(&steps, true), wanted, "{steps:?}");
    }
}

#[test]
fn a_library_that_goes_takes_no_handler_away_but_its_own() {
    let steps = [
        "careful:./a.so",
        "careful:./b.so",
        "careless:./c.so",
        "back:./b.so",
        "send",
        "fault:./a.so",
        "fault:./c.so",
        "back:./c.so",
        "send",
        "fault:./a.so",
    ];
    assert_eq!(host(&steps, true), "c a c a a");
    assert_ne!(host(&steps, false), "c a c a a");
}

#[test]
fn a_library_that_goes_with_its_handler_installed_ends_the_process_as_without() {
    let steps = ["careful:./a.so", "careless:./b.so", "fault:./a.so", "drop:./b.so", "send"];
    for (is_preloaded, first) in [(false, "b"), (true, "a")] {
        let told = host(&steps, is_preloaded);
        assert!(has_crashed(&told) && told.starts_with(first), "{is_preloaded}: {told}");
    }
}

#[test]
fn a_fault_of_no_librarys_text_kills_as_without() {
    for steps in [
        &["careful:./a.so", "fault:./a.so", "host"][..],
        &["careful:./a.so", "careful:./b.so", "fault:./b.so", "host"],
        &["careful:./a.so", "careful:./b.so", "back:./b.so", "fault:./a.so", "host"],
    ] {
        for is_preloaded in [false, true] {
            let told = host(steps, is_preloaded);
            assert!(has_crashed(&told), "{told}");
        }
    }
}

#[test]
fn a_signal_that_each_passes_on_ends_the_process() {
    passing();
    // The second one's handler leaves the signal unblocked.
    for steps in [
        ["careful:./a.so", "load:./throw.so", "sent"],
        ["load:./throw.so", "careful:./a.so", "host"],
        ["load:./throw.so", "load:./reporter.so", "host"],
    ] {
        for is_preloaded in [false, true] {
            let told = host(&steps, is_preloaded);
            assert!(has_crashed(&told), "{steps:?}, {is_preloaded}: {told}");
            assert_eq!(told.contains("<report>"), steps[1].contains("reporter"), "{told}");
        }
    }
}

#[test]
fn a_child_has_the_handlers_of_its_parent() {
    let steps = ["careless:./a.so", "careful:./b.so", "fork", "fault:./a.so", "fault:./b.so"];
    assert_eq!(host(&steps, true), "a b");
}

#[test]
fn one_library_alone_runs_as_without() {
    let steps = ["careless:./a.so", "fault:./a.so", "send", "host", "back:./a.so"];
    for is_preloaded in [false, true] {
        assert_eq!(host(&steps, is_preloaded), "a a a");
    }
}

#[test]
fn links_come_and_go_while_signals_do() {
    compile(&FOLDER, &["storm.c"], "storm", &LINKED, "");
    compile(&FOLDER, &["plugin.c"], "plugin.so", &[&LIBRARY[..], &LINKED].concat(), "");
    let said = run(&mut program("./storm", &["./plugin.so", "500"], false));
    let numbers: Vec<u64> = said.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert!(numbers.len() == 2 && numbers[0] == numbers[1] && numbers[0] > 1000, "{said}");
}

#[test]
fn a_thread_that_ends_in_a_link_leaves_no_library_behind() {
    compile(&FOLDER, &["leave.c"], "leave", &LINKED, "");
    let said = run(&mut program("./leave", &[], false));
    let wanted = "exits: removed, cleaned\nis cancelled: removed, cleaned\njumps: busy\n\
                  jumps as it said: removed\nends: busy";
    assert_eq!(said, wanted);
}

/// How each child of `again.c` ends, and how often handlers ran: outer, inner.
const AGAIN: &str = "for another: status 0, once, 1\nfor itself: signal 11, often, 0\n\
                     blocked: signal 11, once, 0\nsmall: signal 11, never, 0\n\
                     enough: status 0, once, 0";

#[test]
fn a_handler_that_faults_or_has_no_stack_ends_the_process_or_has_its_link() {
    compile(&FOLDER, &["again.c"], "again", &LINKED, "");
    assert_eq!(run(&mut program("./again", &[], false)), AGAIN);
}

#[test]
fn the_example_shares_a_signal_with_an_earlier_handler() {
    compile(&FOLDER, &[&format!("{EXAMPLES}/signals.c")], "example", &LINKED, "");
    let said = run(&mut program("./example", &[], false));
    assert_eq!(said, "counted 10, taken 5, left to the handler before 5");
}

#[test]
fn the_last_link_reports_a_crash_and_nothing_else() {
    let example = format!("{EXAMPLES}/crash_reporter.c");
    compile(&FOLDER, &[&example], "reporter", &[&["-O0"][..], &LINKED].concat(), "");
    let said = told(&program("./reporter", &[], false).output().expect("it starts"));
    assert!(said.contains("4 pages came, and no crash was reported"), "{said}");
    assert!(said.contains("crash: signal 11, address 0x8\nat crash_reporter+0x"), "{said}");
    let callers = said.matches("called from crash_reporter+0x").count();
    assert!(callers >= 2, "`caller` and `main`: {said}");
    assert!(has_crashed(&said), "{said}");
}

#[test]
fn a_java_machine_has_its_faults_beside_a_library_that_takes_all() {
    java();
    compile(&FOLDER, &["nulls.c", "library.c"], "libnulls.so", &LIBRARY, "j");
    let java = |steps: &str, is_preloaded| {
        let library = FOLDER.join("libnulls.so");
        let mut arguments =
            vec!["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-CreateCoredumpOnCrash"];
        arguments.extend(["-XX:ErrorFile=/dev/null", "-cp", ".", "Nulls"]);
        arguments.push(library.to_str().expect("UTF-8"));
        arguments.extend(steps.split(' '));
        told(&program("java", &arguments, is_preloaded).output().expect("it starts"))
    };
    let steps = "null install null native overflow null";
    let wanted = "NullPointerException installed NullPointerException library StackOverflowError \
                  NullPointerException (exit status: 0)";
    assert_eq!(java(steps, true), wanted);
    let without = java(steps, false);
    assert!(without.contains("fatal error"), "the library takes what is the machine's: {without}");
}

#[test]
fn a_go_library_has_its_faults_beside_libraries_that_take_all() {
    go();
    let faults = ["fault:./go.so", "fault:./a.so", "fault:./b.so"];
    for installs in [
        ["load:./go.so", "careless:./a.so", "careful:./b.so"],
        ["careless:./a.so", "load:./go.so", "careful:./b.so"],
        ["careful:./b.so", "careless:./a.so", "load:./go.so"],
    ] {
        let steps: Vec<&str> = installs.iter().chain(&faults).copied().collect();
        let said = host(&steps, true);
        assert_eq!(said, "go a b", "{steps:?}");
    }
    let said = host(&["load:./go.so", "careless:./a.so", "fault:./go.so"], false);
    assert_ne!(said, "go", "the library takes what is the runtime's, and steps into its code");
}
