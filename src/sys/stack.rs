//! Where the running thread's stack is.
//!
//! Layer 1.  Plane: failure.
//!
//! The first thread's stack has no end but what the kernel decides when it grows: not past the
//! limit (`RLIMIT_STACK`, which may change at any time), and not close to another mapping. So its
//! end is worked out from both, each time it matters.

use core::mem::MaybeUninit;
use core::ptr;

use super::facts::read_file;
use super::memory::page_bytes;

/// A stack.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Bounds {
    /// Its lowest address, or how far it may still grow.
    pub(crate) low: usize,
    /// The address past its highest byte.
    pub(crate) high: usize,
    /// The size of the guard below `low`; for the first thread's, how far down the kernel keeps
    /// others away from it.
    pub(crate) guard_bytes: usize,
}

/// How much the kernel leaves free between a growing stack and what is mapped below it
/// (`stack_guard_gap`), in pages.
const GAP_PAGES: usize = 256;

/// An address on the first thread's stack, above all of its frames: the program's path, which the
/// kernel puts there.
pub(crate) fn mark_of_first() -> usize {
    // SAFETY: no preconditions.
    unsafe { libc::getauxval(libc::AT_EXECFN) as usize }
}

/// The first thread's stack, as its limit and its neighbours are now.
pub(crate) fn of_first() -> Option<Bounds> {
    let around = Around::find(mark_of_first());
    let gap = GAP_PAGES * page_bytes();
    let (high, may_grow_to, is_at) = match around {
        Some(Around { below, low, high, .. }) => (high, below.saturating_add(gap), low),
        // No /proc: the mark is on the highest page but, at most, one.
        None => {
            let mark = mark_of_first();
            let high = (mark != 0).then(|| (mark + 1).next_multiple_of(page_bytes()))?;
            (high, 0, high)
        }
    };
    let by_limit = high.checked_sub(limit_bytes()?);
    if by_limit.is_none() && around.is_none() {
        return None;
    }
    // What is mapped already stays usable, even where the limit was lowered below it.
    let low = by_limit.unwrap_or(0).max(may_grow_to).min(is_at);
    Some(Bounds { low, high, guard_bytes: gap })
}

/// The stack of the running thread, by the C library, which uses its own `malloc` for it.
pub(crate) fn of_this_thread() -> Option<Bounds> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: no preconditions.
    let this_thread = unsafe { libc::pthread_self() };
    // SAFETY: a thread's own handle; there is room for the result.
    let known = unsafe { libc::pthread_getattr_np(this_thread, attributes.as_mut_ptr()) };
    if known != 0 {
        return None;
    }
    let (mut low, mut size, mut guard_bytes) = (ptr::null_mut(), 0, 0);
    let attributes = attributes.as_mut_ptr();
    // SAFETY: filled above; the results are writable. So in the next two.
    let has_stack =
        unsafe { libc::pthread_attr_getstack(attributes, &raw mut low, &raw mut size) } == 0;
    // SAFETY: as above.
    let has_guard =
        unsafe { libc::pthread_attr_getguardsize(attributes, &raw mut guard_bytes) } == 0;
    // SAFETY: as above; not used any more.
    unsafe { libc::pthread_attr_destroy(attributes) };
    let low = low.addr();
    (has_stack && has_guard).then_some(Bounds { low, high: low + size, guard_bytes })
}

/// Whether the first thread's limit lets its stack have `bytes`.
pub(crate) fn is_within_limit(bytes: usize) -> bool {
    limit_bytes().is_some_and(|limit| bytes <= limit)
}

/// `RLIMIT_STACK`; more than there are addresses if it is unlimited.
fn limit_bytes() -> Option<usize> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the result is writable.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) } == 0;
    known.then_some(usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX))
}

/// The stack whose end `address`, which cannot be used, may be: memory that can be written to, and
/// that begins at most `reach` bytes above. How far up it is a stack nobody knows but who made it.
pub(crate) fn just_above(address: usize, reach: usize) -> Option<Bounds> {
    let above = Around::search(|at| at.high > address && at.is_writable)?;
    // A guard that the kernel keeps within a mapping (`MADV_GUARD_INSTALL`) is not in its list.
    let low = above.low.max((address + 1).next_multiple_of(page_bytes()));
    let guard_bytes = low.checked_sub(address).filter(|&bytes| bytes <= reach)?;
    (low < above.high).then_some(Bounds { low, high: above.high, guard_bytes })
}

/// A mapping, and where the one below it ends.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Around {
    below: usize,
    low: usize,
    high: usize,
    is_writable: bool,
}

