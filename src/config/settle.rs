//! What was asked for, held against the machine.
//!
//! Layer 3.  Plane: data.

use super::choice::Limit;
use super::judge::{Judge, place};
use super::line::{Fault, Line, Sink};
use super::memory::{self, Found, MemoryLimit};
use super::options::Key;
use super::program;
use super::report_to::{self, Target};
use super::scan::Values;
use super::settings::{Settings, Source, Sourced};
use super::text::shown;

/// The part of the memory limit that `auto` is.
pub(crate) const AUTO_PERCENT: u8 = 80;
/// A reserve from which on it is worth looking whether the machine has so much: it is touched at
/// start, and touching too much ends in the kernel's out-of-memory killer.
const LARGE_RESERVE: usize = 64 << 20;

/// What still has to be held against the machine, and who asked for it.
pub(super) struct Draft<'e> {
    pub(super) budget: (Limit, Source),
    pub(super) reserve: (usize, Source),
    pub(super) report: (Target<'e>, Source),
    pub(super) exec: Option<(&'e [u8], Source)>,
    /// As they were written.
    pub(super) values: Values<'e>,
}

impl Draft<'_> {
    /// A value as whoever asked for it wrote it.
    fn written<'a>(&'a self, key: Key, source: Source, in_code: &'a [u8]) -> &'a [u8] {
        let text = self.values.get(key).filter(|_| source == Source::Environment);
        text.unwrap_or(in_code)
    }
}

/// The memory limit, looked for when it is first asked about.
pub(super) struct Machine<'w> {
    root: &'w [u8],
    found: Option<Found>,
}

impl<'w> Machine<'w> {
    pub(super) fn new(root: &'w [u8]) -> Self {
        Self { root, found: None }
    }

    fn memory(&mut self) -> Found {
        *self.found.get_or_insert_with(|| memory::find(self.root))
    }
}

pub(super) fn budget(
    draft: &Draft<'_>,
    settings: &mut Settings,
    machine: &mut Machine<'_>,
    judge: &mut Judge<'_>,
) {
    let (limit, source) = draft.budget;
    settings.budget_source = Sourced { source, part_of: None };
    let percent = match limit {
        Limit::Unlimited => return,
        Limit::Bytes(bytes) => return settings.budget_bytes = bytes,
        Limit::Percent(percent) => percent,
        Limit::Auto => AUTO_PERCENT,
    };
    let in_code = shown(limit);
    let given = draft.written(Key::Budget, source, in_code.bytes());
    let Found { limit: Some(limit), doubtful } = machine.memory() else {
        let fault = Fault::new("is a part of a memory limit that cannot be found");
        return judge.object(Key::Budget, source, given, fault);
    };
    match limit.percent(percent) {
        0 => {
            let fault = Fault::new("comes to no byte under the memory limit here");
            judge.object(Key::Budget, source, given, fault);
        }
        bytes => {
            settings.budget_bytes = bytes;
            settings.budget_source.part_of = Some(limit);
            if doubtful {
                warn_of_doubt(source, given, limit, judge.sink);
            }
        }
    }
}

/// A limit of a control group that we cannot see would be lower than what we go by.
fn warn_of_doubt(source: Source, given: &[u8], limit: MemoryLimit, sink: Sink<'_>) {
    let Some((place, _)) = place(Key::Budget, source) else { return };
    Line::new()
        .text("warning: ")
        .place(place)
        .quoted(given)
        .text(" is taken of ")
        .text(limit.origin.text())
        .text(", ")
        .foreign(shown(limit.bytes).bytes())
        .text(" bytes; whether a cgroup sets a lower limit could not be read")
        .say(sink);
}

pub(super) fn reserve(
    draft: &Draft<'_>,
    settings: &mut Settings,
    machine: &mut Machine<'_>,
    judge: &mut Judge<'_>,
) {
    let (bytes, source) = draft.reserve;
    let more_than = |limit: MemoryLimit| u64::try_from(bytes).is_ok_and(|it| it >= limit.bytes);
    if bytes >= LARGE_RESERVE && machine.memory().limit.is_some_and(more_than) {
        let in_code = shown(bytes);
        let given = draft.written(Key::Reserve, source, in_code.bytes());
        let fault = Fault::new("is all the memory there is, or more");
        return judge.object(Key::Reserve, source, given, fault);
    }
    settings.reserve_bytes = bytes;
}

pub(super) fn files(draft: &Draft<'_>, settings: &mut Settings, judge: &mut Judge<'_>) {
    let (target, source) = draft.report;
    match report_to::open(target) {
        Ok(sink) => settings.report = sink,
        Err(fault) => {
            let number = shown(target);
            let in_code = match target {
                Target::File(path) => path,
                Target::Nowhere | Target::Fd(_) => number.bytes(),
            };
            let given = draft.written(Key::Report, source, in_code);
            judge.object(Key::Report, source, given, fault);
        }
    }
    let Some((path, source)) = draft.exec else { return };
    if let Err(fault) = program::check(path, &mut settings.exec) {
        judge.object(Key::Exec, source, path, fault);
    }
}

#[cfg(test)]
mod tests;
