//! The heavy half of an asymmetric fence.
//!
//! Layer 1.  Plane: data.

use core::mem::{size_of, zeroed};

use super::process::tid;

/// membarrier(2): what the kernel calls the two commands that are used here.
const PRIVATE_EXPEDITED: i32 = 1 << 3;
const REGISTER_PRIVATE_EXPEDITED: i32 = 1 << 4;

fn membarrier(command: i32) -> bool {
    // SAFETY: membarrier touches no memory of the caller's.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

/// Registers the process for [`fence`]. `false` if the kernel refuses. A microsecond while there is
/// one thread, milliseconds later; survives fork, not exec.
pub(crate) fn register() -> bool {
    membarrier(REGISTER_PRIVATE_EXPEDITED)
}

/// Makes every running thread of the process pass a full memory barrier. `false` if the kernel
/// refuses, which it may begin to do at any time (a seccomp filter).
pub(crate) fn fence() -> bool {
    membarrier(PRIVATE_EXPEDITED)
}

/// The same by migration: the calling thread visits every processor that any thread of the process
/// may run on. To be there, it must have displaced whoever ran there, and a context switch is a
/// full barrier. Slow, and needs `sched_setaffinity`; `false` if that is refused.
///
/// For the rare program in which the kernel begins to refuse `membarrier` after start.
pub(crate) fn fence_by_migration() -> bool {
    let Some(home) = affinity_of(0) else { return false };
    let Some(everywhere) = affinity_of_all_threads() else { return false };
    let processors = 8 * size_of::<libc::cpu_set_t>();
    let visited = (0..processors).filter(|&n| contains(&everywhere, n)).all(visit);
    // Back home, even if some processor was out of reach.
    set_affinity(&home) && visited
}

fn visit(processor: usize) -> bool {
    // SAFETY: all-zero is an empty set.
    let mut set: libc::cpu_set_t = unsafe { zeroed() };
    // SAFETY: `processor` is below the size of the set.
    unsafe { libc::CPU_SET(processor, &mut set) };
    // The call returns on the processor asked for.
    set_affinity(&set)
}

fn contains(set: &libc::cpu_set_t, processor: usize) -> bool {
    // SAFETY: callers pass numbers below the size of the set.
    unsafe { libc::CPU_ISSET(processor, set) }
}

/// The processors that a thread may run on; 0 is the calling one.
fn affinity_of(thread: i32) -> Option<libc::cpu_set_t> {
    // SAFETY: all-zero is an empty set.
    let mut set: libc::cpu_set_t = unsafe { zeroed() };
    // SAFETY: the pointer is to a set of the size given. A raw call: it returns bytes written.
    let result = unsafe {
        libc::syscall(
            libc::SYS_sched_getaffinity,
            thread,
            size_of::<libc::cpu_set_t>(),
            &raw mut set,
        )
    };
    (result > 0).then_some(set)
}

fn set_affinity(set: &libc::cpu_set_t) -> bool {
    // SAFETY: the pointer is to a set of the size given.
    unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), set) == 0 }
}

/// The processors that any thread of this process may run on.
fn affinity_of_all_threads() -> Option<libc::cpu_set_t> {
    let mut all = affinity_of(0)?;
    let me = tid() as i32;
    super::tasks::for_each(|thread| {
        // A thread that has just ended runs nowhere.
        if thread != me
            && let Some(set) = affinity_of(thread)
        {
            let processors = 8 * size_of::<libc::cpu_set_t>();
            for n in (0..processors).filter(|&n| contains(&set, n)) {
                // SAFETY: below the size of the set.
                unsafe { libc::CPU_SET(n, &mut all) };
            }
        }
    })
    .then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_fences_work_here() {
        assert!(register() && fence(), "this kernel has no membarrier");
        let home = affinity_of(0).unwrap();
        assert!(fence_by_migration());
        // SAFETY: two sets of equal type.
        assert!(unsafe { libc::CPU_EQUAL(&home, &affinity_of(0).unwrap()) }, "moved for good");
    }
}
