//! No other thread goes on once the hook runs, whatever it was in the middle of.

use std::ffi::{c_int, c_void};
use std::hint::black_box;

use failfast_alloc_rows::Row;
use failfast_alloc_rows::witness::{self, COUNTERS, RUNNING};

use crate::others;
use crate::tools::*;

/// A row whose hook watches the others' counters.
pub(super) fn row(name: &'static str, start_others: fn()) -> Row {
    let body = move || {
        others::set_watching_hook();
        start_others();
        fail();
    };
    Row::dies(name, "requested", FAILED, body).hook_ran()
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = vec![
        row("halt_of_none", || {}).threads(0),
        row("halt_of_1", || others::start_spinning(1)).threads(1),
        row("halt_of_8", || others::start_spinning(8)).threads(8),
        row("halt_of_64", || others::start_spinning(64)).threads(64),
        row("halt_of_1_that_blocks_signals", || others::start_deaf(1)).threads(1),
        row("halt_of_8_that_block_signals", || others::start_deaf(8)).threads(8),
        row("halt_of_64_that_block_signals", || others::start_deaf(64)).threads(64),
        row("halt_on_one_processor", || others::start_spinning(8))
            .threads(8)
            .before_exec(to_one_processor),
        row("halt_on_one_processor_of_those_that_block_signals", || others::start_deaf(8))
            .threads(8)
            .before_exec(to_one_processor),
        row("halt_of_64_on_one_processor", || others::start_spinning(64))
            .threads(64)
            .before_exec(to_one_processor),
        row("halt_on_two_processors", || others::start_spinning(8))
            .threads(8)
            .before_exec(to_two_processors),
        row("halt_without_queued_signals", || others::start_spinning(8))
            .threads(8)
            .before_exec(|| set_limit(libc::RLIMIT_SIGPENDING, 0)),
    ];
    rows.extend(signals());
    rows.extend(in_the_c_library());
    rows.extend(processes());
    rows.extend(kernel());
    rows.extend(untraced());
    rows
}

/// Other threads that deal with signals.
fn signals() -> Vec<Row> {
    vec![
        row("halt_of_those_that_wait_for_any_signal", || {
            block_all();
            let step = || {
                let mut got = 0;
                // SAFETY: a complete set, and room for the result.
                unsafe {
                    let mut all = std::mem::zeroed();
                    libc::sigfillset(&mut all);
                    libc::sigwait(&all, &mut got);
                }
            };
            others::start(1, || {}, send_usr1);
            others::start(4, || {}, step);
        })
        .threads(5),
        row("halt_of_readers_of_a_signalfd", || {
            block_all();
            others::start(1, || {}, send_usr1);
            others::start(2, || {}, read_signal);
        })
        .threads(3),
        row("halt_of_one_in_a_signal_handler", || {
            on_signal(libc::SIGUSR1, count_for_ever as *const () as usize, 0);
            witness::note(RUNNING, 1);
            std::thread::spawn(|| {
                // SAFETY: no preconditions.
                unsafe { libc::raise(libc::SIGUSR1) };
            });
            witness::wait_for(COUNTERS);
        })
        .threads(1),
        row("halt_of_those_in_a_storm_of_signals", || {
            on_signal(libc::SIGUSR1, count_once as *const () as usize, libc::SA_ONSTACK);
            witness::note(RUNNING, 1);
            std::thread::spawn(|| {
                loop {
                    send_usr1();
                }
            });
            witness::wait_for(COUNTERS);
            others::start_spinning(4);
        })
        .threads(5),
    ]
}

