//! Where the system does not give what noticing an overflow needs: what still works, works; nothing
//! recurses, and nothing hangs.

#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "what makes a system hostile is several system calls"
)]

use std::ffi::c_void;
use std::hint::black_box;
use std::ptr::{null, null_mut};

use failfast_alloc::{FailFast, stack};
use failfast_alloc_overflows::cases;
use failfast_alloc_overflows::judge::{self, in_thread, set_hook};
use failfast_alloc_suite::{End, Scenario, plain, refuse, run};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

const REPORT: &[(&str, &str)] = &[("FAILFAST_REPORT", "fd:2")];

/// A thread would have the C library map a heap of its own.
const ONE_ARENA: Option<(&str, &str)> = Some(("MALLOC_ARENA_MAX", "1"));

const SCENARIOS: &[Scenario] = &[
    main_dies("thousands_of_mappings_on_main", || {
        map_thousands();
        by_guard();
    }),
    main_dies("thousands_of_mappings_on_main_by_allocation", || {
        map_thousands();
        by_allocation();
    }),
    thread_dies("thousands_of_mappings_on_a_thread", || {
        map_thousands();
        in_thread(by_guard);
    }),
    thread_dies("thousands_of_mappings_on_a_thread_by_allocation", || {
        map_thousands();
        in_thread(by_allocation);
    }),
    plain("thousands_of_mappings_do_not_change_what_remains", || {
        let before = stack::remaining().unwrap();
        map_thousands();
        cases::json_clone(50);
        assert!(stack::remaining().unwrap().abs_diff(before) < 4096);
    }),
    without_proc("no_proc_on_main", by_guard),
    without_proc("no_proc_on_main_by_allocation", by_allocation),
    without_proc("no_proc_on_a_thread", || in_thread(by_guard)),
    without_proc("no_proc_on_a_thread_by_allocation", || in_thread(by_allocation)),
    Scenario {
        before_exec: Some(|| refuse(&[libc::SYS_ioctl])),
        ..main_dies("ioctl_refused", by_guard)
    },
    Scenario {
        before_exec: Some(|| refuse(&[libc::SYS_sigaltstack])),
        ..main_dies("sigaltstack_refused_on_main", by_allocation)
    },
    Scenario {
        before_exec: Some(|| refuse(&[libc::SYS_sigaltstack])),
        ..thread_dies("sigaltstack_refused_on_a_thread", || in_thread(by_allocation))
    },
    Scenario {
        before_exec: Some(|| refuse(&[libc::SYS_sigaltstack])),
        end: End::Killed(libc::SIGSEGV),
        ..plain("sigaltstack_refused_and_nothing_allocates", by_guard)
    },
    Scenario {
        before_exec: Some(|| refuse(&[libc::SYS_sigaltstack])),
        ..plain("sigaltstack_refused_and_nothing_overflows", shallow)
    },
    Scenario {
        set: ONE_ARENA,
        ..thread_dies("no_room_for_an_alternate_stack", || {
            without_room(|| {
                name_thread();
                set_hook();
                black_box(allocating_and_freeing(0));
            });
        })
    },
    Scenario {
        set: ONE_ARENA,
        ..plain("no_room_for_an_alternate_stack_and_nothing_overflows", || without_room(shallow))
    },
];

fn main() -> std::process::ExitCode {
    run(SCENARIOS)
}

const fn main_dies(name: &'static str, f: fn()) -> Scenario {
    Scenario { env: REPORT, end: End::AbortAnd(judge::on_main), ..plain(name, f) }
}

const fn thread_dies(name: &'static str, f: fn()) -> Scenario {
    Scenario { env: REPORT, end: End::AbortAnd(judge::on_thread), ..plain(name, f) }
}

const fn without_proc(name: &'static str, f: fn()) -> Scenario {
    let end = End::AbortAnd(judge::without_proc);
    Scenario { env: REPORT, end, before_exec: Some(hide_proc), ..plain(name, f) }
}

/// Recursion that never allocates on its way down.
fn by_guard() {
    set_hook();
    cases::boxes_debug(1_000_000);
}

/// Recursion that allocates in each frame.
fn by_allocation() {
    set_hook();
    cases::json_clone(1_000_000);
}

/// Recursion in which each frame allocates, and gives it back before it goes on.
#[inline(never)]
#[expect(unconditional_recursion, reason = "that is what it is for")]
fn allocating_and_freeing(depth: u64) -> u64 {
    drop(black_box(Box::new(depth)));
    allocating_and_freeing(depth + 1) + black_box(depth)
}

fn shallow() {
    set_hook();
    cases::json_clone(50);
    cases::boxes_debug(50);
}

/// Maps so many pages that each is a mapping of its own.
fn map_thousands() {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    for n in 0..3000 {
        // Neighbours with the same access would be one mapping.
        let access = if n % 2 == 0 { libc::PROT_READ } else { libc::PROT_NONE };
        // SAFETY: new mappings, which nobody uses.
        let at = unsafe { libc::mmap(null_mut(), 4096, access, flags, -1, 0) };
        assert_ne!(at, libc::MAP_FAILED);
    }
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    assert!(maps.lines().count() > 3000);
}

/// Has the process begin without `/proc`, in a namespace of its own. Where that cannot be had, it
/// keeps it.
fn hide_proc() {
    let private = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: C strings and numbers; system calls alone.
    unsafe {
        if libc::unshare(libc::CLONE_NEWNS) == 0
            && libc::mount(null(), c"/".as_ptr(), null(), private, null()) == 0
        {
            let kind = c"tmpfs".as_ptr();
            libc::mount(kind, c"/proc".as_ptr(), kind, 0, null());
        }
    }
}

/// Runs `f` in a thread of C, on a stack that was there before, when there is no room for any other
/// mapping.
fn without_room(f: fn()) {
    extern "C" fn begin(f: *mut c_void) -> *mut c_void {
        // SAFETY: what `pthread_create` was given: a function of this type.
        let f = unsafe { std::mem::transmute::<*mut c_void, fn()>(f) };
        f();
        null_mut()
    }
    const STACK_BYTES: usize = 2 << 20;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping.
    let memory = unsafe { libc::mmap(null_mut(), STACK_BYTES, access, flags, -1, 0) };
    assert_ne!(memory, libc::MAP_FAILED);
    drop(black_box(vec![1_u8; 100_000])); // What the heap needs is there.
    // SAFETY: complete attributes; the stack is the thread's alone; all results are writable.
    unsafe {
        let (mut attributes, mut thread) = (std::mem::zeroed(), 0);
        assert_eq!(libc::pthread_attr_init(&mut attributes), 0);
        assert_eq!(libc::pthread_attr_setstack(&mut attributes, memory, STACK_BYTES), 0);
        let none = libc::rlimit { rlim_cur: 4096, rlim_max: 4096 };
        assert_eq!(libc::setrlimit(libc::RLIMIT_AS, &none), 0);
        assert_eq!(libc::mmap(null_mut(), 65536, access, flags, -1, 0), libc::MAP_FAILED);
        let f = f as *mut c_void;
        assert_eq!(libc::pthread_create(&mut thread, &attributes, begin, f), 0);
        assert_eq!(libc::pthread_join(thread, null_mut()), 0);
    }
}

fn name_thread() {
    let name = std::ffi::CString::new(judge::THREAD).unwrap();
    // SAFETY: a C string, shorter than the kernel's 16 bytes.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}
