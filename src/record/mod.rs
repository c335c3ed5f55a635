//! The record: what a dying process leaves in memory that it shares with its supervisor.
//!
//! Layer 2.  Plane: failure.
//!
//! A page of fixed layout. Each phase of dying has a section of its own in a place of its own,
//! claimed by one writer, written once, and made valid by one store. So whoever enforces the
//! deadline can commit its outcome although another thread hangs in the middle of a section; and
//! whenever the process is killed, each section is whole or absent.
//!
//! ```text
//! word  0 magic   1 version   2 nonce   3 pid          by the supervisor; the pid by the child
//!       4.. sections: a commit word, then the payload
//! ```
//!
//! | commit word | means | next |
//! |---|---|---|
//! | 0 | nobody has written | `CLAIMED`, by the one who will |
//! | `CLAIMED` | it is being written | the section's mark, size and checksum |
//! | anything else | the payload is whole, if mark, size and checksum are right | for ever |
//!
//! * **R1** A section is written by one thread, once.
//! * **R2** Whoever reads finds a section whole, or absent, or is told that it is damaged.
//! * **R3** The checksum covers payload, nonce, kind and size, and notices every single flipped
//!   bit: no section passes for another, nor for that of another process.
//! * **R4** Readers neither panic nor allocate, whatever is on the page.
//!
//! No operating system here: `sys::record` maps the page, `terminate::tell` writes to it.

use crate::cause::Cause;
use crate::report::{Failure, HookOutcome};
use crate::sync::{AtomicU64, Ordering::Relaxed};

mod address;
mod figures;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzz;
#[cfg(any(feature = "supervise", fuzzing, test))]
pub(crate) mod read;
mod sum;
mod write;

pub(crate) use address::Address;
pub(crate) use write::Start;

/// How many bytes the page has.
pub(crate) const PAGE_BYTES: usize = 8192;

/// The same in words.
pub(crate) const PAGE_WORDS: usize = PAGE_BYTES / size_of::<u64>();

/// What the first word is.
const MAGIC: u64 = u64::from_le_bytes(*b"FAILFAST");

/// The version of the layout. A child that speaks another one leaves the page alone.
const VERSION: u64 = 1;

/// Where the process's number stands, in bytes: written by the child between fork and exec.
#[cfg(feature = "supervise")]
pub(crate) const PID_OFFSET: usize = 3 * size_of::<u64>();

/// How many words stand before the first section.
const HEADER_WORDS: usize = 4;

/// What a section's commit word is while it is being written.
const CLAIMED: u64 = 1;

/// The page, as both processes have it.
#[repr(transparent)]
pub(crate) struct Page([AtomicU64; PAGE_WORDS]);

/// The sections. Numbers are part of the layout.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Section {
    /// Our allocator is here.
    Attached = 1,
    /// A thread was elected to end the process, and why.
    Elected = 2,
    /// All numbers and names.
    Figures = 3,
    /// The other threads have stopped, or not.
    Halt = 4,
    /// The report, in JSON.
    Report = 5,
    /// The hook has begun.
    HookBegan = 6,
    /// The process is about to become another program.
    Replaced = 7,
    /// What became of the hook.
    Outcome = 8,
    /// The last step has begun.
    Ending = 9,
}

/// How many words each section's payload has, in the order of their numbers.
const SIZES: [usize; 9] =
    [11, 4, figures::WORDS, 3, 1 + crate::report::JSON_BYTES_MAX / size_of::<u64>(), 1, 1, 2, 2];

/// All sections.
#[cfg(any(fuzzing, test))]
pub(crate) const SECTIONS: [Section; 9] = [
    Section::Attached,
    Section::Elected,
    Section::Figures,
    Section::Halt,
    Section::Report,
    Section::HookBegan,
    Section::Replaced,
    Section::Outcome,
    Section::Ending,
];

impl Section {
    /// How many words its payload has.
    const fn words(self) -> usize {
        SIZES[self as usize - 1]
    }

    /// The place of its commit word; the payload follows.
    const fn place(self) -> usize {
        let (mut place, mut before) = (HEADER_WORDS, 0);
        while before + 1 < self as usize {
            place += 1 + SIZES[before];
            before += 1;
        }
        place
    }

    /// The commit word of a payload with this checksum.
    const fn commit(self, sum: u32) -> u64 {
        (self as u64) << 56 | 0xfa << 48 | (self.words() as u64) << 32 | sum as u64
    }
}

const _: () = assert!(Section::Ending.place() + 1 + Section::Ending.words() <= PAGE_WORDS);

impl Page {
    fn word(&self, place: usize) -> u64 {
        // ORDER: Relaxed. The header is written before the child runs.
        self.0.get(place).map_or(0, |word| word.load(Relaxed))
    }

    /// Whether this is the page that was made for the process `pid` under the name `nonce`.
    pub(crate) fn is_for(&self, nonce: u64, pid: u32) -> bool {
        [0, 1, 2, 3].map(|place| self.word(place)) == [MAGIC, VERSION, nonce, u64::from(pid)]
    }
}

/// The first words of a new page, to be followed by the process's number.
#[cfg(any(feature = "supervise", fuzzing, test))]
pub(crate) const fn header(nonce: u64) -> [u64; 3] {
    [MAGIC, VERSION, nonce]
}

/// Causes, and their numbers in the record.
#[cfg(any(feature = "supervise", fuzzing, test))]
const CAUSES: [(Cause, u64); 6] = [
    (Cause::HeapBudget, 1),
    (Cause::AllocatorRefused, 2),
    (Cause::StackBudget, 3),
    (Cause::StackOverflow, 4),
    (Cause::Requested, 5),
    (Cause::LedgerUnsettled, 6),
];

const fn cause_number(cause: Cause) -> u64 {
    match cause {
        Cause::HeapBudget => 1,
        Cause::AllocatorRefused => 2,
        Cause::StackBudget => 3,
        Cause::StackOverflow => 4,
        Cause::Requested => 5,
        Cause::LedgerUnsettled => 6,
    }
}

/// The numbers of an outcome of the hook that is final; `None` for one that is not.
const fn outcome_numbers(outcome: HookOutcome) -> Option<(u64, u64)> {
    Some(match outcome {
        HookOutcome::Pending | HookOutcome::Replaced => return None,
        HookOutcome::None => (1, 0),
        HookOutcome::Ran => (2, 0),
        HookOutcome::Timeout => (3, 0),
        HookOutcome::Skipped => (4, 0),
        HookOutcome::Crashed(failure) => (
            5,
            match failure {
                Failure::Panic => 1,
                Failure::Abort => 2,
                Failure::Exit => 3,
                Failure::Reserve => 4,
                Failure::Overflow => 5,
                Failure::Thread => 6,
                Failure::Signal(number) => 0x100 | (number as u64 & 0xff),
            },
        ),
    })
}

/// Who has begun the last step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum EndedBy {
    /// The dying thread itself.
    Elected = 1,
    /// Whoever holds to the deadline.
    Deadline = 2,
    /// A thread that the hook had started, at the gate of the allocator.
    Gate = 3,
}

#[cfg(test)]
mod tests;
