//! The signs of life of a long step, for the person who waits for it.
//!
//! On a terminal they are a bar, or a spinner when the length is not known, with the count, the
//! current item and the time. Elsewhere (continuous integration, a pipe) a line comes every 15
//! seconds: few enough for a log, and a step that hangs can be told from one that works.
//!
//! # Invariants
//!
//! 1. All of it goes to standard error; standard output is left to results.

use indicatif::{ProgressBar, ProgressStyle};
use std::borrow::Cow;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

const LINE_EVERY: Duration = Duration::from_secs(15);

/// One running step.
pub struct Progress {
    label: Cow<'static, str>,
    expected: Option<u64>,
    /// Whether the step has exactly as many items as expected.
    is_exact: bool,
    count: u64,
    current: String,
    started: Instant,
    last_line: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Starts showing a step of that many items.
    pub fn exact(label: impl Into<Cow<'static, str>>, count: usize) -> Self {
        let mut progress = Self::new(label, Some(count as u64));
        progress.is_exact = true;
        progress
    }

    /// Starts showing a step of about `expected` items, if that is known.
    pub fn new(label: impl Into<Cow<'static, str>>, expected: Option<u64>) -> Self {
        let label = label.into();
        let bar = std::io::stderr().is_terminal().then(|| terminal_bar(label.clone(), expected));
        if bar.is_none() {
            eprintln!("{label} ...");
        }
        let now = Instant::now();
        let (count, current) = (0, String::new());
        Self { label, expected, is_exact: false, count, current, started: now, last_line: now, bar }
    }

    /// One more item, now at `current`; with `None`, only time has passed.
    pub fn advance(&mut self, current: Option<&str>) {
        self.count += u64::from(current.is_some());
        self.at(current);
    }

    /// Time has passed.
    pub fn tick(&mut self) {
        self.at(None);
    }

    /// The step is now at `current`, which is part of an item; with `None`, only time has passed.
    pub fn at(&mut self, current: Option<&str>) {
        if let Some(current) = current {
            current.clone_into(&mut self.current);
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.expected.map_or(self.count, |expected| self.count.min(expected)));
            bar.set_message(self.current.clone());
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let about = if self.is_exact { "" } else { "about " };
            let of =
                self.expected.map_or(String::new(), |expected| format!(" of {about}{expected}"));
            let seconds = self.started.elapsed().as_secs();
            let last = if self.current.is_empty() { "" } else { ", at " };
            eprintln!("{}: {}{of}, {seconds} s{last}{}", self.label, self.count, self.current);
        }
    }

    /// Says something in a line that stays.
    pub fn note(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// Items seen so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Ends the step with one line that stays.
    pub fn finish(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        eprintln!("{}: done in {:.1} s", self.label, self.started.elapsed().as_secs_f64());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // After an error the message must not share a line with the bar.
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn terminal_bar(label: Cow<'static, str>, expected: Option<u64>) -> ProgressBar {
    let (bar, template) = match expected {
        Some(expected) => {
            (ProgressBar::new(expected), "{prefix} [{bar:30}] {pos}/{len} {elapsed} {wide_msg}")
        }
        None => (ProgressBar::new_spinner(), "{spinner} {prefix}: {pos} {elapsed} {wide_msg}"),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(label);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
