//! The part of the C preprocessor that tells which definition of several a configuration leaves
//! out.
//!
//! Conditions on one `CONFIG_` name are decided; every other condition is taken to hold, because
//! only a definition that is certainly left out may be dropped.

/// The `#if` blocks round a line.
#[derive(Debug)]
pub(super) struct Conditions<'a> {
    config: &'a str,
    blocks: Vec<Block>,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    /// Whether a branch before this one certainly held.
    was_taken: bool,
    /// Whether this branch certainly does not.
    is_left_out: bool,
}

impl<'a> Conditions<'a> {
    pub(super) fn new(config: &'a str) -> Self {
        Self { config, blocks: Vec::new() }
    }

    /// Takes notice of a line.
    pub(super) fn line(&mut self, line: &str) {
        let Some(directive) = line.trim_start().strip_prefix('#').map(str::trim_start) else {
            return;
        };
        let (word, condition) =
            directive.split_once(|c: char| !c.is_alphanumeric()).unwrap_or((directive, ""));
        match word {
            "if" | "ifdef" => self.open(self.holds(condition)),
            "ifndef" => self.open(self.holds(condition).map(|holds| !holds)),
            "elif" => self.branch(self.holds(condition)),
            "else" => self.branch(Some(true)),
            "endif" => drop(self.blocks.pop()),
            _ => {}
        }
    }

    /// Whether the configuration certainly leaves the current line out.
    pub(super) fn leave_out(&self) -> bool {
        self.blocks.iter().any(|block| block.is_left_out)
    }

    fn open(&mut self, holds: Option<bool>) {
        self.blocks
            .push(Block { was_taken: holds == Some(true), is_left_out: holds == Some(false) });
    }

    fn branch(&mut self, holds: Option<bool>) {
        if let Some(block) = self.blocks.last_mut() {
            block.is_left_out = block.was_taken || holds == Some(false);
            block.was_taken |= holds == Some(true);
        }
    }

    /// Whether a condition on one `CONFIG_` name holds; none for every other condition.
    fn holds(&self, condition: &str) -> Option<bool> {
        let name = condition.trim();
        let name = name.strip_prefix("defined").unwrap_or(name).trim();
        let name = name.strip_prefix('(').and_then(|name| name.strip_suffix(')')).unwrap_or(name);
        let is_one_name =
            name.starts_with("CONFIG_") && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        is_one_name.then(|| self.config.lines().any(|line| line.strip_prefix(name) == Some("=y")))
    }
}
