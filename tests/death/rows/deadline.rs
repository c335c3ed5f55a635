//! The process is dead within the deadline, of SIGABRT, whatever the hook does.

use std::ffi::c_int;
use std::hint::black_box;
use std::sync::Mutex;

use failfast_alloc_rows::witness::{self, FORBIDDEN, FREE};
use failfast_alloc_rows::{End, Halt, Row};

use crate::others;
use crate::tools::*;

const TIMEOUT: (&str, &str) = ("FAILFAST_HOOK_TIMEOUT", "200ms");

/// What a hook does, and what becomes of it.
struct Hook {
    name: &'static str,
    hook: fn(),
    /// What the report says.
    outcome: &'static str,
    failure: Option<&'static str>,
    end: End,
    or_end: Option<End>,
}

/// There is no stack left for a handler: the kernel ends the process. The report is written.
const KILLED: End = End::Signal(libc::SIGSEGV);

/// A hook that does not come to an end.
const fn endless(name: &'static str, hook: fn()) -> Hook {
    let end = End::Signal(libc::SIGABRT);
    Hook { name, hook, outcome: "timeout", failure: None, end, or_end: None }
}

/// A hook that fails at once.
const fn failing(name: &'static str, failure: &'static str, hook: fn()) -> Hook {
    Hook { outcome: "crashed", failure: Some(failure), ..endless(name, hook) }
}

const HOOKS: &[Hook] = &[
    endless("spins", || spin()),
    endless("sleeps", sleep),
    endless("waits_for_a_lock", || drop(LOCK.lock())),
    endless("spins_with_signals_blocked", || {
        block_all();
        spin();
    }),
    endless("spins_with_every_signal_blocked", || {
        block_all_raw();
        spin();
    }),
    endless("sleeps_with_every_signal_blocked", || {
        block_all_raw();
        sleep();
    }),
    Hook {
        or_end: Some(End::Signal(libc::SIGKILL)),
        ..endless("blocks_and_ignores_for_ever", block_and_ignore_for_ever)
    },
    endless("spins_in_a_handler", spin_in_a_handler),
    endless("allocates_nothing_for_ever", || {
        loop {
            drop(black_box(Vec::<u8>::with_capacity(black_box(0))));
        }
    }),
    Hook {
        // What there is to write the outcome to was closed.
        outcome: "pending",
        ..endless("closes_everything_and_spins", || {
            close_everything();
            spin();
        })
    },
    endless("sets_handlers_for_all_signals_and_spins", || {
        for signal in 1..32 {
            // SAFETY: zeroes are a valid action.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            action.sa_sigaction = libc::SIG_IGN;
            // SAFETY: a complete action; some signals are refused.
            unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) };
        }
        spin();
    }),
    endless("jumps_away_and_spins", || jump_to(spin_there)),
    Hook { failure: None, ..failing("jumps_away_and_allocates", "", || jump_to(allocate_there)) },
    endless("forks_and_spins", || {
        fork_in_hook();
        spin();
    }),
    Hook { outcome: "ran", ..endless("forks", fork_in_hook) },
    failing("panics", "panic", || std::panic::resume_unwind(Box::new("no"))),
    failing("panics_at_length", "panic", || {
        // As the standard library's own does, if it is to print a backtrace.
        std::panic::set_hook(Box::new(|_| allocate_for_ever()));
        panic!("no");
    }),
    failing("aborts", "abort", || std::process::abort()),
    failing("exits", "exit", || std::process::exit(3)),
    Hook { outcome: "pending", ..failing_exit("exits_at_once", || exit_at_once()) },
    Hook { outcome: "pending", ..failing_exit("exits_raw", exit_raw) },
    failing("overflows", "overflow", overflow_by_small_frames),
    failing("overflows_by_big_frames", "overflow", overflow_by_big_frames),
    failing("dereferences_null", "signal SIGSEGV", || {
        // SAFETY: there is none; that is the point.
        unsafe { black_box(std::ptr::null_mut::<u8>()).write_volatile(1) };
    }),
    failing("divides_by_zero", "signal SIGFPE", || {
        // SAFETY: a signal to ourselves.
        unsafe { libc::raise(libc::SIGFPE) };
    }),
    failing("allocates_for_ever", "reserve", allocate_for_ever),
    Hook {
        outcome: "crashed|timeout",
        failure: None,
        ..failing("starts_a_thread", "thread", || {
            let _ = std::thread::spawn(|| witness::count(FORBIDDEN)).join();
        })
    },
    Hook { end: KILLED, outcome: "pending", ..endless("unmaps_its_stack", unmap_this_stack) },
    Hook { failure: None, ..failing("fails_fast", "", || fail()) },
    Hook {
        end: KILLED,
        outcome: "pending",
        ..endless("overflows_without_an_alternate_stack", || {
            disable_alternate_stack();
            overflow_by_small_frames();
        })
    },
];

