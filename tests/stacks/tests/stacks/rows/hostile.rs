//! Where the system does not give what it usually gives: limits, filters, no `/proc`, odd stacks.

use std::ffi::c_void;
use std::hint::black_box;

use failfast_alloc::stack;
use failfast_alloc_rows::witness::{self, FORBIDDEN};
use failfast_alloc_rows::{End, Row};
use failfast_alloc_stacks::frames_thread;

use super::c_threads::in_thread_of_c;
use super::{by_guard, by_probe, found, has_bytes, overflows};
use crate::tools::*;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = limits();
    rows.extend(refusals());
    rows.extend(stacks());
    rows
}

fn limits() -> Vec<Row> {
    vec![
        overflows("limit_of_256_kib", overflow_by_allocation)
            .before_exec(|| set_stack_limit(256 << 10))
            .check(by_probe),
        overflows("limit_of_256_kib_by_small_frames", overflow_by_small_frames)
            .before_exec(|| set_stack_limit(256 << 10))
            .check(by_guard),
        // The environment is in there too.
        overflows("limit_of_64_kib", overflow_by_allocation)
            .before_exec(|| set_stack_limit(64 << 10))
            .check(by_probe),
        overflows("limit_of_64_kib_by_small_frames", overflow_by_small_frames)
            .before_exec(|| set_stack_limit(64 << 10))
            .check(by_guard),
        overflows("a_mapping_below_the_first_stack", || {
            map_below_main();
            overflow_by_small_frames();
        })
        .check(below_main),
        overflows("a_mapping_below_the_first_stack_by_allocation", || {
            map_below_main();
            overflow_by_allocation();
        })
        // The probe knows of it only when it looks anew, which is further down.
        .check(|outcome| found(outcome, "guard", "thread")),
        overflows("a_mapping_below_the_first_stack_and_no_limit", || {
            map_below_main();
            overflow_by_small_frames();
        })
        .before_exec(|| set_stack_limit(libc::RLIM_INFINITY))
        .check(below_main),
        Row::silent("three_thousand_mappings", End::Exit(0), || {
            many_mappings();
            std::thread::spawn(|| use_stack(100 << 10)).join().unwrap();
            use_stack(4 << 20);
            assert!(stack::remaining().is_some());
        }),
        overflows("three_thousand_mappings_and_an_overflow", || {
            many_mappings();
            overflow_by_small_frames();
        })
        .check(by_guard),
    ]
}

/// Four MiB below the stack's upper end: what the kernel keeps free is a MiB above that.
fn map_below_main() {
    let (_, high, _) = bounds();
    let wanted = high - (4 << 20);
    // SAFETY: a new mapping, where there is none.
    unsafe {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
        let at = libc::mmap(wanted as *mut c_void, 4096, access, flags, -1, 0);
        assert_eq!(at as usize, wanted);
    }
}

fn below_main(outcome: &failfast_alloc_rows::Outcome) {
    found(outcome, "guard", "thread");
    // The upper end is known to the page by the kernel alone.
    let size = super::stack_bytes(outcome);
    assert!(size.abs_diff(3 << 20) < 32 << 10, "{size}");
}

fn many_mappings() {
    for i in 0..3000 {
        // SAFETY: a new mapping; neighbours of different access are not joined.
        unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let access = if i % 2 == 0 { libc::PROT_READ } else { libc::PROT_NONE };
            let at = libc::mmap(std::ptr::null_mut(), 4096, access, flags, -1, 0);
            assert_ne!(at, libc::MAP_FAILED);
        }
    }
}

fn refusals() -> Vec<Row> {
    vec![
        // By its limit the first thread's stack is known without /proc; a thread's is anyway.
        without_proc("no_proc_and_main_by_small_frames", overflow_by_small_frames),
        without_proc("no_proc_and_main_by_allocation", overflow_by_allocation),
        without_proc("no_proc_and_a_thread_by_small_frames", || {
            let _ = std::thread::spawn(overflow_by_small_frames).join();
        }),
        without_proc("no_proc_and_a_fiber", || on_fiber(128 << 10, overflow)),
        overflows("no_sigaltstack_and_the_probe", || {
            witness::open();
            refuse(libc::SYS_sigaltstack);
            in_thread_of_c(1 << 20, overflow_by_allocation);
        })
        .check(by_probe),
        Row::silent("no_sigaltstack_leaves_no_mapping", End::Exit(0), || {
            refuse(libc::SYS_sigaltstack);
            let lines = || std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
            in_thread_of_c(1 << 20, || drop(black_box(Box::new(1))));
            let before = lines();
            (0..50).for_each(|_| in_thread_of_c(1 << 20, || drop(black_box(Box::new(1)))));
            assert!(lines() < before + 10, "{before} mappings, then {}", lines());
        }),
        overflows("no_tgkill_to_see_who_is_gone", || {
            witness::open();
            set_hook(|_| {});
            refuse(libc::SYS_tgkill);
            (0..300).for_each(|_| in_thread_of_c(128 << 10, || drop(black_box(Box::new(1)))));
            let _ = std::thread::spawn(overflow_by_allocation).join();
        })
        // Nor can it send itself a signal.
        .ends(End::Exit(134))
        .hook_ran_if_proven(),
        overflows("no_memory_for_alternate_stacks", || {
            witness::open();
            use_up_address_space();
            in_thread_of_c(1 << 20, || {
                assert!(!has_alternate_stack());
                overflow_by_allocation();
            });
        })
        .check(by_probe),
        Row::silent("no_memory_for_an_alternate_stack_and_none_needed", End::Exit(0), || {
            use_up_address_space();
            in_thread_of_c(1 << 20, || {
                assert!(!has_alternate_stack());
                use_stack(64 << 10);
            });
        }),
    ]
}

