//! The section `# Safety` of each Rust call: what its pointers must be, and what else the call can
//! break.

use super::parameter::Parameter;
use liblinux_abi::syscall::Syscall;
use liblinux_abi::syscall::hazard;

/// The contract of a call, as items of a list.
pub(super) fn sentences(call: &Syscall, parameters: &[Parameter]) -> Vec<String> {
    let pointers = || parameters.iter().filter(|parameter| parameter.is_pointer());
    let is_string =
        |parameter: &&Parameter| parameter.is_string() && !has_length(parameter, parameters);
    let strings: Vec<_> = pointers().filter(is_string).collect();
    let memory = || pointers().filter(|parameter| !is_string(parameter));
    let read: Vec<_> = memory().filter(|parameter| parameter.is_read_only()).collect();
    let written: Vec<_> = memory().filter(|parameter| !parameter.is_read_only()).collect();
    let mut sentences = Vec::new();
    if !strings.is_empty() {
        let what = if strings.len() == 1 { "is a string" } else { "are strings" };
        sentences.push(format!("- {} {what} that a null byte ends.", list(&strings)));
    }
    if !read.is_empty() {
        sentences.push(format!(
            "- {} {} valid for what the kernel reads there.",
            list(&read),
            verb(&read)
        ));
    }
    if !written.is_empty() {
        let (names, verb) = (list(&written), verb(&written));
        sentences
            .push(format!("- {names} {verb} valid for what the kernel reads and writes there."));
    }
    if pointers().next().is_some() {
        sentences.push("- A null pointer is given only where the manual allows one.".to_owned());
    }
    sentences.extend(hazard::contracts(call.name).map(|contract| format!("- {contract}")));
    if sentences.is_empty() {
        let none = "None: the call takes no address, and changes nothing that Rust code relies on.";
        sentences.push(none.to_owned());
    }
    sentences
}

/// Whether text is given with its length instead of a null byte at its end.
fn has_length(text: &Parameter, parameters: &[Parameter]) -> bool {
    text.name.ends_with("_ptr") || parameters.iter().any(|parameter| parameter.name == "len")
}

fn verb(parameters: &[&Parameter]) -> &'static str {
    if parameters.len() == 1 { "is" } else { "are" }
}

/// The names, as an enumeration.
fn list(parameters: &[&Parameter]) -> String {
    let mut names: Vec<_> =
        parameters.iter().map(|parameter| format!("`{}`", parameter.name)).collect();
    match names.pop() {
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} and {last}", names.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use liblinux_abi::syscall::find;

    fn of(name: &str) -> String {
        let call = find(name).unwrap();
        sentences(call, &Parameter::of(call).unwrap()).join(" ")
    }

    #[test]
    fn each_class_of_call_has_its_contract() {
        for (call, contract) in [
            ("openat", "`filename` is a string"),
            ("linkat", "`oldname` and `newname` are strings"),
            ("sethostname", "`name` is valid for what the kernel reads"),
            ("write", "`buf` is valid for what the kernel reads there"),
            ("read", "`buf` is valid for what the kernel reads and writes there"),
            ("rt_sigaction", "`oact` is valid"),
            ("munmap", "stays mapped"),
            ("close", "belongs to the caller"),
            ("clone3", "No new stack"),
            ("getpid", "None"),
        ] {
            assert!(of(call).contains(contract), "{call}: {}", of(call));
        }
        assert!(!of("close").contains("null pointer"));
    }
}