fn allocate_for_ever() {
    let mut all = Vec::new();
    loop {
        all.push(black_box(vec![1_u8; 1000]));
    }
}

/// The program was panicking when it failed: that is no failure of the hook's.
fn in_a_panic_of_the_programs() -> Row {
    struct FailsAtEnd;
    impl Drop for FailsAtEnd {
        fn drop(&mut self) {
            fail();
        }
    }
    let body = || {
        std::panic::set_hook(Box::new(|_| {}));
        set_hook(|_| allocate_for_ever());
        let _fails = FailsAtEnd;
        panic!("the program's own");
    };
    let name = "hook_that_allocates_for_ever_in_a_panic_of_the_programs";
    let mut row = Row::dies(name, "requested", FAILED, body).outcome_of_hook("crashed");
    (row.hooks, row.failure) = ((1, 0), Some("reserve"));
    row
}

/// What ends in the kernel cannot be prevented. The report has been written by then.
const fn failing_exit(name: &'static str, hook: fn()) -> Hook {
    Hook { end: End::Exit(3), ..endless(name, hook) }
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for hook in HOOKS {
        rows.push(with(hook, "alone", || {}));
        rows.push(with(hook, "with_others", || others::start_deaf(3)).threads(3));
        if !matches!(hook.end, End::Exit(3) | KILLED) {
            rows.push(as_first_process(hook, "alone_as_pid_1", || {}));
            rows.push(as_first_process(hook, "as_pid_1", || others::start_deaf(3)));
        }
    }
    rows.push(in_a_panic_of_the_programs());
    rows.extend(locks());
    rows.extend(beside_traced());
    rows.extend(without());
    rows.extend(with_small_stacks());
    rows
}

/// The hook runs, with others around it.
fn with(hook: &'static Hook, company: &str, start_others: fn()) -> Row {
    let name = format!("hook_that_{}_{company}", hook.name);
    let body = move || {
        std::panic::set_hook(Box::new(|_| {}));
        set_hook(|_| (hook.hook)());
        if hook.name == "waits_for_a_lock" {
            std::mem::forget(LOCK.lock());
        }
        start_others();
        fail();
    };
    let mut row = Row::dies(name.leak(), "requested", FAILED, body).outcome_of_hook(hook.outcome);
    row.hooks = (1, u8::from(hook.outcome == "ran"));
    (row.end, row.or_end, row.failure) = (hook.end, hook.or_end, hook.failure);
    // On a busy machine the deadline must not come before what is to happen at once.
    let is_at_once = hook.end != End::Signal(libc::SIGABRT) || hook.outcome == "crashed";
    row.env(TIMEOUT.0, if is_at_once { "20s" } else { TIMEOUT.1 })
}

/// The hook runs in the first process of a namespace, which no signal ends that it sends itself.
fn as_first_process(hook: &'static Hook, company: &str, start_others: fn()) -> Row {
    let mut row = with(hook, company, || {});
    let name = row.name;
    row.body = Box::new(move || {
        std::panic::set_hook(Box::new(|_| {}));
        let status = in_pid_namespace(true, || {
            set_hook(|_| (hook.hook)());
            if hook.name == "waits_for_a_lock" {
                std::mem::forget(LOCK.lock());
            }
            start_others();
            fail();
        });
        let is_134 = libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 134;
        // A kernel's timer does end it.
        let is_killed = libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL;
        assert!(is_134 || (hook.or_end.is_some() && is_killed), "{name}: {status:#x}");
    });
    row.lines(&["failfast: requested: enough (thread `main`, pid 1)"]).and_then_exits(0)
}

static LOCK: Mutex<()> = Mutex::new(());