extern "C" fn overflow() {
    overflow_by_small_frames();
}

fn without_proc(name: &'static str, f: fn()) -> Row {
    let body = move || {
        let status = in_pid_namespace(true, || {
            if !mount_over_proc(c"tmpfs") {
                skip("no mounts");
            }
            set_hook(|report| assert!(report.stack().is_some()));
            f();
        });
        if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 77 {
            skip("no namespaces");
        }
        // As pid 1, which no signal ends.
        assert_eq!(libc::WEXITSTATUS(status), 134, "{status:x}");
    };
    overflows(name, body).and_then_exits(0).hook_ran()
}

/// Has a system call fail with EPERM, in every thread from now on.
fn refuse(number: libc::c_long) {
    const ERRNO: u32 = 0x0005_0000;
    const ALLOW: u32 = 0x7fff_0000;
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let mut filter = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0),
        libc::sock_filter { jf: 1, ..statement(equal, number as u32) },
        statement(libc::BPF_RET | libc::BPF_K, ERRNO | libc::EPERM as u32),
        statement(libc::BPF_RET | libc::BPF_K, ALLOW),
    ];
    let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
    // SAFETY: numbers, and a program that is complete.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let (set, all) = (libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_FILTER_FLAG_TSYNC);
        if libc::syscall(libc::SYS_seccomp, set, all, &program) != 0 {
            skip("no filters for system calls");
        }
    }
}

/// Leaves memory for one thread of a MiB, and for the heap, but for no other mapping.
fn use_up_address_space() {
    // SAFETY: numbers.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_MMAP_THRESHOLD, i32::MAX);
    }
    drop(black_box((0..64).map(|_| vec![1_u8; 64 << 10]).collect::<Vec<_>>()));
    // The C library keeps its stack; the alternate one goes to a thread that stays.
    in_thread_of_c(1 << 20, || ());
    let (has, had) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        has.send(has_alternate_stack()).unwrap();
        loop {
            std::thread::park();
        }
    });
    assert!(had.recv().unwrap());
    set_soft_limit(libc::RLIMIT_AS, address_space() + (32 << 10));
}

pub(super) fn has_alternate_stack() -> bool {
    let mut now = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: 0, ss_size: 0 };
    // SAFETY: the result is writable.
    assert_eq!(unsafe { libc::sigaltstack(std::ptr::null(), &mut now) }, 0);
    now.ss_flags & libc::SS_DISABLE == 0
}

fn address_space() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096
}

fn set_soft_limit(which: libc::__rlimit_resource_t, bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: a complete limit.
    assert_eq!(unsafe { libc::setrlimit(which, &limit) }, 0);
}

/// Stacks without a guard, or with one that is not in the kernel's list.
fn stacks() -> Vec<Row> {
    vec![
        overflows("a_stack_without_a_guard_by_allocation", || {
            on_own_stack(256 << 10, NOTHING, overflow_by_allocation);
        })
        .check(|outcome| {
            by_probe(outcome);
            has_bytes(outcome, 256 << 10);
        }),
        // Below it is a page that cannot be used, which is no guard of the thread's.
        overflows("a_stack_of_the_callers", || {
            on_own_stack(256 << 10, libc::PROT_NONE, overflow_by_small_frames);
        })
        .check(|outcome| {
            by_guard(outcome);
            has_bytes(outcome, 256 << 10);
        }),
        overflows("a_stack_of_the_callers_of_16_kib", || {
            on_own_stack(16 << 10, libc::PROT_NONE, overflow_by_small_frames);
        })
        .check(|outcome| has_bytes(outcome, 16 << 10)),
        overflows("a_stack_with_a_guard_of_the_kernels", || {
            on_own_stack(256 << 10, GUARD_INSTALL, overflow_by_small_frames);
        })
        .check(by_guard),
        overflows("a_thread_without_a_guard", || {
            // What is below it is ours: an alternate stack, which ends with a guard at both ends.
            witness::open();
            frames_thread(256 << 10, 2);
            witness::count(FORBIDDEN);
        })
        .check(|_| {}),
    ]
}

/// Stands for `madvise(MADV_GUARD_INSTALL)`, by which newer C libraries make guards.
const GUARD_INSTALL: i32 = 102;

/// Stands for no page at all.
const NOTHING: i32 = -1;

/// Runs `f` in a thread on a stack of ours, above a page of that access.
fn on_own_stack(bytes: usize, below: i32, f: fn()) {
    extern "C" fn entry(f: *mut c_void) -> *mut c_void {
        // SAFETY: the function that was handed over.
        let f = unsafe { std::mem::transmute::<*mut c_void, fn()>(f) };
        f();
        std::ptr::null_mut()
    }
    witness::open();
    // SAFETY: a new mapping that nobody else uses; attributes that are made before they are used.
    unsafe {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let at = libc::mmap(std::ptr::null_mut(), bytes + 8192, access, flags, -1, 0);
        assert_ne!(at, libc::MAP_FAILED);
        match below {
            NOTHING => {}
            GUARD_INSTALL if libc::madvise(at, 4096, GUARD_INSTALL) != 0 => {
                skip("no MADV_GUARD_INSTALL");
            }
            GUARD_INSTALL => {}
            access => assert_eq!(libc::mprotect(at, 4096, access), 0),
        }
        let mut attributes = std::mem::zeroed();
        libc::pthread_attr_init(&mut attributes);
        libc::pthread_attr_setstack(&mut attributes, at.byte_add(4096), bytes);
        let mut thread = 0;
        assert_eq!(libc::pthread_create(&mut thread, &attributes, entry, f as *mut c_void), 0);
        libc::pthread_join(thread, std::ptr::null_mut());
    }
    witness::count(FORBIDDEN);
}
