//! This process and this thread: numbers, environment, exit.
//!
//! Layer 1.  Plane: failure.

use core::ffi::{CStr, c_char};

/// The kernel's number of this process.
pub(crate) fn pid() -> u32 {
    // SAFETY: `getpid` has no preconditions.
    unsafe { libc::getpid() as u32 }
}

/// The kernel's number of this thread.
pub(crate) fn tid() -> u32 {
    // SAFETY: `gettid` takes no argument.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}

/// Whether no thread of this process has the number `tid` any more. `false` if the kernel does not
/// say.
pub(crate) fn is_gone(tid: u32) -> bool {
    // SAFETY: numbers; no signal is sent.
    unsafe { libc::syscall(libc::SYS_tgkill, pid(), tid, 0) != 0 && errno() == libc::ESRCH }
}

/// Ends the process at once, with no handler and no destructor.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(status) }
}

/// This thread's `errno`.
pub(crate) fn errno() -> i32 {
    // SAFETY: no preconditions.
    let word = unsafe { libc::__errno_location() };
    // SAFETY: the C library returns a valid pointer to this thread's own word.
    unsafe { *word }
}

/// Sets this thread's `errno`.
pub(crate) fn set_errno(value: i32) {
    // SAFETY: no preconditions.
    let word = unsafe { libc::__errno_location() };
    // SAFETY: as in `errno`.
    unsafe { *word = value }
}

/// Whether the kernel asks for distrust of the environment: a set-user-ID program, or one with
/// capabilities of its file (`AT_SECURE`, getauxval(3)).
pub(crate) fn is_secure() -> bool {
    // SAFETY: `getauxval` has no preconditions.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// The environment's entries, `NAME=value`, without the final zero.
///
/// They live in memory that a later `setenv` may free: to be read at start only.
pub(crate) fn environment() -> impl Iterator<Item = &'static [u8]> + Clone {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    // SAFETY: the C library sets `environ` before any constructor runs, to null or to an array.
    let mut at = unsafe { environ };
    core::iter::from_fn(move || {
        if at.is_null() {
            return None;
        }
        // SAFETY: `at` points into the array, at or before its null.
        let entry = unsafe { *at };
        if entry.is_null() {
            return None;
        }
        // SAFETY: the null is not reached, so one further is still in the array.
        at = unsafe { at.add(1) };
        // SAFETY: an entry of the environment is a C string; start-up is before anybody frees it.
        Some(unsafe { CStr::from_ptr(entry) }.to_bytes())
    })
}

/// Whether this code is part of the program itself, and not of a shared library that some other
/// program has loaded.
pub(crate) fn in_executable() -> bool {
    let here = in_executable as fn() -> bool as usize;
    program_segments().is_none_or(|(low, high)| (low..high).contains(&here))
}

/// Keeps the shared library that this code is in loaded for good: handlers and destructors that
/// are registered cannot all be taken back. `false` if the loader refuses. It uses the C library's
/// `malloc`.
pub(crate) fn stay_loaded() -> bool {
    let here = in_executable as fn() -> bool as *const libc::c_void;
    let mut found = core::mem::MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: the address is of this code; the result is writable.
    if unsafe { libc::dladdr(here, found.as_mut_ptr()) } == 0 {
        return false;
    }
    // SAFETY: filled, as the result says.
    let name = unsafe { found.assume_init() }.dli_fname;
    let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
    // SAFETY: the loader's own name of a library that it has loaded; NOLOAD runs none of its code.
    !unsafe { libc::dlopen(name, flags) }.is_null()
}

/// The address range of the program's own segments, from the headers that the kernel points to;
/// `None` if there can be nothing else.
fn program_segments() -> Option<(usize, usize)> {
    // SAFETY: `getauxval` has no preconditions.
    let phdr = unsafe { libc::getauxval(libc::AT_PHDR) } as usize;
    // SAFETY: as above.
    let count = unsafe { libc::getauxval(libc::AT_PHNUM) } as usize;
    if phdr == 0 || count == 0 {
        return None;
    }
    // SAFETY: the kernel gives the address and number of the program's headers, which stay mapped.
    let headers = unsafe {
        core::slice::from_raw_parts(
            core::ptr::with_exposed_provenance::<libc::Elf64_Phdr>(phdr),
            count,
        )
    };
    let has = |kind| headers.iter().find(|h| h.p_type == kind);
    // Where the program was loaded: the headers' own entry says where they meant to be. Without
    // one, and without a loader, all there is is the program.
    let base = match (has(libc::PT_PHDR), has(libc::PT_INTERP)) {
        (Some(table), _) => phdr.wrapping_sub(table.p_vaddr as usize),
        (None, None) => return None,
        (None, Some(_)) => 0,
    };
    let loaded = headers.iter().filter(|h| h.p_type == libc::PT_LOAD);
    loaded.fold(None, |range: Option<(usize, usize)>, h| {
        let low = base.wrapping_add(h.p_vaddr as usize);
        let high = low.wrapping_add(h.p_memsz as usize);
        Some(range.map_or((low, high), |(l, h)| (l.min(low), h.max(high))))
    })
}