/// Hooks that wait for what a halted thread holds.
fn locks() -> Vec<Row> {
    let row = |name, body: fn()| {
        let row = Row::dies(name, "requested", FAILED, body).hook_timed_out();
        row.env(TIMEOUT.0, TIMEOUT.1).threads(1)
    };
    vec![
        row("hook_that_waits_for_a_lock_of_a_halted_thread", || {
            set_hook(|_| drop(LOCK.lock()));
            others::start(1, || std::mem::forget(LOCK.lock()), || {});
            fail();
        }),
        row("hook_that_prints_while_a_halted_thread_prints", || {
            set_hook(|_| println!("no"));
            others::start(1, || std::mem::forget(std::io::stdout().lock()), || {});
            fail();
        }),
        row("hook_that_prints_an_error_while_a_halted_thread_does", || {
            set_hook(|_| eprintln!("no"));
            others::start(1, || std::mem::forget(std::io::stderr().lock()), || {});
            fail();
        }),
    ]
}

/// Hooks beside threads that only tracing has stopped: those hold to no deadline.
fn beside_traced() -> Vec<Row> {
    let row = |name, hook: fn()| {
        let body = move || {
            set_hook(move |_| {
                witness::sample();
                hook();
            });
            others::start(2, block_all_raw, || {});
            fail();
        };
        // A quarter of it is for the halt, which takes longer than usual.
        let row = Row::dies(name, "requested", FAILED, body).env(TIMEOUT.0, "2s").threads(2);
        if may_trace() { row.hook_timed_out() } else { row.hook_skipped().halt(Halt::Unproven) }
    };
    let mut rows = vec![
        row("hook_that_spins_beside_traced_threads", || spin()),
        row("hook_that_blocks_everything_beside_traced_threads", || {
            block_all_raw();
            sleep();
        }),
        row("hook_that_spins_beside_traced_threads_without_queued_signals", || spin())
            .before_exec(|| set_limit(libc::RLIMIT_SIGPENDING, 0)),
    ];
    if may_trace() {
        rows.push(
            row("hook_that_aborts_beside_traced_threads", || std::process::abort()).hook_crashed(),
        );
        let becomes = row("hook_that_becomes_a_program_beside_traced_threads", || {
            use std::os::unix::process::CommandExt;
            let error = std::process::Command::new("true").exec();
            panic!("{error}");
        });
        rows.push(becomes.outcome_of_hook("pending").ends(End::Exit(0)));
    }
    rows
}

/// What the deadline is enforced by is not to be had.
fn without() -> Vec<Row> {
    let row =
        |name, body: fn()| Row::dies(name, "requested", FAILED, body).env(TIMEOUT.0, TIMEOUT.1);
    let no_queue = || set_limit(libc::RLIMIT_SIGPENDING, 0);
    vec![
        row("deadline_without_queued_signals", || {
            set_hook(|_| spin());
            others::start_spinning(3);
            fail();
        })
        .hook_timed_out()
        .threads(3)
        .before_exec(no_queue),
        row("deadline_without_queued_signals_alone", || {
            set_hook(|_| spin());
            fail();
        })
        .hook_timed_out()
        .threads(0)
        .before_exec(no_queue),
        row("deadline_without_queued_signals_with_a_hook_that_blocks_all", || {
            set_hook(|_| {
                block_all_raw();
                spin();
            });
            others::start_spinning(3);
            fail();
        })
        .hook_timed_out()
        .threads(3)
        .before_exec(no_queue),
        row("deadline_without_new_threads", || {
            set_hook(|_| spin());
            others::start_spinning(3);
            allow_no_new_thread();
            fail();
        })
        .hook_timed_out()
        .threads(3),
        row("deadline_without_queued_signals_and_new_threads_alone", || {
            set_hook(|_| witness::count(FORBIDDEN));
            allow_no_new_thread();
            fail();
        })
        .hook_skipped()
        .threads(0)
        .before_exec(no_queue),
        row("deadline_by_losers", || {
            set_hook(|_| spin());
            for _ in 0..16 {
                std::thread::spawn(|| fail());
            }
            fail();
        })
        .lines(&["failfast: requested: enough (thread `<name>`, pid <pid>)"])
        .hook_timed_out(),
    ]
}

