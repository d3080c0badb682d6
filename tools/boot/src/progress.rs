//! What a person sees while a long step runs.
//!
//! On a terminal: a bar, or a spinner when the length is not known, with the count, the current item and the time.
//! Elsewhere (continuous integration, a pipe): one line every 15 seconds, so that a log shows life without being
//! flooded and a step that hangs is told from one that works.
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
    count: u64,
    current: String,
    started: Instant,
    last_line: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Starts showing a step of `expected` items, if that is known.
    pub fn new(label: impl Into<Cow<'static, str>>, expected: Option<u64>) -> Self {
        let label = label.into();
        let bar = std::io::stderr().is_terminal().then(|| terminal_bar(label.clone(), expected));
        if bar.is_none() {
            eprintln!("{label} ...");
        }
        let now = Instant::now();
        let (count, current) = (0, String::new());
        Self { label, expected, count, current, started: now, last_line: now, bar }
    }

    /// One more item, now at `current`; with `None`, only time has passed.
    pub fn advance(&mut self, current: Option<&str>) {
        if let Some(current) = current {
            self.count += 1;
            current.clone_into(&mut self.current);
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.expected.map_or(self.count, |expected| self.count.min(expected)));
            bar.set_message(self.current.clone());
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let of = self.expected.map_or(String::new(), |expected| format!(" of about {expected}"));
            let seconds = self.started.elapsed().as_secs();
            eprintln!("{}: {}{of}, {seconds} s, at {}", self.label, self.count, self.current);
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
