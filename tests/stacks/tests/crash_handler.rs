//! Beside a library that has a `pthread_create` of its own: the program links, its function holds,
//! and threads of C are guarded from their first allocation on.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use failfast_alloc::FailFast;
use failfast_alloc_stacks::{frames_arguments, frames_unwind};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

const CHILD: &str = "CRASH_HANDLER_CHILD";

fn in_child(name: &str, f: fn()) -> Option<(std::process::ExitStatus, String)> {
    if std::env::var_os(CHILD).is_some() {
        f();
        std::process::exit(0);
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env(CHILD, "yes").env("RUST_BACKTRACE", "0");
    let output = command.output().unwrap();
    Some((output.status, String::from_utf8_lossy(&output.stderr).into_owned()))
}

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
    let (status, text) = ended.unwrap();
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
    let (status, text) = ended.unwrap();
    assert_eq!(status.signal(), Some(libc::SIGABRT), "{text}");
    assert!(text.starts_with("failfast: stack overflow: thread `deep`"), "{text}");
}
