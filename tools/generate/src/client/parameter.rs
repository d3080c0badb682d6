//! A parameter of a system call: the table has C declarations, programs need types that stand on
//! their own.

use anyhow::{Context as _, Result, bail, ensure};
use liblinux_abi::syscall::Syscall;
use liblinux_abi::syscall::{ctype, pointer, standard};

/// A parameter, as the kernel declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    /// Its name.
    pub(crate) name: String,
    /// The type in which the pointers end, without `const`.
    base: String,
    /// Whether each level is `const`, beginning at the base: one more than there are pointers.
    constant: Vec<bool>,
}

impl Parameter {
    /// The parameters of a call's entry, as programs have them.
    pub(crate) fn of(call: &Syscall) -> Result<Vec<Self>> {
        let (_, parameters) = standard::entry(call);
        let declared = parameters.iter().map(|parameter| pointer::declared(call, parameter));
        let parsed: Result<Vec<_>> = declared.map(Self::parse).collect();
        parsed.with_context(|| format!("system call {}", call.name))
    }

    /// Reads a declaration such as `const char *const *argv`.
    pub(crate) fn parse(declaration: &str) -> Result<Self> {
        let wrong = || format!("`{declaration}` is not a parameter that is understood");
        let spaced = declaration.replace('*', " * ");
        let mut words: Vec<&str> = spaced.split_whitespace().collect();
        let name = words.pop().with_context(wrong)?.to_owned();
        let mut levels = words.split(|word| *word == "*");
        let base = levels.next().with_context(wrong)?;
        let is_constant = |level: &[&str]| level.contains(&"const");
        let mut constant = vec![is_constant(base)];
        for level in levels {
            ensure!(level.iter().all(|word| *word == "const"), wrong());
            constant.push(is_constant(level));
        }
        let base: Vec<&str> = base.iter().copied().filter(|word| *word != "const").collect();
        ensure!(!base.is_empty(), wrong());
        Ok(Self { name, base: base.join(" "), constant })
    }

    /// As a parameter of a C function. A comment has the kernel's name of a type that C cannot
    /// have.
    pub(crate) fn c(&self) -> String {
        let is_nameless =
            self.base != "void" && ctype::find(&self.base).is_some_and(|row| row.c == "void");
        let comment = if is_nameless { format!(" /* {} */", self.base) } else { String::new() };
        let mut text = String::new();
        // A `const` on the parameter itself means nothing to the caller.
        let pointers = self.constant.len() - 1;
        for (level, constant) in self.constant.iter().enumerate() {
            let constant = if *constant && level < pointers { "const" } else { "" };
            if level == 0 {
                let base = ctype::find(&self.base).map_or(self.base.as_str(), |row| row.c);
                text = [constant, base].join(" ").trim().to_owned() + " ";
            } else {
                text = format!(
                    "{}*{constant}",
                    if text.ends_with("const") { format!("{text} ") } else { text }
                );
            }
        }
        if text.ends_with("* ") {
            text.pop();
        }
        text + &self.name + &comment
    }

    /// As a parameter of a Rust function.
    pub(crate) fn rust(&self) -> Result<String> {
        Ok(format!("{}: {}", self.rust_name(), self.rust_type()?))
    }

    /// Its name in Rust.
    pub(crate) fn rust_name(&self) -> &str {
        if self.name == "type" { "r#type" } else { &self.name }
    }

    /// Its type in Rust.
    pub(crate) fn rust_type(&self) -> Result<String> {
        let plain = match self.base.as_str() {
            "char" => "c_char",
            "unsigned char" => "c_uchar",
            "int" => "c_int",
            "unsigned int" | "unsigned" => "c_uint",
            "long" => "c_long",
            "unsigned long" => "c_ulong",
            "void" => "c_void",
            base => match ctype::find(base) {
                Some(row) => row.rust,
                None if self.is_structure() => "c_void",
                None => bail!("`{base}` has no row in vdso/abi"),
            },
        };
        let mut text = plain.to_owned();
        for constant in &self.constant[..self.constant.len() - 1] {
            text = format!("*{} {text}", if *constant { "const" } else { "mut" });
        }
        Ok(text)
    }

    /// Whether it is an address.
    pub(crate) fn is_pointer(&self) -> bool {
        self.constant.len() > 1 || ctype::find(&self.base).is_some_and(|row| row.c.ends_with('*'))
    }

    /// Whether the kernel only reads what it points at.
    pub(crate) fn is_read_only(&self) -> bool {
        self.constant[0]
    }

    /// Whether it is a string that a null byte ends.
    pub(crate) fn is_string(&self) -> bool {
        self.base == "char" && self.constant.len() == 2 && self.is_read_only()
    }

    /// The structure that it points at, as the C header calls it.
    pub(crate) fn structure(&self) -> Option<&str> {
        (self.is_structure() && ctype::find(&self.base).is_none()).then_some(self.base.as_str())
    }

    fn is_structure(&self) -> bool {
        self.base.starts_with("struct ") || self.base.starts_with("union ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn both(declaration: &str) -> (String, String) {
        let parameter = Parameter::parse(declaration).unwrap();
        (parameter.c(), parameter.rust().unwrap())
    }

    #[test]
    fn c_and_rust_agree() {
        for (declaration, c, rust) in [
            ("int dfd", "int dfd", "dfd: c_int"),
            ("const char *filename", "const char *filename", "filename: *const c_char"),
            ("const char *const *argv", "const char *const *argv", "argv: *const *const c_char"),
            ("const void **pages", "const void **pages", "pages: *mut *const c_void"),
            ("const void *const rule", "const void *rule", "rule: *const c_void"),
            ("const size_t size", "__SIZE_TYPE__ size", "size: usize"),
            ("const sigset_t *mask", "const void *mask /* sigset_t */", "mask: *const c_void"),
            ("struct siginfo *info", "void *info /* struct siginfo */", "info: *mut c_void"),
            ("struct sigaction *act", "struct liblinux_sigaction *act", "act: *mut Sigaction"),
            ("cap_user_header_t header", "void *header", "header: *mut c_void"),
            ("struct stat *statbuf", "struct stat *statbuf", "statbuf: *mut c_void"),
            ("char *type", "char *type", "r#type: *mut c_char"),
        ] {
            assert_eq!(both(declaration), (c.to_owned(), rust.to_owned()), "{declaration}");
        }
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        for bad in ["", "int", "int (*f)(void)"] {
            assert!(
                Parameter::parse(bad).and_then(|parameter| parameter.rust()).is_err(),
                "{bad:?}"
            );
        }
    }
}
