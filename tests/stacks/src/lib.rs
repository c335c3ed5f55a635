//! C code that uses stacks in ways that Rust does not.

use std::ffi::c_int;

/// The same code, as a shared library.
pub const LIBRARY: &str = env!("FRAMES_LIBRARY");

unsafe extern "C" {
    /// Recursion by small frames. Does not return.
    pub safe fn frames_small(depth: usize) -> usize;
    /// By frames of 64 KiB that nobody probes.
    pub safe fn frames_of_64_kib(depth: usize) -> usize;
    /// By frames of 3,000,000 bytes.
    pub safe fn frames_of_3_mb(depth: usize) -> usize;
    /// By frames of 100,000,000 bytes.
    pub safe fn frames_of_100_mb(depth: usize) -> usize;
    /// By one frame of so many bytes, touched first in its middle.
    pub safe fn frames_middle(bytes: usize) -> usize;
    /// By one frame that grows by so many bytes at a time.
    pub safe fn frames_alloca(bytes: usize) -> usize;
    /// Recursion whose leaf is `malloc`, from a place that is `padding` bytes further down.
    pub safe fn frames_malloc(padding: usize) -> usize;
    /// Calls `other`.
    pub safe fn frames_mutual(depth: usize, other: extern "C" fn(usize) -> usize) -> usize;
    /// Starts a thread of C code alone, which overflows, and does not return. `how`: 1 detached, 2
    /// without a guard, 3 by large frames.
    pub safe fn frames_thread(stack_bytes: usize, how: c_int) -> c_int;
    /// The same by `thrd_create`.
    pub safe fn frames_thrd() -> c_int;
    /// Whether threads of `thrd_create` get their arguments and return their results.
    pub safe fn frames_thrd_results() -> c_int;
    /// Whether a thread ends as it should by `pthread_exit`, or by cancellation.
    pub safe fn frames_unwind(cancel: c_int) -> c_int;
    /// Whether so many threads get their arguments and return their results.
    pub safe fn frames_arguments(threads: usize) -> c_int;
    /// The error of a thread that cannot be: before the kernel has made it, or after.
    pub safe fn frames_refused(after_its_birth: c_int) -> c_int;
}
