//! In a program that links the crate and has another allocator, `pthread_create` is passed on as it
//! is: nothing is done to its threads.

use std::ffi::c_void;
use std::os::unix::process::ExitStatusExt;

use failfast_alloc_rows::child::in_child;
use failfast_alloc_stacks::{frames_arguments, frames_thread, frames_unwind};

extern "C" fn has_no_alternate_stack(_: *mut c_void) -> *mut c_void {
    let mut now = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: 0, ss_size: 0 };
    // SAFETY: the result is writable.
    unsafe { libc::sigaltstack(std::ptr::null(), &mut now) };
    std::ptr::without_provenance_mut((now.ss_flags & libc::SS_DISABLE) as usize)
}

#[test]
fn threads_of_c_are_as_they_were() {
    // The crate is there, and its `pthread_create` with it.
    assert!(failfast_alloc::stack::remaining().is_some());
    assert_eq!(frames_arguments(128), 0);
    assert_eq!((frames_unwind(0), frames_unwind(1)), (0, 0));
    let (mut thread, mut result) = (0, std::ptr::null_mut());
    let (none, nothing) = (std::ptr::null(), std::ptr::null_mut());
    // SAFETY: the function is of the right type; no attributes.
    let made = unsafe { libc::pthread_create(&mut thread, none, has_no_alternate_stack, nothing) };
    assert_eq!(made, 0);
    // SAFETY: made above, and joined once.
    assert_eq!(unsafe { libc::pthread_join(thread, &mut result) }, 0);
    assert_eq!(result.addr(), libc::SS_DISABLE as usize);
}

#[test]
fn their_overflow_is_an_ordinary_fault() {
    let name = "their_overflow_is_an_ordinary_fault";
    let ended = in_child(name, || _ = frames_thread(1 << 20, 0));
    assert_eq!(ended.status.signal(), Some(libc::SIGSEGV), "{ended:?}");
}
