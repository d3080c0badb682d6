//! A parameter of a system call: the table has C declarations, programs need types that stand on their own.

use anyhow::{Context as _, Result, ensure};
use liblinux_abi::ctype;

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

    /// As a parameter of a C function.
    pub(crate) fn c(&self) -> String {
        let mut text = String::new();
        // A `const` on the parameter itself means nothing to the caller.
        let pointers = self.constant.len() - 1;
        for (level, constant) in self.constant.iter().enumerate() {
            let constant = if *constant && level < pointers { "const" } else { "" };
            if level == 0 {
                let base = ctype::find(&self.base).map_or(self.base.as_str(), |row| row.c);
                text = [constant, base].join(" ").trim().to_owned() + " ";
            } else {
                text =
                    format!("{}*{constant}", if text.ends_with("const") { format!("{text} ") } else { text });
            }
        }
        if text.ends_with("* ") {
            text.pop();
        }
        text + &self.name
    }

    /// As a parameter of a Rust function.
    pub(crate) fn rust(&self) -> Result<String> {
        let plain = match self.base.as_str() {
            "char" => "c_char",
            "unsigned char" => "c_uchar",
            "int" => "c_int",
            "unsigned int" | "unsigned" => "c_uint",
            "long" => "c_long",
            "unsigned long" => "c_ulong",
            "void" => "c_void",
            base if base.starts_with("struct ") || base.starts_with("union ") => "c_void",
            base => ctype::find(base)
                .map(|row| row.rust)
                .with_context(|| format!("`{base}` has no row in vdso/abi"))?,
        };
        let mut text = plain.to_owned();
        for constant in &self.constant[..self.constant.len() - 1] {
            text = format!("*{} {text}", if *constant { "const" } else { "mut" });
        }
        let name = if self.name == "type" { "r#type" } else { &self.name };
        Ok(format!("{name}: {text}"))
    }

    /// The structure that it points at, as C calls it.
    pub(crate) fn structure(&self) -> Option<&str> {
        let is_structure = self.base.starts_with("struct ") || self.base.starts_with("union ");
        is_structure.then_some(self.base.as_str())
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
            ("const sigset_t *mask", "const void *mask", "mask: *const c_void"),
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
            assert!(Parameter::parse(bad).and_then(|parameter| parameter.rust()).is_err(), "{bad:?}");
        }
    }
}