/// Other threads that are in the C library.
fn in_the_c_library() -> Vec<Row> {
    vec![
        row("halt_of_those_that_allocate", || {
            others::start(3, || {}, || drop(black_box(vec![1_u8; 3000])));
        })
        .threads(3),
        row("halt_of_those_in_malloc", || {
            let step = || {
                // SAFETY: a block of malloc's.
                unsafe { libc::free(black_box(libc::malloc(200_000))) };
            };
            others::start(3, || {}, step);
        })
        .threads(3),
        row("halt_of_a_reader_that_waits", || {
            let step = || {
                let (mut reader, _writer) = std::io::pipe().unwrap();
                let _ = std::io::Read::read(&mut reader, &mut [0]);
            };
            others::start(2, || {}, step);
        })
        .threads(2),
        row("halt_of_those_that_load_libraries", || {
            let step = || {
                // SAFETY: a library of the C library's, and its handle.
                unsafe {
                    let handle = libc::dlopen(c"libanl.so.1".as_ptr(), libc::RTLD_NOW);
                    if !handle.is_null() {
                        libc::dlclose(handle);
                    }
                }
            };
            others::start(2, || {}, step);
        })
        .threads(2),
        row("halt_of_those_that_print", || {
            others::start(2, || {}, || print!("{}", black_box("to nowhere")));
        })
        .threads(2),
        row("halt_in_a_storm_of_threads", || {
            others::start(2, || {}, || storm(|| drop(std::thread::spawn(count_as_detached))));
        }),
        row("halt_in_a_storm_of_threads_with_an_affinity", || {
            others::start(2, || {}, || storm(create_with_affinity));
        }),
        row("halt_of_the_losers", || {
            // The hook is watching nothing; the losers are all there is.
            let ways: [fn(); 4] = [
                || fail(),
                || drop(black_box(vec![1_u8; 64 << 20])),
                overflow_by_small_frames,
                overflow_by_allocation,
            ];
            let barrier = std::sync::Arc::new(std::sync::Barrier::new(64));
            for i in 0..63 {
                let barrier = barrier.clone();
                std::thread::spawn(move || {
                    barrier.wait();
                    ways[i % ways.len()]();
                    witness::count(witness::FORBIDDEN);
                });
            }
            barrier.wait();
        })
        .env("FAILFAST_BUDGET", "32MiB")
        .lines(&["failfast: <any>"])
        .of_any_cause()
        .threads(63),
    ]
}

/// Other threads that make processes.
fn processes() -> Vec<Row> {
    vec![
        row("halt_of_those_that_fork", || {
            others::start(2, || {}, || assert_eq!(in_fork(|| {}), 0));
        })
        .threads(2),
        row("halt_of_those_that_start_programs", || {
            others::start(2, || {}, start_a_program);
        })
        .threads(2),
        row("halt_of_one_whose_child_has_its_memory", || {
            others::start(2, || {}, || assert_eq!(in_our_memory(sleep_a_little), 0));
        })
        .threads(2),
        row("halt_of_one_whose_child_keeps_its_memory", || {
            others::start(1, || {}, || assert_eq!(in_our_memory(sleep_for_some_time), 0));
        })
        .threads(1),
    ]
}

/// What is proven by looking is so without the help of the tracer.
fn untraced() -> Vec<Row> {
    fn refuse_tracing() {
        super::calls::refuse(libc::SYS_ptrace, libc::EPERM);
    }
    vec![
        row("halt_without_tracing_of_those_that_start_programs", || {
            others::start(2, || {}, start_a_program);
            refuse_tracing();
        })
        .threads(2),
        row("halt_without_tracing_of_one_whose_child_keeps_its_memory", || {
            others::start(1, || {}, || assert_eq!(in_our_memory(sleep_for_some_time), 0));
            refuse_tracing();
        })
        .threads(1),
        row("halt_without_tracing_in_a_storm_of_threads_with_an_affinity", || {
            others::start(2, || {}, || storm(create_with_affinity));
            refuse_tracing();
        }),
        row("halt_without_tracing_with_a_worker_of_io_uring", || {
            start_a_worker();
            refuse_tracing();
        })
        .threads(1),
        row("halt_without_tracing_of_64_that_block_signals", || {
            others::start_deaf(64);
            refuse_tracing();
        })
        .threads(64),
    ]
}

