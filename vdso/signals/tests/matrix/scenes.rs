//! What happens in a process of the suite, and what comes of it.

use crate::machine::Told;
use crate::runtimes::Runtime;

/// What happens after the runtimes were loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    /// A fault in each of them.
    Fault,
    /// The same; the same in a handler of the program; an overflow of the stack in those that
    /// recover from it; and the same as first.
    Own,
    /// SIGSEGV that `tgkill` sends.
    Sent,
    /// A fault in the program's own text.
    Crash,
}

impl Scene {
    /// Whether each runtime should have its own, whatever the others do.
    pub(crate) fn is_own(self) -> bool {
        matches!(self, Self::Fault | Self::Own)
    }

    /// The steps, with the note of each that has its own.
    fn steps(self, order: &[Runtime]) -> Vec<(String, Option<&'static str>)> {
        let faults = |word: &str, is_asked: fn(&Runtime) -> bool| {
            let those = order.iter().filter(|one| one.notes.is_some() && is_asked(one));
            those.map(|one| (format!("{word}:{}", one.file), one.notes)).collect::<Vec<_>>()
        };
        let each = |word| faults(word, |_| true);
        match self {
            Self::Fault => each("fault"),
            Self::Own => {
                let overflows = faults("overflow", |one| one.overflows);
                [each("fault"), each("inside"), overflows, each("fault")].concat()
            }
            Self::Sent => vec![("sent".to_owned(), None)],
            Self::Crash => vec![("host".to_owned(), None)],
        }
    }
}

/// A process: runtimes that are loaded in an order, and what happens then.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) scene: Scene,
    pub(crate) order: Vec<Runtime>,
    pub(crate) is_preloaded: bool,
}

impl Process {
    /// The arguments of `host.c`.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let steps = self.scene.steps(&self.order);
        let loads = self.order.iter().map(|one| format!("{}:{}", one.loads, one.file));
        loads.chain(steps.into_iter().map(|(step, _)| step)).collect()
    }

    /// What came of it, in a word or a few; `own` if each runtime had its own.
    pub(crate) fn word(&self, told: &Told) -> String {
        let steps = self.scene.steps(&self.order);
        let wanted: Vec<&str> = steps.iter().filter_map(|(_, note)| *note).collect();
        let is_reported = told.text.contains("<report>");
        if self.scene.is_own() && told.status == 0 && told.text == wanted.join(" ") {
            return "own".to_owned();
        }
        if told.status != 0 {
            return if is_reported { "reported, ends" } else { "ends" }.to_owned();
        }
        let notes: Vec<&str> =
            told.text.split_whitespace().filter(|word| *word != "<report>").collect();
        let all = self.order.iter().find(|runtime| {
            runtime.notes.is_some_and(|name| notes.iter().all(|note| *note == name))
        });
        match all {
            _ if notes == ["-"] && is_reported => "reported, ignored".to_owned(),
            _ if notes == ["-"] => "ignored".to_owned(),
            _ if is_reported && notes == wanted => "own, reported".to_owned(),
            Some(runtime) if is_reported => format!("reported, {} has it", runtime.name),
            Some(runtime) => format!("{} has it", runtime.name),
            None => format!("`{}`", told.text),
        }
    }

    pub(crate) fn name(&self) -> String {
        let names: Vec<&str> = self.order.iter().map(|runtime| runtime.name).collect();
        let with = if self.is_preloaded { "with" } else { "without" };
        format!("{} {with} the library, {:?}", names.join(", then "), self.scene)
    }
}

/// Every order of some runtimes.
pub(crate) fn orders(runtimes: &[Runtime]) -> Vec<Vec<Runtime>> {
    let mut all = vec![vec![]];
    for (index, runtime) in runtimes.iter().enumerate() {
        let longer = |order: Vec<Runtime>| {
            (0..=index).map(move |place| {
                let mut order = order.clone();
                order.insert(place, *runtime);
                order
            })
        };
        all = all.into_iter().flat_map(longer).collect();
    }
    all
}

/// Every two of some runtimes, in both orders.
pub(crate) fn pairs(runtimes: &[Runtime]) -> Vec<Vec<Runtime>> {
    let ordered = |first: &Runtime| {
        let others = runtimes.iter().filter(|other| other.name != first.name);
        others.map(|second| vec![*first, *second]).collect::<Vec<_>>()
    };
    runtimes.iter().flat_map(ordered).collect()
}
