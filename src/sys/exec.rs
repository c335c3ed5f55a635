//! Becoming another program.
//!
//! Layer 1.  Plane: failure.
//!
//! execve(2) ends every other thread and gives the memory back before the new program begins; but
//! ignored signals, the mask, pending signals and interval timers pass on to it, and would surprise
//! it. What it needs from us was set aside at start: the program's own environment may have been
//! changed by `setenv`, half-way, by now.

use core::ffi::CStr;
use core::ptr;
use core::time::Duration;

use crate::sync::{AtomicI32, AtomicU64, AtomicUsize, Ordering::*};

use super::memory::{self, Mapping};
use super::signal::{self, Action, OWN_FAULTS};
use super::{file, limits, output, raw, stop};

/// Where the new program finds the report.
const REPORT: usize = 3;

/// Signals are numbered from 1 to this.
const SIGNALS: i32 = 64;

/// What is ready for the day.
pub(crate) struct Prepared {
    /// An array of C strings, null at its end; 0 if there is none.
    environment: AtomicUsize,
    /// Memory for the report, as a file.
    report: AtomicI32,
    report_dev: AtomicU64,
    report_ino: AtomicU64,
}

impl Prepared {
    /// Nothing.
    pub(crate) const fn new() -> Self {
        Self {
            environment: AtomicUsize::new(0),
            report: AtomicI32::new(-1),
            report_dev: AtomicU64::new(0),
            report_ino: AtomicU64::new(0),
        }
    }

    /// Makes ready: `environment` without the entries that begin with `prefix`. `false` if the
    /// kernel refuses.
    pub(crate) fn prepare(
        &self,
        environment: impl Iterator<Item = &'static [u8]> + Clone,
        prefix: &[u8],
    ) -> bool {
        let kept = environment.filter(|entry| !entry.starts_with(prefix));
        let fd = new_report();
        let Some(environment) = copy(kept) else { return false };
        let now = file::stat(fd);
        // ORDER: Relaxed, the three. Published by the next.
        self.report.store(if now.is_ok() { fd } else { -1 }, Relaxed);
        self.report_dev.store(now.as_ref().map_or(0, |now| now.dev), Relaxed);
        self.report_ino.store(now.as_ref().map_or(0, |now| now.ino), Relaxed);
        // ORDER: Release, with the Acquire of `become_program`.
        self.environment.store(environment, Release);
        true
    }

    /// Becomes `program`, with `report` on descriptor 3, and `timeout` to live. Returns if the
    /// kernel refuses; then descriptors above 3 are closed in whatever program is started next, and
    /// all signals but the thread's own faults are blocked.
    ///
    /// # Safety
    ///
    /// Nobody relies on signal handlers, on interval timers, or on descriptor 3 any more.
    pub(crate) unsafe fn become_program(
        &self,
        program: &CStr,
        report: &[u8],
        timeout: Option<Duration>,
    ) {
        // ORDER: Acquire, with the Release of `prepare`.
        let environment = self.environment.load(Acquire);
        let path = program.as_ptr().expose_provenance();
        let executable = [libc::AT_FDCWD as usize, path, libc::X_OK as usize, 0, 0, 0];
        // SAFETY: a C string. Asked first, since what follows cannot be undone.
        if environment == 0 || unsafe { raw::call(libc::SYS_faccessat, executable) } != 0 {
            return;
        }
        self.hand_over(report);
        limits::restore_descriptors();
        set_timers(None);
        calm_signals();
        // Last, so that what it sends is not dropped with the others.
        set_timers(timeout);
        let arguments = [path, 0];
        signal::exchange_mask(0);
        let args = [path, arguments.as_ptr().expose_provenance(), environment, 0, 0, 0];
        // SAFETY: C strings, and arrays of such with a null at their end.
        unsafe { raw::call(libc::SYS_execve, args) };
        set_timers(None); // What was to bound that program is not for us.
        limits::raise_descriptors();
        signal::block_all_but(signal::OWN_FAULTS_MASK | signal::bit(stop::STOP));
    }

    /// Puts the report where the new program finds it, and has it inherit nothing else above.
    fn hand_over(&self, report: &[u8]) {
        // ORDER: Relaxed, the three. Acquired with `environment`.
        let prepared = self.report.load(Relaxed);
        let (dev, ino) = (self.report_dev.load(Relaxed), self.report_ino.load(Relaxed));
        let fd = if output::is_still(prepared, dev, ino) { prepared } else { new_report() };
        if fd >= 0 {
            output::set_content(fd, report);
            let fd = fd as usize;
            if fd == REPORT {
                set_inherited(fd, true);
            } else {
                // SAFETY: numbers only.
                unsafe { raw::call(libc::SYS_dup3, [fd, REPORT, 0, 0, 0, 0]) };
            }
            let start = [REPORT, 0, libc::SEEK_SET as usize, 0, 0, 0];
            // SAFETY: numbers only.
            unsafe { raw::call(libc::SYS_lseek, start) };
        }
        inherit_no_more_than(REPORT);
    }
}