fn start_a_program() {
    let _ = std::process::Command::new("true").status();
}

/// Threads that are none of the program's, or none any more; what says which there are.
fn kernel() -> Vec<Row> {
    let failed_in_a_thread = "failfast: requested: enough (thread `<name>`, pid <pid>)";
    vec![
        row("halt_without_the_first_thread", || {
            std::thread::spawn(|| {
                wait_for_a_zombie();
                fail();
            });
            // What is left of `pthread_exit` when it is done.
            // SAFETY: nothing of this thread is needed any more.
            unsafe { libc::syscall(libc::SYS_exit, 0) };
        })
        .lines(&[failed_in_a_thread])
        .threads(1),
        row("halt_with_a_thread_of_the_kernels", || {
            let mut parameters = [0_u32; 30];
            const SQPOLL: u32 = 2;
            (parameters[2], parameters[4]) = (SQPOLL, 10_000);
            // SAFETY: `io_uring_params`, of 120 bytes.
            let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, 4, &mut parameters) };
            if fd < 0 {
                skip("io_uring_setup with SQPOLL is refused");
            }
            others::start_spinning(1);
        })
        .threads(2),
        row("halt_with_a_worker_of_io_uring", || {
            start_a_worker();
            others::start_spinning(1);
        })
        .threads(2),
        row("halt_without_proc", || {
            others::start_deaf(8);
            hide_proc();
        })
        .threads(8),
        row("halt_without_proc_in_a_storm", || {
            others::start(2, || {}, || storm(|| drop(std::thread::spawn(count_as_detached))));
            hide_proc();
        })
        .hook_ran_if_proven(),
        Row::dies("halt_with_the_proc_of_others", "requested", FAILED, || {
            let status = in_pid_namespace(false, || {
                others::set_watching_hook();
                others::start_deaf(8);
                fail();
            });
            assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 134);
        })
        .lines(&["failfast: requested: enough (thread `main`, pid 1)"])
        .hook_ran()
        .and_then_exits(0)
        .threads(8),
    ]
}

pub(super) fn to_one_processor() {
    to_processors(1);
}

/// Where there is but one, it is that one.
fn to_two_processors() {
    to_processors(2);
}

fn to_processors(count: usize) {
    // SAFETY: zeroes are a set; async-signal-safe.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::sched_getaffinity(0, size_of_val(&set), &mut set);
        let mut some: libc::cpu_set_t = std::mem::zeroed();
        let mut all = 0..libc::CPU_SETSIZE as usize;
        for cpu in all.by_ref().filter(|&cpu| libc::CPU_ISSET(cpu, &set)).take(count) {
            libc::CPU_SET(cpu, &mut some);
        }
        libc::sched_setaffinity(0, size_of_val(&some), &some);
    }
}

/// Has the kernel make a thread for io_uring, which waits for a pipe that nobody writes to.
fn start_a_worker() {
    const ENTRIES: usize = 4;
    let mut parameters = [0_u32; 30];
    let mut ends = [0; 2];
    // SAFETY: `io_uring_params`, of 120 bytes; the ring's memory is mapped as the kernel says; an
    // entry of 64 bytes, whose buffer is never freed.
    unsafe {
        assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
        let fd = libc::syscall(libc::SYS_io_uring_setup, ENTRIES, &mut parameters) as c_int;
        if fd < 0 {
            skip("io_uring_setup is refused");
        }
        let (tail, mask, array) = (parameters[11], parameters[12], parameters[16]);
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let map = |offset| {
            let at = libc::mmap(std::ptr::null_mut(), 4096, access, libc::MAP_SHARED, fd, offset);
            assert_ne!(at, libc::MAP_FAILED);
            at.cast::<u8>()
        };
        let (ring, entries) = (map(0), map(0x1000_0000));
        let word = |offset: u32| ring.add(offset as usize).cast::<u32>();
        assert_eq!(*word(mask) as usize, ENTRIES - 1);
        // IORING_OP_READ, IOSQE_ASYNC: a worker has to wait for it.
        let buffer = Box::leak(Box::new([0_u8; 8])).as_mut_ptr();
        entries.cast::<[u8; 2]>().write([22, 1 << 4]);
        entries.add(4).cast::<c_int>().write(ends[0]);
        entries.add(16).cast::<*mut u8>().write(buffer);
        entries.add(24).cast::<u32>().write(8);
        word(array).write(0);
        word(tail).write_volatile(1);
        let null = std::ptr::null_mut::<c_void>();
        assert_eq!(libc::syscall(libc::SYS_io_uring_enter, fd, 1, 0, 0, null, 0), 1);
    }
    while std::fs::read_dir("/proc/self/task").unwrap().count() < 2 {
        std::thread::yield_now();
    }
}

