//! What rows do things with.

use std::ffi::{c_int, c_void};
use std::hint::black_box;

use failfast_alloc::{Report, set_abort_hook};

use crate::outcome::{SKIPPED, SKIPPED_STATUS};
use crate::witness::{self, HOOK_BEGAN, HOOK_ENDED};

/// Dies.
pub(crate) fn fail() -> ! {
    failfast_alloc::fail_fast("enough")
}

/// The line of `fail` on the main thread.
pub(crate) const FAILED: &str = "failfast: requested: enough (thread `main`, pid <pid>)";

/// Sets a hook, and counts how often it begins and ends.
pub(crate) fn set_hook(hook: impl Fn(&Report) + Send + Sync + 'static) {
    witness::open();
    let counted = move |report: &Report| {
        witness::count(HOOK_BEGAN);
        hook(report);
        witness::count(HOOK_ENDED);
    };
    // SAFETY: shared memory, and what the rows are about.
    unsafe { set_abort_hook(counted) };
}

/// Sets a hook that writes down how far other threads have counted, and then gives them time.
pub(crate) fn set_watching_hook() {
    set_hook(|_| {
        witness::sample();
        linger();
    });
}

/// Where the stack of the thread that failed was.
pub(crate) fn stack_pointer_of(report: &Report) -> usize {
    let context = report.context().cast::<libc::ucontext_t>();
    assert!(!context.is_null());
    // SAFETY: a `ucontext_t` while the hook runs.
    let machine = unsafe { &(*context).uc_mcontext };
    #[cfg(target_arch = "x86_64")]
    let pointer = machine.gregs[libc::REG_RSP as usize] as usize;
    #[cfg(target_arch = "aarch64")]
    let pointer = machine.sp as usize;
    pointer
}

/// Gives other threads time, if there are any that go on: a few milliseconds of two processors.
pub(crate) fn linger() {
    for _ in 0..10 {
        let time = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
        // SAFETY: a complete time.
        unsafe { libc::nanosleep(&time, std::ptr::null_mut()) };
    }
}

/// Ends a child that cannot do what its row is about.
pub(crate) fn skip(why: &str) -> ! {
    let error = std::io::Error::last_os_error();
    eprintln!("{SKIPPED}{why} ({error})");
    // SAFETY: no preconditions.
    unsafe { libc::_exit(SKIPPED_STATUS) }
}

/// Blocks every signal, as far as the C library lets it.
pub(crate) fn block_all() {
    // SAFETY: a complete set.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, std::ptr::null_mut());
    }
}

/// Blocks every signal, those of the C library included.
pub(crate) fn block_all_raw() {
    let all = u64::MAX;
    let none = std::ptr::null_mut::<u64>();
    // SAFETY: a complete set of the kernel's.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &all, none, 8) };
}

/// Does nothing, for ever, in user space.
pub(crate) fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// Sets a limit of the process, between fork and exec too.
pub(crate) fn set_limit(which: libc::__rlimit_resource_t, value: libc::rlim_t) {
    let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: a complete limit.
    assert_eq!(unsafe { libc::setrlimit(which, &limit) }, 0);
}

/// What is done on `signal`, without a handler of ours being asked.
pub(crate) fn on_signal(signal: c_int, handler: usize, flags: c_int) {
    // SAFETY: zeroes are a valid action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: a complete action.
    assert_eq!(unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) }, 0);
}

/// Recursion by small frames that never allocates. Does not return.
pub(crate) fn overflow_by_small_frames() {
    #[inline(never)]
    #[allow(unconditional_recursion, reason = "that is what it is for")]
    fn go_down(depth: u64) -> u64 {
        let here = black_box([depth; 4]);
        go_down(depth + 1) + black_box(here)[0]
    }
    black_box(go_down(0));
}

/// Recursion by frames of 256 KiB. Does not return.
pub(crate) fn overflow_by_big_frames() {
    #[inline(never)]
    #[allow(unconditional_recursion, reason = "that is what it is for")]
    fn go_down(depth: u64) -> u64 {
        let here = black_box([depth; 32 * 1024]);
        go_down(depth + 1) + black_box(here)[depth as usize % 7]
    }
    black_box(go_down(0));
}

/// Recursion that allocates in each frame, and so is seen by the probe. Does not return.
pub(crate) fn overflow_by_allocation() {
    #[inline(never)]
    #[allow(unconditional_recursion, reason = "that is what it is for")]
    fn go_down(depth: u64) -> u64 {
        let here = black_box(Box::new(depth));
        go_down(depth + 1) + *here
    }
    black_box(go_down(0));
}

/// Uses `bytes` of stack in small frames that allocate, and returns.
pub(crate) fn use_stack(bytes: usize) {
    #[inline(never)]
    fn go_down(to: usize) -> u64 {
        let frame = black_box([1_u8; 512]);
        let boxed = black_box(Box::new(frame[0]));
        let rest = if frame.as_ptr() as usize > to { go_down(to) } else { 0 };
        rest + u64::from(*boxed)
    }
    let here = black_box(0_u8);
    black_box(go_down((&raw const here) as usize - bytes));
}

/// Uses `bytes` of stack in small frames that never allocate, and does `f` down there.
pub(crate) fn at_depth(bytes: usize, f: fn()) {
    #[inline(never)]
    fn go_down(to: usize, f: fn()) -> u64 {
        let frame = black_box([1_u8; 512]);
        if frame.as_ptr() as usize > to {
            return go_down(to, f) + u64::from(black_box(frame)[7]);
        }
        f();
        0
    }
    let here = black_box(0_u8);
    black_box(go_down((&raw const here) as usize - bytes, f));
}