/// A file in memory, or a negative number.
fn new_report() -> i32 {
    let name = c"failfast-report".as_ptr().expose_provenance();
    let make = || {
        // SAFETY: a C string.
        unsafe { raw::call(libc::SYS_memfd_create, [name, libc::MFD_CLOEXEC as usize, 0, 0, 0, 0]) }
    };
    make() as i32
}

fn set_inherited(fd: usize, inherited: bool) {
    let flag = if inherited { 0 } else { libc::FD_CLOEXEC as usize };
    // SAFETY: numbers only.
    unsafe { raw::call(libc::SYS_fcntl, [fd, libc::F_SETFD as usize, flag, 0, 0, 0]) };
}

/// Has every descriptor above `last` closed by execve(2).
fn inherit_no_more_than(last: usize) {
    const CLOSE_RANGE_CLOEXEC: usize = 1 << 2;
    let range = [last + 1, u32::MAX as usize, CLOSE_RANGE_CLOEXEC, 0, 0, 0];
    // SAFETY: numbers only.
    if unsafe { raw::call(libc::SYS_close_range, range) } == 0 {
        return;
    }
    // Before Linux 5.11.
    for fd in last + 1..65_536 {
        set_inherited(fd, false);
    }
}

/// Calls the interval timers off, which would outlive us, but for one that bounds the new program.
fn set_timers(timeout: Option<Duration>) {
    for which in [libc::ITIMER_REAL, libc::ITIMER_VIRTUAL, libc::ITIMER_PROF] {
        let time =
            if which == libc::ITIMER_REAL { timeout.unwrap_or_default() } else { Duration::ZERO };
        // Up to whole microseconds: none is no time-out.
        let time = time.saturating_add(Duration::from_nanos(999));
        let time = [0, 0, time.as_secs() as i64, i64::from(time.subsec_micros())];
        let args = [which as usize, time.as_ptr().expose_provenance(), 0, 0, 0, 0];
        // SAFETY: two times of two words each are readable.
        unsafe { raw::call(libc::SYS_setitimer, args) };
    }
}

/// Gives every signal its default action, and drops those that wait. Faults keep the handlers that
/// the death has set, and so does the signal by which the deadline is held to: those go with the
/// program that they are in, and this one may have to go on.
fn calm_signals() {
    let is_kept = |signal: &i32| OWN_FAULTS.contains(signal) || *signal == stop::STOP;
    for signal in (1..=SIGNALS).filter(|signal| !is_kept(signal)) {
        // SAFETY: the default action; two signals refuse it, having no other.
        unsafe { signal::set_action(signal, &Action::DEFAULT) };
    }
    let (all, at_once) = (!0_u64, [0_i64; 2]);
    let (set, time) = ((&raw const all).expose_provenance(), at_once.as_ptr().expose_provenance());
    // SAFETY: a mask of 8 bytes and a time; what is taken need not be told. Bounded: a flood of
    // signals is not waited for.
    let take = || unsafe { raw::call(libc::SYS_rt_sigtimedwait, [set, 0, time, 8, 0, 0]) };
    let _ = (0..4096).find(|_| take() < 0);
}

/// Copies C strings, and an array of them with a null at its end, to memory of their own.
fn copy(entries: impl Iterator<Item = &'static [u8]> + Clone) -> Option<usize> {
    const WORD: usize = size_of::<usize>();
    let (count, bytes) =
        entries.clone().fold((0, 0), |(count, bytes), entry| (count + 1, bytes + entry.len() + 1));
    let Mapping { base, .. } = memory::map((count + 1) * WORD + bytes)?;
    let mut text = base + (count + 1) * WORD;
    for (i, entry) in entries.enumerate() {
        let place = ptr::with_exposed_provenance_mut::<usize>(base + i * WORD);
        // SAFETY: the mapping begins with a word for each entry, and one more, which stays null.
        unsafe { place.write(text) };
        let to = ptr::with_exposed_provenance_mut::<u8>(text);
        // SAFETY: behind them is room for each entry and a zero.
        unsafe { ptr::copy_nonoverlapping(entry.as_ptr(), to, entry.len()) };
        text += entry.len() + 1;
    }
    Some(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_copied_with_their_array() {
        let entries: [&'static [u8]; 3] = [b"A=1", b"", b"LONG=value with spaces"];
        let base = copy(entries.into_iter()).unwrap();
        let array = ptr::with_exposed_provenance::<[usize; 4]>(base);
        // SAFETY: written by `copy`: a word for each, and a null.
        let array = unsafe { array.read() };
        for (at, entry) in array.into_iter().zip(entries) {
            // SAFETY: as above: a C string.
            let string = unsafe { CStr::from_ptr(ptr::with_exposed_provenance(at)) };
            assert_eq!(string.to_bytes(), entry);
        }
        assert_eq!(array[3], 0);
    }
}
