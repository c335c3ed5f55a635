//! What the dying process writes.
//!
//! Layer 2.  Plane: failure.

use crate::cause::Cause;
use crate::report::{Halt, HookOutcome, Report, Threads, Timestamp};
use crate::sync::{AtomicU64, Ordering::*};

use super::figures::write_figures;
use super::sum::Sum;
use super::{CLAIMED, EndedBy, Page, Section, cause_number, outcome_numbers};

/// What holds for a process, as its supervisor is told.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Start {
    /// The version of this crate, up to 16 bytes.
    pub(crate) version: [u8; 16],
    pub(crate) budget: Option<u64>,
    pub(crate) stack_budget: Option<u64>,
    pub(crate) reserve: u64,
    pub(crate) hook_timeout_ns: u64,
    /// Whether it becomes another program in place of running a hook.
    pub(crate) execs: bool,
    /// Whether it only says what is over budget.
    pub(crate) observes: bool,
    /// The process's number, as it sees itself.
    pub(crate) pid: u32,
}

/// A payload that is being written. What does not fit is left out.
pub(super) struct Payload<'a> {
    rest: &'a [AtomicU64],
    sum: Sum,
}

impl Payload<'_> {
    pub(super) fn word(&mut self, value: u64) {
        let Some((first, rest)) = self.rest.split_first() else { return };
        first.store(value, Relaxed); // ORDER: Relaxed. Published by the commit.
        self.sum = self.sum.word(value);
        self.rest = rest;
    }

    /// Two words.
    pub(super) fn option(&mut self, value: Option<u64>) {
        self.word(u64::from(value.is_some()));
        self.word(value.unwrap_or(0));
    }

    /// One word, and as many as `bytes_max` need.
    pub(super) fn text(&mut self, text: &[u8], bytes_max: usize) {
        let text = text.get(..text.len().min(bytes_max)).unwrap_or(&[]);
        self.word(text.len() as u64);
        let mut chunks = text.chunks(8);
        for _ in 0..bytes_max.div_ceil(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunks.next().unwrap_or(&[])) {
                *to = *from;
            }
            self.word(u64::from_ne_bytes(word));
        }
    }
}

impl Page {
    /// Writes a section, unless somebody has, or is about to.
    fn write(&self, section: Section, fill: impl FnOnce(&mut Payload<'_>)) -> bool {
        let Some((commit, payload)) = self.section(section) else { return false };
        // ORDER: Relaxed, both. The claim is the whole message: it makes one writer.
        if commit.compare_exchange(0, CLAIMED, Relaxed, Relaxed).is_err() {
            return false;
        }
        let sum = Sum::new().word(self.word(2)).word(section.commit(0));
        let mut payload = Payload { rest: payload, sum };
        fill(&mut payload);
        // The page was all zero.
        let sum = payload.sum.zeroes(payload.rest.len());
        // ORDER: Release, with the Acquire of `read::copy`, and with the end of the process: who
        // sees it sees the payload.
        commit.store(section.commit(sum.finish()), Release);
        true
    }

    /// A section's commit word, and its payload.
    pub(super) fn section(&self, section: Section) -> Option<(&AtomicU64, &[AtomicU64])> {
        let (commit, rest) = self.0.get(section.place()..)?.split_first()?;
        Some((commit, rest.get(..section.words())?))
    }

    /// The process has our allocator. `false` if another copy of this code has said so.
    pub(crate) fn attached(&self, start: &Start) -> bool {
        self.write(Section::Attached, |to| {
            let (first, last) = start.version.split_at(8);
            for half in [first, last] {
                to.word(half.try_into().map_or(0, u64::from_ne_bytes));
            }
            to.option(start.budget);
            to.option(start.stack_budget);
            to.word(start.reserve);
            to.word(start.hook_timeout_ns);
            to.word(u64::from(start.execs));
            to.word(u64::from(start.observes));
            to.word(u64::from(start.pid));
        })
    }

    /// The thread `tid` is about to end the process.
    pub(crate) fn elected(&self, cause: Cause, tid: u32, time: Timestamp) {
        self.write(Section::Elected, |to| {
            to.word(cause_number(cause));
            to.word(u64::from(tid));
            to.word(time.seconds);
            to.word(u64::from(time.nanoseconds));
        });
    }

    /// All that is known without looking at stacks.
    pub(crate) fn figures(&self, report: &Report) {
        self.write(Section::Figures, |to| write_figures(report, to));
    }

    /// Whether the other threads have stopped.
    pub(crate) fn halted(&self, halt: Halt, threads: Option<Threads>) {
        self.write(Section::Halt, |to| {
            // Numbers are part of the layout: 1 proven, 2 unproven; 0 threads for not known.
            to.word(if halt == Halt::Proven { 1 } else { 2 });
            to.word(threads.map_or(0, |threads| u64::from(threads.seen) + 1));
            to.word(threads.map_or(0, |threads| u64::from(threads.halted)));
        });
    }

    /// The report: one line of JSON.
    pub(crate) fn report(&self, json: &[u8]) {
        self.write(Section::Report, |to| to.text(json, crate::report::JSON_BYTES_MAX));
    }

    /// The hook is about to run.
    pub(crate) fn hook_began(&self) {
        self.write(Section::HookBegan, |to| to.word(1));
    }

    /// The process is about to become another program.
    pub(crate) fn replaced(&self) {
        self.write(Section::Replaced, |to| to.word(1));
    }

    /// What became of the hook, if that is known for good.
    pub(crate) fn outcome(&self, outcome: HookOutcome) {
        if let Some((what, how)) = outcome_numbers(outcome) {
            self.write(Section::Outcome, |to| {
                to.word(what);
                to.word(how);
            });
        }
    }

    /// The last step has begun.
    pub(crate) fn ending(&self, by: EndedBy, thread: u32) {
        self.write(Section::Ending, |to| {
            to.word(by as u64);
            to.word(u64::from(thread));
        });
    }
}