/// This thread's stack: its lowest address, its highest, and the size of its guard.
pub(crate) fn bounds() -> (usize, usize, usize) {
    let (mut low, mut size, mut guard) = (std::ptr::null_mut(), 0, 0);
    // SAFETY: this thread's own handle, and room for the results.
    unsafe {
        let mut attributes = std::mem::zeroed();
        assert_eq!(libc::pthread_getattr_np(libc::pthread_self(), &mut attributes), 0);
        libc::pthread_attr_getstack(&attributes, &mut low, &mut size);
        libc::pthread_attr_getguardsize(&attributes, &mut guard);
        libc::pthread_attr_destroy(&mut attributes);
    }
    (low as usize, low as usize + size, guard)
}

/// Sets the limit of the first thread's stack.
pub(crate) fn set_stack_limit(bytes: libc::rlim_t) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the result is writable.
    unsafe { libc::getrlimit(libc::RLIMIT_STACK, &mut limit) };
    limit.rlim_cur = bytes;
    // SAFETY: a complete limit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_STACK, &limit) }, 0);
}

/// Runs `f` in a forked child, and returns its wait status.
pub(crate) fn in_fork(f: impl FnOnce()) -> c_int {
    // SAFETY: the child does what the row is about.
    let child = unsafe { libc::fork() };
    if child == 0 {
        f();
        // SAFETY: no preconditions.
        unsafe { libc::_exit(0) };
    }
    wait(child)
}

/// Runs `f` as the first process of a new namespace, and returns its wait status. `/proc` is its
/// own there, or that of the processes outside.
pub(crate) fn in_pid_namespace(with_proc: bool, f: impl FnOnce()) -> c_int {
    // SAFETY: numbers.
    if unsafe { libc::unshare(libc::CLONE_NEWPID | libc::CLONE_NEWNS) } != 0 {
        skip("no namespaces");
    }
    in_fork(|| {
        if with_proc && !mount_over_proc(c"proc") {
            skip("no /proc of its own");
        }
        f();
    })
}

/// Mounts such a file system over `/proc`, for this namespace alone.
pub(crate) fn mount_over_proc(kind: &std::ffi::CStr) -> bool {
    let (null, kind) = (std::ptr::null(), kind.as_ptr());
    let private = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: C strings and numbers.
    unsafe {
        libc::mount(null, c"/".as_ptr(), null, private, null.cast()) == 0
            && libc::mount(kind, c"/proc".as_ptr(), kind, 0, null.cast()) == 0
    }
}

/// Waits for a child.
pub(crate) fn wait(child: libc::pid_t) -> c_int {
    let mut status = -1;
    // SAFETY: a child of ours; the status is writable.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    status
}

/// Whether the kernel lets a process be traced by one that it has consented to.
pub(crate) fn may_trace() -> bool {
    static MAY: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *MAY.get_or_init(|| {
        if std::env::var_os(crate::run::ROW).is_some() {
            return true; // A child has only its body to run, not to be judged.
        }
        // SAFETY: the child waits, and is ended.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                loop {
                    libc::pause();
                }
            }
            let may = libc::ptrace(libc::PTRACE_SEIZE, child, 0, libc::PTRACE_O_EXITKILL) == 0;
            libc::kill(child, libc::SIGKILL);
            libc::waitpid(child, std::ptr::null_mut(), libc::__WALL);
            if !may {
                eprintln!(
                    "death: SKIPPED proof of those that heed no signal: no process may be traced"
                );
            }
            may
        }
    })
}

/// Runs `f` on a stack of `bytes` of its own, as a fiber does, and comes back.
pub(crate) fn on_fiber(bytes: usize, f: extern "C" fn()) {
    // SAFETY: a new mapping, large enough; the contexts outlive the switches.
    unsafe {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let page = 4096;
        let stack = libc::mmap(std::ptr::null_mut(), bytes + page, access, flags, -1, 0);
        assert_ne!(stack, libc::MAP_FAILED);
        libc::mprotect(stack, page, libc::PROT_NONE);
        let mut here: libc::ucontext_t = std::mem::zeroed();
        let mut there: libc::ucontext_t = std::mem::zeroed();
        assert_eq!(libc::getcontext(&mut there), 0);
        there.uc_stack.ss_sp = stack.byte_add(page);
        there.uc_stack.ss_size = bytes;
        there.uc_link = &mut here;
        libc::makecontext(&mut there, f, 0);
        assert_eq!(libc::swapcontext(&mut here, &there), 0);
        libc::munmap(stack, bytes + page);
    }
}

/// Runs `f` in a child that shares our memory, as `vfork` makes them.
pub(crate) fn in_our_memory(f: extern "C" fn(*mut c_void) -> c_int) -> c_int {
    let mut stack = vec![0_u8; 256 * 1024];
    let top = stack.as_mut_ptr_range().end.map_addr(|address| address & !15);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack is the child's until it ends, which `CLONE_VFORK` waits for.
    let child = unsafe { libc::clone(f, top.cast(), flags, std::ptr::null_mut()) };
    assert!(child > 0);
    wait(child)
}

/// What `siglongjmp` does: goes on elsewhere, with no signal blocked.
pub(crate) fn jump_to(f: extern "C" fn()) {
    // SAFETY: a new mapping; the context is complete when it is used, and nobody comes back.
    unsafe {
        let (bytes, access) = (256 << 10, libc::PROT_READ | libc::PROT_WRITE);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let stack = libc::mmap(std::ptr::null_mut(), bytes, access, flags, -1, 0);
        let mut there: libc::ucontext_t = std::mem::zeroed();
        assert_eq!(libc::getcontext(&mut there), 0);
        (there.uc_stack.ss_sp, there.uc_stack.ss_size) = (stack, bytes);
        libc::sigemptyset(&mut there.uc_sigmask);
        libc::makecontext(&mut there, f, 0);
        libc::setcontext(&there);
    }
}
