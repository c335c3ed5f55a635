//! Beside a library that has a `pthread_create` of its own: the program links, its function holds,
//! and threads of C are guarded from their first allocation on.

use std::os::unix::process::ExitStatusExt;

use failfast_alloc::FailFast;
use failfast_alloc_rows::child::{Ended, in_child};
use failfast_alloc_stacks::{frames_arguments, frames_unwind};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

/// Has the crash reporter linked, and its handlers installed after ours.
fn attach() -> crash_handler::CrashHandler {
    // SAFETY: the handler answers that nothing was handled, and does nothing.
    let event = unsafe {
        crash_handler::make_crash_event(|_: &crash_handler::CrashContext| {
            crash_handler::CrashEventResult::Handled(false)
        })
    };
    crash_handler::CrashHandler::attach(event).unwrap()
}

#[test]
fn threads_are_made_by_the_one_and_guarded_by_the_other() {
    let name = "threads_are_made_by_the_one_and_guarded_by_the_other";
    let ended = in_child(name, || {
        let handler = attach();
        assert_eq!(frames_arguments(128), 0);
        assert_eq!((frames_unwind(0), frames_unwind(1)), (0, 0));
        std::thread::spawn(|| drop(std::hint::black_box(vec![1_u8; 100]))).join().unwrap();
        drop(handler);
    });
    let Ended { status, err: text, .. } = ended;
    assert!(status.success(), "{status}: {text}");
}

#[test]
fn an_overflow_is_found_by_the_probe() {
    #[inline(never)]
    #[allow(unconditional_recursion, reason = "that is what it is for")]
    fn go_down(depth: u64) -> u64 {
        let here = std::hint::black_box(Box::new(depth));
        go_down(depth + 1) + *here
    }
    let ended = in_child("an_overflow_is_found_by_the_probe", || {
        let _handler = attach();
        let thread = std::thread::Builder::new().name("deep".into());
        let _ = thread.spawn(|| go_down(0)).unwrap().join();
    });
    let Ended { status, err: text, .. } = ended;
    assert_eq!(status.signal(), Some(libc::SIGABRT), "{text}");
    assert!(text.starts_with("failfast: stack overflow: thread `deep`"), "{text}");
}
