//! Where the program was.
//!
//! Layer 2.  Plane: data.
//!
//! Raw addresses, and for each the file it came from: enough for a symbolizer to name functions
//! later, in another process, which is the only place where that is safe.

use super::Report;
use super::modules::Resolver;
use super::text::Text;
use core::mem;
use core::ops::Range;

/// How many frames a report has room for.
pub(crate) const FRAMES_MAX: usize = 64;

/// How many of `frames` are the outermost, if there were more: of a recursion without end both ends
/// say how it came about. One frame more is always one that is added to those of before, so that
/// more never needs less room.
const fn outermost(frames: usize) -> usize {
    frames.saturating_sub(8).saturating_mul(3) / 7
}

/// How many of `FRAMES_MAX` are the outermost, and how many the innermost.
const OUTERMOST: usize = outermost(FRAMES_MAX);
const INNERMOST: usize = FRAMES_MAX - OUTERMOST;

/// Where frames are left out of a long backtrace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BacktraceGap {
    /// After so many of those that are there, which are the innermost; those behind it are the
    /// outermost.
    pub after: usize,
    /// How many are left out.
    pub frames: usize,
}

/// How many different files a report has room for.
pub(crate) const MODULES_MAX: usize = 16;

/// The most bytes of a file's path that are kept: the last ones, which name the file.
pub(crate) const PATH_BYTES_MAX: usize = 255;

impl Report {
    /// Where the thread was: return addresses, innermost first; 64 at most. Empty if they could not
    /// be had. Of a longer one the innermost and the outermost frames are there, and
    /// [`backtrace_gap`](Self::backtrace_gap) says what is not.
    #[must_use]
    pub fn backtrace(&self) -> &[usize] {
        self.backtrace.addresses()
    }

    /// What is left out in the middle of [`backtrace`](Self::backtrace). `None` if nothing is; and
    /// if the walk took too long to reach the outermost frames, so that none of those is there.
    ///
    /// # Examples
    ///
    /// ```
    /// fn write_backtrace(report: &failfast_alloc::Report, out: &mut dyn std::fmt::Write) {
    ///     let gap = report.backtrace_gap();
    ///     for (place, address) in report.backtrace().iter().enumerate() {
    ///         if let Some(gap) = gap.filter(|gap| gap.after == place) {
    ///             let _ = writeln!(out, "... {} frames ...", gap.frames);
    ///         }
    ///         let _ = writeln!(out, "{address:#x}");
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn backtrace_gap(&self) -> Option<BacktraceGap> {
        self.backtrace.gap(self.backtrace.addresses().len())
    }

    /// The registers of the thread where it failed: a pointer to a `ucontext_t`, as a signal
    /// handler gets one. For crash reporters, whose own record of a crash is made of it.
    ///
    /// For a fault (a stack that overflowed) it is the kernel's own and complete. Else it holds
    /// what an unwinder needs: the instruction, the stack, and the registers that a call preserves,
    /// of the function that began to end the process; all else in it is zero, and on x86-64
    /// `uc_mcontext.fpregs` is null. Nothing in it may be written.
    ///
    /// In an abort hook it is never null, and what it points to stays until the process has gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use failfast_alloc::Report;
    ///
    /// # #[cfg(target_arch = "x86_64")]
    /// fn stack_pointer(report: &Report) -> usize {
    ///     let context = report.context().cast::<libc::ucontext_t>();
    ///     // SAFETY: a `ucontext_t` while the hook runs.
    ///     let machine = unsafe { &(*context).uc_mcontext };
    ///     machine.gregs[libc::REG_RSP as usize] as usize
    /// }
    ///
    /// // SAFETY: reads one word, which nothing changes.
    /// unsafe {
    ///     failfast_alloc::set_abort_hook(|report| {
    ///         # #[cfg(target_arch = "x86_64")]
    ///         let _at = stack_pointer(report);
    ///     });
    /// }
    /// # failfast_alloc::take_abort_hook();
    /// ```
    #[must_use]
    pub fn context(&self) -> *const core::ffi::c_void {
        core::ptr::with_exposed_provenance(self.context)
    }
}

/// A file that is mapped with its code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Module {
    /// The file, or what the kernel calls it (`[vdso]`).
    pub(crate) path: Text<PATH_BYTES_MAX>,
    /// Where its first byte is mapped, or would be.
    pub(crate) base: usize,
    /// Whether the path no longer leads to it: it was removed, or replaced by another file.
    pub(crate) deleted: bool,
}

/// An address as a place in a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    /// Which module.
    pub(crate) module: usize,
    /// The address, less the module's base.
    pub(crate) offset: usize,
}

/// Return addresses, innermost first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backtrace {
    addresses: [usize; FRAMES_MAX],
    places: [Option<Place>; FRAMES_MAX],
    kept: usize,
    seen: usize,
    /// Whether the outermost frame was seen.
    is_whole: bool,
    modules: [Module; MODULES_MAX],
    modules_kept: usize,
}

impl Backtrace {
    /// No frame.
    pub(crate) const fn new() -> Self {
        const NONE: Module = Module { path: Text::new(), base: 0, deleted: false };
        Self {
            addresses: [0; FRAMES_MAX],
            places: [None; FRAMES_MAX],
            kept: 0,
            seen: 0,
            is_whole: true,
            modules: [NONE; MODULES_MAX],
            modules_kept: 0,
        }
    }