/// Those that hold to the deadline have little room.
fn with_small_stacks() -> Vec<Row> {
    // What must not be is SIGSEGV. On a busy machine the sentinel may be late, and others have no
    // room to write the report once more; or all of them are, and the kernel's timer is first.
    let row = |name, body: fn()| {
        let mut row = Row::dies(name, "requested", FAILED, body).env(TIMEOUT.0, "2s");
        row.or_end = Some(End::Signal(libc::SIGKILL));
        row
    };
    vec![
        row("deadline_held_by_one_with_a_small_alternate_stack", || {
            set_hook(|_| spin());
            others::start(1, use_small_alternate_stack, || {});
            allow_no_new_thread();
            fail();
        })
        .hook_timed_out()
        .outcome_of_hook("timeout|pending")
        .threads(1),
        row("deadline_held_by_some_with_small_alternate_stacks", || {
            set_hook(|_| spin());
            others::start(8, use_small_alternate_stack, || {});
            fail();
        })
        .hook_timed_out()
        .outcome_of_hook("timeout|pending")
        .threads(8),
    ]
}

fn sleep() {
    loop {
        // SAFETY: no preconditions.
        unsafe { libc::pause() };
    }
}

fn block_and_ignore_for_ever() {
    // What the kernel takes for an action: handler, flags, restorer, mask.
    let ignore = [libc::SIG_IGN as u64, 0, 0, 0];
    let null = std::ptr::null_mut::<u64>();
    loop {
        block_all_raw();
        // SAFETY: a complete action of the kernel's.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, libc::SIGABRT, &ignore, null, 8) };
    }
}

fn spin_in_a_handler() {
    extern "C" fn handler(_: c_int) {
        spin();
    }
    on_signal(libc::SIGUSR1, handler as *const () as usize, 0);
    // SAFETY: a complete set.
    unsafe {
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
        libc::raise(libc::SIGUSR1);
    }
}

fn close_everything() {
    for fd in 0..1000 {
        // SAFETY: nobody needs them any more.
        unsafe { libc::close(fd) };
    }
}

/// The child finds its stack wiped, and ends by that.
fn fork_in_hook() {
    let status = in_fork(|| witness::count(FORBIDDEN));
    witness::note(FREE, status as u64);
}

extern "C" fn spin_there() {
    spin();
}

extern "C" fn allocate_there() {
    loop {
        drop(black_box(vec![1_u8; 100]));
    }
}

fn exit_at_once() -> ! {
    // SAFETY: no preconditions.
    unsafe { libc::_exit(3) }
}

fn exit_raw() {
    // SAFETY: no preconditions.
    unsafe { libc::syscall(libc::SYS_exit_group, 3) };
}

fn unmap_this_stack() {
    let here = (&raw const *black_box(&0_u8)) as usize;
    let marker = 0_u8;
    let here = here.max((&raw const *black_box(&marker)) as usize) & !4095;
    // SAFETY: there is none; that is the point.
    unsafe { libc::munmap((here - (32 << 10)) as *mut _, 64 << 10) };
}

/// What C calls enough for a signal handler (`SIGSTKSZ`).
const SMALL: usize = 8192;

/// Has signals handled on no more than that, above a guard.
fn use_small_alternate_stack() {
    let (access, flags) = (libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let guard = 64 << 10;
    // SAFETY: a new mapping, part of which is made writable.
    unsafe {
        let low = libc::mmap(std::ptr::null_mut(), 2 * guard, access, flags, -1, 0);
        assert_ne!(low, libc::MAP_FAILED);
        let low = low.byte_add(guard);
        assert_eq!(libc::mprotect(low, guard, libc::PROT_READ | libc::PROT_WRITE), 0);
        let stack = libc::stack_t { ss_sp: low, ss_flags: 0, ss_size: SMALL };
        assert_eq!(libc::sigaltstack(&stack, std::ptr::null_mut()), 0);
    }
}

fn disable_alternate_stack() {
    // SAFETY: zeroes are a stack; it is only taken away.
    let mut none: libc::stack_t = unsafe { std::mem::zeroed() };
    none.ss_flags = libc::SS_DISABLE;
    // SAFETY: as above.
    unsafe { libc::sigaltstack(&none, std::ptr::null_mut()) };
}

/// Has the kernel refuse every new thread: a limit that counts only for users that are not root.
fn allow_no_new_thread() {
    const NOBODY: libc::uid_t = 65534;
    // The folder is for root's reports.
    // SAFETY: C strings and numbers. The system call is for this thread alone, which is the one
    // that would make the new thread.
    unsafe {
        libc::chmod(c".".as_ptr(), 0o777);
        set_limit(libc::RLIMIT_NPROC, 0);
        if libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) != 0 {
            skip("not root");
        }
    }
    if std::thread::Builder::new().spawn(|| {}).is_ok() {
        skip("new threads are not limited");
    }
}
