//! What the supervisor reads.
//!
//! Layer 2.  Plane: data.
//!
//! It works on a copy: a page that others still write to would answer differently each time.

use crate::cause::Cause;
use crate::report::{
    Failure, FoundBy, Halt, HookOutcome, JSON_BYTES_MAX, MESSAGE_BYTES_MAX, NAME_BYTES_MAX,
    StackKind, StackSpan, THREAD_BYTES_MAX, Threads, Timestamp,
};
#[cfg(any(fuzzing, test))]
use crate::sync::Ordering::*;

use super::sum::Sum;
use super::write::Start;
use super::{CAUSES, CLAIMED, EndedBy, Section};
#[cfg(any(fuzzing, test))]
use super::{PAGE_WORDS, Page};

/// A copy of the page.
#[cfg(any(fuzzing, test))]
pub(crate) type Words = [u64; PAGE_WORDS];

/// Copies the page. Sections that are committed are copied whole. (A supervisor reads the page's
/// file, once nobody writes any more.)
#[cfg(any(fuzzing, test))]
pub(crate) fn copy(page: &Page, to: &mut Words) {
    // ORDER: Acquire, all, with the Release of `Page::write`: a commit word comes before its
    // payload, so a payload is at least as new as the commit word in front of it.
    for (to, word) in to.iter_mut().zip(&page.0) {
        *to = word.load(Acquire);
    }
}

/// Something is on the page that no version of this code writes there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Damaged;

/// What a section turns out to be: absent, whole, or damaged.
type Found<T> = Result<Option<T>, Damaged>;

/// A copy of a page, or of its beginning, and the name it has to have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) words: &'a [u64],
    pub(crate) nonce: u64,
}

/// What a section's payload is taken from.
struct Payload<'a>(&'a [u64]);

impl<'a> Payload<'a> {
    fn word(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number<T: TryFrom<u64>>(&mut self) -> Option<T> {
        self.word()?.try_into().ok()
    }

    fn flag(&mut self) -> Option<bool> {
        match self.word()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// `Some(None)` for no number.
    fn option<T: TryFrom<u64>>(&mut self) -> Option<Option<T>> {
        let (is_there, value) = (self.flag()?, self.number()?);
        Some(is_there.then_some(value))
    }

    fn text(&mut self, bytes_max: usize) -> Option<&'a str> {
        let len = self.number::<usize>()?;
        let (text, rest) = self.0.split_at_checked(bytes_max.div_ceil(8))?;
        self.0 = rest;
        let text = bytes(text).get(..len).filter(|_| len <= bytes_max)?;
        core::str::from_utf8(text).ok()
    }
}

fn bytes(words: &[u64]) -> &[u8] {
    let (at, len) = (words.as_ptr().cast::<u8>(), size_of_val(words));
    // SAFETY: a `u64` has no padding, every byte is a valid `u8`, and the lifetime is the same.
    unsafe { core::slice::from_raw_parts(at, len) }
}

/// A death's cause, thread and time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Elected {
    pub(crate) cause: Cause,
    pub(crate) tid: u32,
    pub(crate) time: Timestamp,
}

/// Its numbers and names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Figures<'a> {
    pub(crate) requested: usize,
    pub(crate) align: usize,
    pub(crate) live: usize,
    pub(crate) peak: usize,
    pub(crate) budget: Option<usize>,
    pub(crate) pid: u32,
    pub(crate) tid: u32,
    pub(crate) resident: Option<usize>,
    pub(crate) cgroup_current: Option<u64>,
    pub(crate) cgroup_limit: Option<u64>,
    pub(crate) stack: Option<StackSpan>,
    pub(crate) cluster: &'a str,
    pub(crate) thread: &'a str,
    pub(crate) message: &'a str,
}

/// Whether the other threads had stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Halted {
    pub(crate) halt: Halt,
    pub(crate) threads: Option<Threads>,
}