impl Around {
    /// The mapping that contains `address`.
    fn find(address: usize) -> Option<Self> {
        Self::search(|at| (at.low..at.high).contains(&address))
    }

    /// The first mapping that is `wanted`, from `/proc/self/maps`: lines `low-high rwxp …`,
    /// ascending.
    fn search(wanted: impl Fn(&Self) -> bool) -> Option<Self> {
        let mut scan = Scan::new(wanted);
        // Small: it may be a handler's, on an alternate stack of the least size.
        let all = read_file(c"/proc/self/maps", &mut [0; 512], |piece| scan.feed(piece));
        (all || scan.found).then_some(scan.around).filter(|_| scan.found)
    }
}

/// Reads the text of `/proc/self/maps`, in pieces of any size, up to one mapping.
struct Scan<F> {
    wanted: F,
    around: Around,
    found: bool,
    number: usize,
    /// 0: reading `low`; 1: reading `high`; 2: `r`; 3: `w`; 4: skipping the rest of the line.
    column: u8,
}

impl<F: Fn(&Around) -> bool> Scan<F> {
    fn new(wanted: F) -> Self {
        Self { wanted, around: Around::default(), found: false, number: 0, column: 0 }
    }

    fn feed(&mut self, piece: &[u8]) {
        piece.iter().for_each(|&byte| {
            if !self.found {
                self.take(byte);
            }
        });
    }

    fn take(&mut self, byte: u8) {
        match (self.column, byte) {
            (_, b'\n') => (self.column, self.number) = (0, 0),
            (0, b'-') => {
                (self.around.below, self.around.low) = (self.around.high, self.number);
                (self.column, self.number) = (1, 0);
            }
            (1, b' ') => (self.around.high, self.column) = (self.number, 2),
            (0 | 1, _) => {
                let digit = (byte as char).to_digit(16).unwrap_or(0) as usize;
                self.number = self.number << 4 | digit;
            }
            (2, _) => self.column = 3,
            (3, _) => {
                (self.around.is_writable, self.column) = (byte == b'w', 4);
                self.found = (self.wanted)(&self.around);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory::{map_guarded, unmap_guarded};
    use crate::sys::registers::stack_pointer;

    const MAPS: &str = "\
55d0-55e0 r-xp 00000000 fe:01 12  /usr/bin/a-b c
7f00-7f80 rw-p 00000000 00:00 0 
7ffd0000-7fff0000 rw-p 00000000 00:00 0                          [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
";

    #[test]
    fn finds_a_mapping_and_its_neighbour_in_pieces_of_any_size() {
        for size in 1..MAPS.len() {
            let mut scan = Scan::new(|at: &Around| (at.low..at.high).contains(&0x7ffe_ffff));
            MAPS.as_bytes().chunks(size).for_each(|piece| scan.feed(piece));
            assert!(scan.found);
            let (low, high) = (0x7ffd_0000, 0x7fff_0000);
            let expected = Around { below: 0x7f80, low, high, is_writable: true };
            assert_eq!(scan.around, expected, "pieces of {size}");
        }
    }

    #[test]
    fn an_address_that_is_not_mapped_is_not_found() {
        let mut scan = Scan::new(|at: &Around| (at.low..at.high).contains(&0x7fff_0000));
        scan.feed(MAPS.as_bytes());
        assert!(!scan.found);
    }

    #[test]
    fn finds_what_can_be_written_to_above_an_address() {
        let mut scan = Scan::new(|at: &Around| at.high > 0x55d1 && at.is_writable);
        scan.feed(MAPS.as_bytes());
        assert_eq!((scan.around.low, scan.around.high), (0x7f00, 0x7f80));
        let guarded = map_guarded(64 * 1024).unwrap();
        let above = just_above(guarded.base - 8, 4096).unwrap();
        assert_eq!((above.low, above.guard_bytes), (guarded.base, 8));
        assert_eq!(just_above(guarded.base - 9, 8), None, "too far away");
        // SAFETY: made above, used by nobody.
        unsafe { unmap_guarded(guarded) };
    }

    #[test]
    fn this_thread_is_within_its_bounds_and_not_within_the_first() {
        let (mine, first) = (of_this_thread().unwrap(), of_first().unwrap());
        assert!((mine.low..mine.high).contains(&stack_pointer()));
        assert!(!(first.low..first.high).contains(&stack_pointer()));
        assert!((first.low..first.high).contains(&mark_of_first()));
        assert!(mine.guard_bytes > 0);
    }
}