    /// Adds the frame around those added before. Where there is no room, it takes the place of the
    /// innermost of the outermost ones.
    pub(crate) fn push(&mut self, address: usize) {
        let place = match self.seen.checked_sub(FRAMES_MAX) {
            None => self.seen,
            Some(more) => INNERMOST.saturating_add(more % OUTERMOST),
        };
        if let Some(place) = self.addresses.get_mut(place) {
            *place = address;
        }
        self.seen = self.seen.saturating_add(1);
        self.kept = self.seen.min(FRAMES_MAX);
    }

    /// Ends it. If it is not whole, the last frames seen were in the middle of somewhere, and are
    /// left out. Once, after all have been added.
    pub(crate) fn finish(&mut self, is_whole: bool) {
        self.is_whole = is_whole;
        let Some(more) = self.seen.checked_sub(FRAMES_MAX) else { return };
        if !is_whole {
            self.kept = INNERMOST;
        } else if let Some(outer) = self.addresses.get_mut(INNERMOST..) {
            outer.rotate_left(more % OUTERMOST);
        }
    }

    /// Which of `frames` that are written are the innermost; then which are the outermost.
    fn choose(&self, frames: usize) -> [Range<usize>; 2] {
        let frames = frames.min(self.kept);
        let outer = match self.is_whole && self.seen > frames {
            true => outermost(frames),
            false => 0,
        };
        [0..frames.saturating_sub(outer), self.kept.saturating_sub(outer)..self.kept]
    }

    /// What is left out in the middle, if `frames` are written.
    pub(crate) fn gap(&self, frames: usize) -> Option<BacktraceGap> {
        let [inner, outer] = self.choose(frames);
        let left_out = self.seen.saturating_sub(inner.len()).saturating_sub(outer.len());
        (self.is_whole && left_out > 0 && !outer.is_empty())
            .then_some(BacktraceGap { after: inner.len(), frames: left_out })
    }

    /// Begins to look up which files the addresses are in.
    pub(crate) fn resolver(&mut self) -> Resolver<'_> {
        Resolver::new(self)
    }

    /// The addresses there was room for.
    pub(crate) fn addresses(&self) -> &[usize] {
        self.addresses.get(..self.kept).unwrap_or_default()
    }

    /// How many frames were pushed.
    pub(crate) const fn seen(&self) -> usize {
        self.seen
    }

    /// The addresses that are written of `frames`, each with its place, where that is known.
    pub(super) fn frames(&self, frames: usize) -> impl Iterator<Item = (usize, Option<Place>)> {
        let chosen = self.choose(frames).into_iter().flatten();
        chosen.filter_map(|i| Some((*self.addresses.get(i)?, *self.places.get(i)?)))
    }

    /// The files that the `frames` which are written are in.
    pub(super) fn modules(&self, frames: usize) -> &[Module] {
        let used = self.frames(frames).filter_map(|(_, place)| place);
        let count = used.map(|place| place.module.saturating_add(1)).max().unwrap_or(0);
        self.modules.get(..count).unwrap_or_default()
    }

    /// Notes the place of every address within `start..end`. `module` says which module that
    /// is, and is asked only if there is such an address.
    pub(super) fn locate(
        &mut self,
        start: usize,
        end: usize,
        base: usize,
        mut module: impl FnMut(&mut ModuleList<'_>) -> Option<usize>,
    ) {
        let mut list =
            ModuleList { modules: &mut self.modules, modules_kept: &mut self.modules_kept };
        for (address, place) in self.addresses.iter().zip(&mut self.places).take(self.kept) {
            if (start..end).contains(address) {
                *place = module(&mut list)
                    .map(|module| Place { module, offset: address.wrapping_sub(base) });
            }
        }
    }

    /// Numbers the modules in the order in which more and more frames name them, so that fewer
    /// frames need fewer modules.
    pub(super) fn order_modules(&mut self) {
        let mut ordered = 0;
        for frames in 0..self.kept {
            // One more is added at the end of the first range, or before the second.
            let [inner, _] = self.choose(frames);
            let [wider_inner, wider_outer] = self.choose(frames.saturating_add(1));
            let frame = match wider_inner.end > inner.end {
                true => inner.end,
                false => wider_outer.start,
            };
            let Some(Some(place)) = self.places.get(frame).copied() else { continue };
            if place.module >= ordered {
                self.swap_modules(place.module, ordered);
                ordered = ordered.saturating_add(1);
            }
        }
    }

    fn swap_modules(&mut self, one: usize, other: usize) {
        if let Ok([a, b]) = self.modules.get_disjoint_mut([one, other]) {
            mem::swap(a, b);
            for place in self.places.iter_mut().flatten() {
                place.module = match place.module {
                    module if module == one => other,
                    module if module == other => one,
                    module => module,
                };
            }
        }
    }
}

/// The list of modules, while places are noted.
pub(super) struct ModuleList<'a> {
    modules: &'a mut [Module; MODULES_MAX],
    modules_kept: &'a mut usize,
}

impl ModuleList<'_> {
    /// Adds a module, if there is room, and returns its number.
    pub(super) fn add(&mut self, write: impl FnOnce(&mut Module)) -> Option<usize> {
        let number = *self.modules_kept;
        write(self.modules.get_mut(number)?);
        *self.modules_kept = number.saturating_add(1);
        Some(number)
    }
}