fn send_usr1() {
    // SAFETY: our own process.
    unsafe { libc::kill(libc::getpid(), libc::SIGUSR1) };
    // SAFETY: no preconditions.
    unsafe { libc::sched_yield() };
}

fn read_signal() {
    let mut info = [0_u8; 128];
    // SAFETY: a complete set, and room for one signal.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&mut all);
        let fd = libc::signalfd(-1, &all, 0);
        libc::read(fd, info.as_mut_ptr().cast(), info.len());
        libc::close(fd);
    }
}

extern "C" fn count_for_ever(_: c_int) {
    block_all();
    loop {
        witness::count(COUNTERS);
    }
}

extern "C" fn count_once(_: c_int) {
    witness::count(COUNTERS);
}

/// How many threads a storm has started; the next counts those that have run.
const STORM: usize = COUNTERS + 100;

pub(super) fn storm(create: fn()) {
    create();
    witness::count(STORM);
    while witness::read(STORM) > witness::read(STORM + 1) + 16 {
        // SAFETY: no preconditions.
        unsafe { libc::sched_yield() };
    }
}

pub(super) fn count_as_detached() {
    witness::count(STORM + 1);
}

/// Such a thread waits, when it has just begun, for the one that creates it.
fn create_with_affinity() {
    extern "C" fn entry(_: *mut c_void) -> *mut c_void {
        count_as_detached();
        std::ptr::null_mut()
    }
    // SAFETY: zeroes are room for the attributes, and for a set of processors.
    unsafe {
        let mut attributes = std::mem::zeroed();
        assert_eq!(libc::pthread_attr_init(&mut attributes), 0);
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::sched_getaffinity(0, size_of_val(&set), &mut set);
        libc::pthread_attr_setaffinity_np(&mut attributes, size_of_val(&set), &set);
        libc::pthread_attr_setdetachstate(&mut attributes, libc::PTHREAD_CREATE_DETACHED);
        let mut thread = 0;
        let null = std::ptr::null_mut();
        assert_eq!(libc::pthread_create(&mut thread, &attributes, entry, null), 0);
        libc::pthread_attr_destroy(&mut attributes);
    }
}

extern "C" fn sleep_a_little(_: *mut c_void) -> c_int {
    // SAFETY: no preconditions.
    unsafe { libc::usleep(2_000) };
    0
}

extern "C" fn sleep_for_some_time(_: *mut c_void) -> c_int {
    // SAFETY: no preconditions.
    unsafe { libc::usleep(300_000) };
    0
}

/// Waits until the first thread is gone.
fn wait_for_a_zombie() {
    let path = format!("/proc/self/task/{}/stat", std::process::id());
    while !std::fs::read_to_string(&path).unwrap().contains(") Z ") {
        std::thread::yield_now();
    }
}

/// Has nothing in `/proc` for this process.
pub(super) fn hide_proc() {
    // SAFETY: numbers.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 || !mount_over_proc(c"tmpfs") {
        skip("nothing can be mounted over /proc");
    }
}