impl<'a> Record<'a> {
    /// A section's payload.
    fn payload(&self, section: Section) -> Found<Payload<'a>> {
        let Some(part) = self.words.get(section.place()..) else { return Ok(None) };
        let Some((&commit, rest)) = part.split_first() else { return Ok(None) };
        if commit == 0 || commit == CLAIMED {
            return Ok(None);
        }
        let payload = rest.get(..section.words()).ok_or(Damaged)?;
        let sum = Sum::new().word(self.nonce).word(section.commit(0));
        let sum = payload.iter().fold(sum, |sum, word| sum.word(*word));
        if commit == section.commit(sum.finish()) {
            Ok(Some(Payload(payload)))
        } else {
            Err(Damaged)
        }
    }

    /// Whether a section is there.
    #[cfg(any(fuzzing, test))]
    pub(crate) fn payload_is(&self, section: Section) -> Result<bool, Damaged> {
        self.payload(section).map(|payload| payload.is_some())
    }

    /// A section, as `take` makes it of its payload.
    fn find<T>(
        &self,
        section: Section,
        take: impl FnOnce(&mut Payload<'a>) -> Option<T>,
    ) -> Found<T> {
        let Some(mut payload) = self.payload(section)? else { return Ok(None) };
        take(&mut payload).map(Some).ok_or(Damaged)
    }

    /// Whether any section is damaged.
    pub(crate) fn is_damaged(&self) -> bool {
        self.attached().is_err()
            || self.elected().is_err()
            || self.figures().is_err()
            || self.halted().is_err()
            || self.report().is_err()
            || self.hook_began().is_err()
            || self.replaced().is_err()
            || self.outcome().is_err()
            || self.ending().is_err()
    }

    /// What held when the process had started. `None` if our allocator has not been there.
    pub(crate) fn attached(&self) -> Found<Start> {
        self.find(Section::Attached, |from| {
            let mut version = [0; 16];
            let halves = [from.word()?, from.word()?].map(u64::to_ne_bytes);
            for (to, byte) in version.iter_mut().zip(halves.as_flattened()) {
                *to = *byte;
            }
            Some(Start {
                version,
                budget: from.option()?,
                stack_budget: from.option()?,
                reserve: from.word()?,
                hook_timeout_ns: from.word()?,
                execs: from.flag()?,
                observes: from.flag()?,
                pid: from.number()?,
            })
        })
    }

    /// Why the process was about to end. `None` if nothing had failed.
    pub(crate) fn elected(&self) -> Found<Elected> {
        self.find(Section::Elected, |from| {
            let number = from.word()?;
            let (cause, _) = CAUSES.into_iter().find(|(_, known)| *known == number)?;
            let tid = from.number()?;
            let time = Timestamp { seconds: from.word()?, nanoseconds: from.number()? };
            Some(Elected { cause, tid, time })
        })
    }

    /// All that was known without looking at stacks.
    pub(crate) fn figures(&self) -> Found<Figures<'a>> {
        self.find(Section::Figures, |from| {
            Some(Figures {
                requested: from.number()?,
                align: from.number()?,
                live: from.number()?,
                peak: from.number()?,
                budget: from.option()?,
                pid: from.number()?,
                tid: from.number()?,
                resident: from.option()?,
                cgroup_current: from.option()?,
                cgroup_limit: from.option()?,
                stack: stack(from)?,
                cluster: from.text(NAME_BYTES_MAX)?,
                thread: from.text(THREAD_BYTES_MAX)?,
                message: from.text(MESSAGE_BYTES_MAX)?,
            })
        })
    }

    /// Whether the other threads had stopped.
    pub(crate) fn halted(&self) -> Found<Halted> {
        self.find(Section::Halt, |from| {
            let halt = match from.word()? {
                1 => Halt::Proven,
                2 => Halt::Unproven,
                _ => return None,
            };
            let (seen, halted) = (from.word()?, from.number()?);
            let threads = match seen.checked_sub(1) {
                None => None,
                Some(seen) => Some(Threads { seen: seen.try_into().ok()?, halted }),
            };
            Some(Halted { halt, threads })
        })
    }

    /// The report: one line of JSON.
    pub(crate) fn report(&self) -> Found<&'a str> {
        self.find(Section::Report, |from| from.text(JSON_BYTES_MAX))
    }

    /// Whether the hook had begun.
    pub(crate) fn hook_began(&self) -> Result<bool, Damaged> {
        self.find(Section::HookBegan, |from| from.flag().filter(|is| *is)).map(|is| is.is_some())
    }

    /// Whether the process was about to become another program.
    pub(crate) fn replaced(&self) -> Result<bool, Damaged> {
        self.find(Section::Replaced, |from| from.flag().filter(|is| *is)).map(|is| is.is_some())
    }

    /// What became of the hook.
    pub(crate) fn outcome(&self) -> Found<HookOutcome> {
        self.find(Section::Outcome, |from| {
            Some(match (from.word()?, from.word()?) {
                (1, 0) => HookOutcome::None,
                (2, 0) => HookOutcome::Ran,
                (3, 0) => HookOutcome::Timeout,
                (4, 0) => HookOutcome::Skipped,
                (5, 1) => HookOutcome::Crashed(Failure::Panic),
                (5, 2) => HookOutcome::Crashed(Failure::Abort),
                (5, 3) => HookOutcome::Crashed(Failure::Exit),
                (5, 4) => HookOutcome::Crashed(Failure::Reserve),
                (5, 5) => HookOutcome::Crashed(Failure::Overflow),
                (5, 6) => HookOutcome::Crashed(Failure::Thread),
                (5, number @ 0x101..=0x1ff) => {
                    HookOutcome::Crashed(Failure::Signal((number & 0xff) as i32))
                }
                _ => return None,
            })
        })
    }

    /// Who had begun the last step.
    pub(crate) fn ending(&self) -> Found<(EndedBy, u32)> {
        self.find(Section::Ending, |from| {
            let by = match from.word()? {
                1 => EndedBy::Elected,
                2 => EndedBy::Deadline,
                3 => EndedBy::Gate,
                _ => return None,
            };
            Some((by, from.number()?))
        })
    }
}

/// `Some(None)` for no stack.
fn stack(from: &mut Payload<'_>) -> Option<Option<StackSpan>> {
    let how = from.word()?;
    let [address, pointer, low, high, used] =
        [from.number()?, from.number()?, from.number()?, from.number()?, from.number()?];
    let budget = from.option()?;
    if how == 0 {
        return Some(None);
    }
    let found_by = match how & 0xff {
        1 => FoundBy::Probe,
        2 => FoundBy::Guard,
        _ => return None,
    };
    let kind = match how >> 8 {
        1 => StackKind::Thread,
        2 => StackKind::Signal,
        3 => StackKind::Other,
        _ => return None,
    };
    Some(Some(StackSpan { address, pointer, low, high, used, budget, found_by, kind }))
}
