//! What rows do things with.

use std::ffi::{CStr, c_int, c_void};
use std::hint::black_box;

use crate::outcome::{SKIPPED, SKIPPED_STATUS};
use crate::witness::{self, HOOK_BEGAN, HOOK_ENDED};

/// What counts how often a hook begins and ends. A report is whatever the crate calls one.
pub fn counted<R>(hook: impl Fn(&R) + Send + Sync + 'static) -> impl Fn(&R) + Send + Sync {
    witness::open();
    move |report: &R| {
        witness::count(HOOK_BEGAN);
        hook(report);
        witness::count(HOOK_ENDED);
    }
}

/// Where the stack was, by a `ucontext_t` that is there for as long as the hook runs.
pub fn stack_pointer_in(context: *const c_void) -> usize {
    let context = context.cast::<libc::ucontext_t>();
    assert!(!context.is_null());
    // SAFETY: as above.
    let machine = unsafe { &(*context).uc_mcontext };
    #[cfg(target_arch = "x86_64")]
    let pointer = machine.gregs[libc::REG_RSP as usize] as usize;
    #[cfg(target_arch = "aarch64")]
    let pointer = machine.sp as usize;
    pointer
}

/// Gives other threads time, if there are any that go on: a few milliseconds of two processors.
pub fn linger() {
    for _ in 0..10 {
        let time = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
        // SAFETY: a complete time.
        unsafe { libc::nanosleep(&time, std::ptr::null_mut()) };
    }
}

/// Ends a child that cannot do what its row is about.
pub fn skip(why: &str) -> ! {
    let error = std::io::Error::last_os_error();
    eprintln!("{SKIPPED}{why} ({error})");
    // SAFETY: no preconditions.
    unsafe { libc::_exit(SKIPPED_STATUS) }
}

/// Blocks every signal, as far as the C library lets it.
pub fn block_all() {
    // SAFETY: a complete set.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, std::ptr::null_mut());
    }
}

/// Blocks every signal, those of the C library included.
pub fn block_all_raw() {
    let all = u64::MAX;
    let none = std::ptr::null_mut::<u64>();
    // SAFETY: a complete set of the kernel's.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &all, none, 8) };
}

/// Does nothing, for ever, in user space.
pub fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// Sets a limit of the process, between fork and exec too.
pub fn set_limit(which: libc::__rlimit_resource_t, value: libc::rlim_t) {
    let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: a complete limit.
    assert_eq!(unsafe { libc::setrlimit(which, &limit) }, 0);
}

/// What is done on `signal`, without a handler of ours being asked.
pub fn on_signal(signal: c_int, handler: usize, flags: c_int) {
    // SAFETY: zeroes are a valid action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: a complete action.
    assert_eq!(unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) }, 0);
}

/// What a variable says, for constructors that run before everything else and must not allocate;
/// empty if it is not set.
pub fn early(variable: &CStr) -> &'static [u8] {
    // SAFETY: a C string; nobody sets variables, and before `main` there is no second thread.
    let value = unsafe { libc::getenv(variable.as_ptr()) };
    if value.is_null() {
        return b"";
    }
    // SAFETY: the environment's strings are C strings, and stay.
    unsafe { CStr::from_ptr(value) }.to_bytes()
}

/// Writes a byte, wherever that is.
#[inline(never)]
pub fn write_to(address: usize) {
    // SAFETY: there is none; that is the point.
    unsafe { black_box(address as *mut u8).write_volatile(1) };
}

/// A page of a file that has none.
pub fn beyond_a_file() -> usize {
    // SAFETY: a C string, and a new mapping.
    unsafe {
        let fd = libc::memfd_create(c"empty".as_ptr(), 0);
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let at = libc::mmap(std::ptr::null_mut(), 4096, access, libc::MAP_SHARED, fd, 0);
        assert_ne!(at, libc::MAP_FAILED);
        at as usize
    }
}

/// Recursion by small frames that never allocates. Does not return.
pub fn overflow_by_small_frames() {
    #[inline(never)]
    #[allow(unconditional_recursion, reason = "that is what it is for")]
    fn go_down(depth: u64) -> u64 {
        let here = black_box([depth; 4]);
        go_down(depth + 1) + black_box(here)[0]
    }
    black_box(go_down(0));
}

/// Recursion by frames of 256 KiB. Does not return.
pub fn overflow_by_big_frames() {
    #[inline(never)]
    #[allow(unconditional_recursion, reason = "that is what it is for")]
    fn go_down(depth: u64) -> u64 {
        let here = black_box([depth; 32 * 1024]);
        go_down(depth + 1) + black_box(here)[depth as usize % 7]
    }
    black_box(go_down(0));
}

/// Recursion that allocates in each frame, and so is seen by the probe. Does not return.
pub fn overflow_by_allocation() {
    #[inline(never)]
    #[allow(unconditional_recursion, reason = "that is what it is for")]
    fn go_down(depth: u64) -> u64 {
        let here = black_box(Box::new(depth));
        go_down(depth + 1) + *here
    }
    black_box(go_down(0));
}

/// Uses `bytes` of stack in small frames that allocate, and returns.
pub fn use_stack(bytes: usize) {
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
pub fn at_depth(bytes: usize, f: fn()) {
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
pub fn bounds() -> (usize, usize, usize) {
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
pub fn set_stack_limit(bytes: libc::rlim_t) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the result is writable.
    unsafe { libc::getrlimit(libc::RLIMIT_STACK, &mut limit) };
    limit.rlim_cur = bytes;
    // SAFETY: a complete limit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_STACK, &limit) }, 0);
}

/// Runs `f` in a forked child, and returns its wait status.
pub fn in_fork(f: impl FnOnce()) -> c_int {
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
pub fn in_pid_namespace(with_proc: bool, f: impl FnOnce()) -> c_int {
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
pub fn mount_over_proc(kind: &CStr) -> bool {
    let (null, kind) = (std::ptr::null(), kind.as_ptr());
    let private = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: C strings and numbers.
    unsafe {
        libc::mount(null, c"/".as_ptr(), null, private, null.cast()) == 0
            && libc::mount(kind, c"/proc".as_ptr(), kind, 0, null.cast()) == 0
    }
}

/// Waits for a child.
pub fn wait(child: libc::pid_t) -> c_int {
    let mut status = -1;
    // SAFETY: a child of ours; the status is writable.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    status
}

/// Whether the kernel lets a process be traced by one that it has consented to.
pub fn may_trace() -> bool {
    static MAY: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *MAY.get_or_init(|| {
        if crate::requested().is_some() {
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
pub fn on_fiber(bytes: usize, f: extern "C" fn()) {
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
pub fn in_our_memory(f: extern "C" fn(*mut c_void) -> c_int) -> c_int {
    let mut stack = vec![0_u8; 256 * 1024];
    let top = stack.as_mut_ptr_range().end.map_addr(|address| address & !15);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack is the child's until it ends, which `CLONE_VFORK` waits for.
    let child = unsafe { libc::clone(f, top.cast(), flags, std::ptr::null_mut()) };
    assert!(child > 0);
    wait(child)
}

/// What `siglongjmp` does: goes on elsewhere, with no signal blocked.
pub fn jump_to(f: extern "C" fn()) {
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
