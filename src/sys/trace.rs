//! Stopping threads that heed no signal, as debuggers do.
//!
//! Layer 1.  Plane: failure.
//!
//! By raw system calls: what calls them shares the memory of a process that is dying, and has no
//! thread-local storage of its own.

use super::raw;

/// Blocks every signal in the calling thread, which may have no thread-local storage.
pub(crate) fn block_all_signals() {
    let all = !0_u64;
    let set = (&raw const all).expose_provenance();
    let args = [libc::SIG_SETMASK as usize, set, 0, size_of_val(&all), 0, 0];
    // SAFETY: a complete set.
    unsafe { raw::call(libc::SYS_rt_sigprocmask, args) };
}

/// Has this process end when the thread that made it does. `false` if that has ended already:
/// `parent` is the process that it is of.
pub(crate) fn end_with_parent(parent: u32) -> bool {
    let args = [libc::PR_SET_PDEATHSIG as usize, libc::SIGKILL as usize, 0, 0, 0, 0];
    // SAFETY: numbers only.
    let is_set = unsafe { raw::call(libc::SYS_prctl, args) } == 0;
    // SAFETY: no arguments.
    is_set && unsafe { raw::call(libc::SYS_getppid, [0; 6]) } == parent as isize
}

/// Lets `process` trace this one, where the kernel asks for consent (Yama, ptrace(2)). Where it
/// does not, nothing happens.
pub(crate) fn consent_to(process: u32) {
    let args = [libc::PR_SET_PTRACER as usize, process as usize, 0, 0, 0, 0];
    // SAFETY: numbers only.
    unsafe { raw::call(libc::SYS_prctl, args) };
}

/// Has `thread`, of another process, stop for good, whatever it does; and be killed, with all of
/// its process, if this process should end before. `false` if the kernel refuses.
pub(crate) fn seize(thread: u32) -> bool {
    let options = libc::PTRACE_O_EXITKILL as usize;
    ptrace(libc::PTRACE_SEIZE as usize, thread, options)
        && ptrace(libc::PTRACE_INTERRUPT as usize, thread, 0)
}

fn ptrace(request: usize, thread: u32, data: usize) -> bool {
    let args = [request, thread as usize, 0, data, 0, 0];
    // SAFETY: both requests take numbers only.
    unsafe { raw::call(libc::SYS_ptrace, args) == 0 }
}

/// What became of a thread that was seized.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// It runs no instruction any more.
    Stopped(u32),
    /// It has ended.
    Ended,
}

/// What became of one of those that were seized, if there is news. The end of one is told once, and
/// only then is it really gone.
pub(crate) fn answer() -> Option<Answer> {
    let mut status = 0_i32;
    let options = (libc::__WALL | libc::WNOHANG) as usize;
    let any = usize::MAX;
    let args = [any, (&raw mut status).expose_provenance(), options, 0, 0, 0];
    // SAFETY: the status is writable.
    let thread = unsafe { raw::call(libc::SYS_wait4, args) };
    let thread = u32::try_from(thread).ok().filter(|&thread| thread != 0)?;
    Some(if libc::WIFSTOPPED(status) { Answer::Stopped(thread) } else { Answer::Ended })
}

/// Ends this process, which is none that anybody waits for.
pub(crate) fn end() -> ! {
    loop {
        // SAFETY: a number.
        unsafe { raw::call(libc::SYS_exit_group, [0; 6]) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_blocks_everything_stops_and_goes_with_its_tracer() {
        let counted = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn();
        let mut child = counted.unwrap();
        // A tracer of its own, since it is the thread that has made them whose children they are.
        let thread = std::thread::spawn({
            let number = child.id();
            move || {
                if !seize(number) {
                    return false;
                }
                // SAFETY: only ours: `answer` would take the children of other tests.
                let got = unsafe {
                    let mut status = 0;
                    libc::waitpid(number as i32, &raw mut status, libc::__WALL);
                    libc::WIFSTOPPED(status)
                };
                assert!(got);
                true
            }
        });
        let was_seized = thread.join().unwrap();
        if was_seized {
            // `PTRACE_O_EXITKILL`: the tracer, a thread, has ended.
            let status = child.wait().unwrap();
            assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGKILL));
        } else {
            eprintln!("SKIPPED: no process may be traced here");
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
