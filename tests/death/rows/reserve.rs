//! What was set aside is there, however little is left.

use std::hint::black_box;
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;

use failfast_alloc::{Cluster, Limit};

use failfast_alloc_rows::witness::{self, FREE};
use failfast_alloc_rows::{Outcome, Row};

use super::halt::to_one_processor;
use crate::inner;
use crate::others;
use crate::tools::*;

/// Less than the reserve of 256 KiB.
const NEEDED: usize = 200 << 10;

fn row(name: &'static str, body: fn()) -> Row {
    Row::dies(name, "requested", FAILED, body)
}

/// A row whose hook allocates.
fn allocating(name: &'static str, body: fn()) -> Row {
    let body = move || {
        set_hook(|report| {
            let block = black_box(vec![1_u8; NEEDED]);
            assert!(block.iter().all(|&byte| byte == 1));
            assert_eq!(format!("{report}").lines().count(), 1);
            witness::note(FREE, 1);
        });
        body();
        fail();
    };
    Row::dies(name, "requested", FAILED, body)
        .hook_ran()
        .check(|outcome| assert_eq!(outcome.page.get(FREE), 1))
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        allocating("reserve_at_the_limit_of_address_space", use_all_addresses),
        allocating("reserve_at_the_limit_of_address_space_with_others", || {
            others::start_spinning(4);
            use_all_addresses();
        })
        .threads(4),
        allocating("reserve_at_the_limit_of_address_space_with_others_in_malloc", || {
            let step = || {
                // SAFETY: a block of malloc's.
                unsafe { libc::free(black_box(libc::malloc(100_000))) };
            };
            others::start(4, || {}, step);
            use_all_addresses();
        })
        .threads(4),
        allocating("reserve_at_the_limit_of_a_cgroup", use_a_whole_cgroup)
            .before_exec(to_one_processor)
            .clear(remove_cgroup),
        allocating("reserve_at_the_limit_of_a_cgroup_with_others", || {
            others::start_spinning(4);
            // Each needs some for the signal that stops it, and for the kernel to tell of it.
            use_a_cgroup_but(LEFT + 4 * (32 << 10));
        })
        .threads(4)
        .before_exec(to_one_processor)
        .clear(remove_cgroup),
        allocating("reserve_while_a_halted_thread_holds_the_inner_allocators_lock", || {
            others::start(1, || {}, wait_to_be_parked);
            witness::note(PARKS, 1);
            witness::wait_for(PARKED);
        })
        .threads(1),
        // In a thread whose stack is below the one on which it dies: on one above, its own probe
        // would leave the fast path all the same.
        row("reserve_serves_the_smallest_while_the_inner_allocator_is_locked", || {
            use_what_there_is_in_the_hook();
            let _ = std::thread::spawn(use_some_and_fail).join();
        })
        .lines(&["failfast: requested: enough (thread `<name>`, pid <pid>)"])
        .threads(2)
        .hook_ran(),
        row("reserve_serves_the_smallest_in_a_cluster", || {
            use_what_there_is_in_the_hook();
            let cluster = Cluster::builder("one").budget(Limit::mib(4)).build().unwrap();
            cluster.run(use_some_and_fail);
        })
        .threads(1)
        .hook_ran(),
        row("reserve_is_outside_the_budget", || {
            set_hook(|_| assert!(black_box(vec![1_u8; 24 << 20]).iter().all(|&byte| byte == 1)));
            fail();
        })
        .env("FAILFAST_BUDGET", "1MiB")
        .env("FAILFAST_RESERVE", "32MiB")
        .hook_ran(),
        row("reserve_ends_with_a_guard", || {
            set_hook(|_| {
                let block = black_box(vec![1_u8; NEEDED]);
                for offset in (0..1 << 20).step_by(64) {
                    // SAFETY: none beyond the block; that is the point.
                    unsafe { block.as_ptr().cast_mut().add(offset).write_volatile(1) };
                }
            });
            fail();
        })
        .hook_crashed()
        .failure("signal SIGSEGV"),
        row("reserve_begins_with_a_guard", || {
            set_hook(|_| {
                let block = black_box(vec![1_u8; NEEDED]);
                for offset in (0..1 << 20).step_by(64) {
                    // SAFETY: none before the block; that is the point.
                    unsafe { block.as_ptr().cast_mut().sub(offset).write_volatile(1) };
                }
            });
            fail();
        })
        .hook_crashed()
        .failure("signal SIGSEGV"),
        row("figures_of_a_control_group", || {
            std::hint::black_box(vec![1_u8; HELD]).fill(2);
            fail();
        })
        .before_exec(enter_a_cgroup)
        .clear(remove_cgroup)
        .check(|outcome| {
            let report = outcome.report();
            let current = report["cgroup_current_bytes"].as_u64();
            if report["cgroup_limit_bytes"] != GROUP_LIMIT {
                assert!(!is_writable_cgroup(), "{report}");
                return eprintln!("death: SKIPPED figures: no cgroup of version 1 to write to");
            }
            let current = current.expect("a figure");
            assert!((1 << 20..=GROUP_LIMIT).contains(&current), "{current}");
        }),
        row("no_figures_of_a_control_group_that_was_left", || {
            let own = cgroup(std::process::id());
            // To the group above, whose figures are not those that were found.
            if std::fs::write(format!("{own}/../cgroup.procs"), "0").is_err() {
                skip("no cgroup of version 1 for memory that can be written to");
            }
            fail();
        })
        .before_exec(enter_a_cgroup)
        .clear(remove_cgroup)
        .check(|outcome| {
            let report = outcome.report();
            assert!(report["cgroup_current_bytes"].is_null(), "{report}");
            assert!(report["cgroup_limit_bytes"].is_null(), "{report}");
        }),
        row("a_core_of_a_hook_that_spins", || {
            let large = black_box(vec![7_u8; LARGE]);
            set_hook(|_| spin());
            std::mem::forget(large);
            fail();
        })
        .env("FAILFAST_HOOK_TIMEOUT", "50ms")
        .hook_timed_out()
        .before_exec(raise_core_limit)
        .check(has_dumped_core),
        row("a_core_of_a_hook_that_spins_with_others", || {
            let large = black_box(vec![7_u8; LARGE]);
            set_hook(|_| spin());
            std::mem::forget(large);
            others::start_deaf(3);
            fail();
        })
        .env("FAILFAST_HOOK_TIMEOUT", "500ms")
        .hook_timed_out()
        .before_exec(raise_core_limit)
        .check(has_dumped_core),
        row("a_core_of_a_hook_that_ran_beside_traced_threads", || {
            let large = black_box(vec![7_u8; LARGE]);
            set_hook(|_| {});
            std::mem::forget(large);
            others::start(3, block_all_raw, || {});
            fail();
        })
        .hook_ran_where_traced()
        .before_exec(raise_core_limit)
        .check(has_dumped_core),
    ]
}

/// What the program had before it failed.
static KEPT: Mutex<Option<Kept>> = Mutex::new(None);

struct Kept {
    boxed: Box<u64>,
    grows: Vec<u32>,
    shrinks: Vec<u32>,
}

/// Has some of each on the heap, by which the thread has credit for more of the kind; has the inner
/// allocator locked for ever; and fails.
fn use_some_and_fail() {
    for _ in 0..100 {
        drop(black_box(vec![1_u64; 4]));
    }
    let [grows, shrinks] = [4, 400].map(|room| {
        let mut words = Vec::with_capacity(room);
        words.extend([7, 8, 9, 10]);
        words
    });
    *KEPT.lock().unwrap() = Some(Kept { boxed: Box::new(11), grows, shrinks });
    witness::note(PARKS, 1);
    witness::wait_for(PARKED);
    fail();
}

/// Sets a hook that does with small blocks, its own and the program's, all that can be done.
fn use_what_there_is_in_the_hook() {
    set_hook(|_| {
        let Some(Kept { boxed, mut grows, mut shrinks }) = KEPT.lock().unwrap().take() else {
            panic!("the program had something");
        };
        let new = black_box(Box::new(12_u64));
        assert!(black_box(vec![0_u64; 4]).iter().all(|&word| word == 0));
        assert_eq!((*boxed, *new), (11, 12));
        drop(boxed);
        drop(new);
        grows.extend(black_box([11, 12]));
        shrinks.shrink_to_fit();
        assert_eq!((&*grows, &*shrinks), (&[7, 8, 9, 10, 11, 12][..], &[7, 8, 9, 10][..]));
    });
    others::start(1, || {}, wait_to_be_parked);
}

/// Whether a thread is to go into the inner allocator and stay there; whether it has.
const PARKS: usize = FREE + 1;
const PARKED: usize = FREE + 2;

fn wait_to_be_parked() {
    if witness::read(PARKS) == 1 {
        inner::park_the_next_caller();
        witness::note(PARKED, 1);
        drop(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Takes longer to be written than any deadline here.
const LARGE: usize = 256 << 20;

/// Where cores may not be had at all, there is none to look at.
fn raise_core_limit() {
    let mut limit = core_limit();
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: a complete limit.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &limit) };
}

fn core_limit() -> libc::rlimit {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the result is writable.
    unsafe { libc::getrlimit(libc::RLIMIT_CORE, &mut limit) };
    limit
}

/// The core is whole: no timer has ended the dump.
fn has_dumped_core(outcome: &Outcome) {
    if core_limit().rlim_max < LARGE as u64 {
        eprintln!("death: SKIPPED looking at the core: RLIMIT_CORE allows none");
        return;
    }
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    if pattern.trim() != "core" {
        eprintln!("death: SKIPPED looking at the core: its place is {}", pattern.trim());
        return;
    }
    assert!(std::os::unix::process::ExitStatusExt::core_dumped(&outcome.status), "no core");
    let name = format!("core.{}", outcome.pid);
    let found = ["core", &name].iter().find_map(|name| {
        // Where the pattern's setting adds the number, or does not.
        std::fs::metadata(outcome.folder.join(name)).ok()
    });
    let core = found.expect("a core");
    assert!(core.len() >= LARGE as u64 && core.blocks() * 512 >= LARGE as u64, "{}", core.len());
}

/// Has the kernel refuse every further page of addresses.
pub(super) fn use_all_addresses() {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split(' ').next().unwrap().parse().unwrap();
    set_limit(libc::RLIMIT_AS, pages * 4096);
    let (access, flags) = (libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping.
    let more = unsafe { libc::mmap(std::ptr::null_mut(), 65536, access, flags, -1, 0) };
    assert_eq!(more, libc::MAP_FAILED);
}

/// What a group is given that is to have figures.
const GROUP_LIMIT: u64 = 512 << 20;
const HELD: usize = 2 << 20;

fn is_writable_cgroup() -> bool {
    let folder = cgroup(std::process::id());
    std::fs::create_dir(&folder).is_ok() && std::fs::remove_dir(folder).is_ok()
}

/// Between fork and exec: moves into a group of its own, with a limit, if there can be one.
pub(super) fn enter_a_cgroup() {
    let mut path = [0_u8; 128];
    // SAFETY: no preconditions.
    let pid = unsafe { libc::getpid() };
    let put = |path: &mut [u8; 128], tail: &str| {
        let mut out = std::io::Cursor::new(&mut path[..]);
        let _ = std::io::Write::write_fmt(
            &mut out,
            format_args!("/sys/fs/cgroup/memory/failfast-death-{pid}{tail}\0"),
        );
    };
    put(&mut path, "");
    // SAFETY: a C string.
    unsafe { libc::mkdir(path.as_ptr().cast(), 0o755) };
    for (tail, value) in [("/memory.limit_in_bytes", c"512M"), ("/cgroup.procs", c"0")] {
        put(&mut path, tail);
        // SAFETY: C strings; async-signal-safe.
        unsafe {
            let fd = libc::open(path.as_ptr().cast(), libc::O_WRONLY | libc::O_CLOEXEC);
            libc::write(fd, value.as_ptr().cast(), value.count_bytes());
            libc::close(fd);
        }
    }
}

fn cgroup(pid: u32) -> String {
    format!("/sys/fs/cgroup/memory/failfast-death-{pid}")
}

pub(super) fn remove_cgroup(pid: u32) {
    let _ = std::fs::remove_dir(cgroup(pid));
}

/// What the kernel charges to the group for what it does itself when a thread dies: the sentinel,
/// a file, what it shows in `/proc`.
///
/// Each processor keeps a stock of what was charged, which another gets only when both have time:
/// so rows that leave no more than this stay on one.
const LEFT: usize = 96 << 10;

/// Moves into a group of its own, and uses all the memory that it may.
pub(super) fn use_a_whole_cgroup() {
    use_a_cgroup_but(LEFT);
}

fn use_a_cgroup_but(left: usize) {
    const LIMIT: usize = 32 << 20;
    let folder = cgroup(std::process::id());
    let limit = format!("{folder}/memory.limit_in_bytes");
    let is_made = std::fs::create_dir(&folder).is_ok()
        && std::fs::write(&limit, LIMIT.to_string()).is_ok()
        && std::fs::write(format!("{folder}/cgroup.procs"), "0").is_ok();
    if !is_made {
        skip("no cgroup of version 1 for memory that can be written to");
    }
    let usage = std::fs::File::open(format!("{folder}/memory.usage_in_bytes")).unwrap();
    let (access, flags) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping.
    let memory = unsafe { libc::mmap(std::ptr::null_mut(), LIMIT, access, flags, -1, 0) };
    assert_ne!(memory, libc::MAP_FAILED);
    for offset in (0..LIMIT).step_by(4096) {
        if used(&usage) + left >= LIMIT {
            return;
        }
        // SAFETY: in the mapping.
        unsafe { memory.cast::<u8>().add(offset).write_volatile(1) };
    }
    panic!("the group holds more than its limit");
}

fn used(file: &std::fs::File) -> usize {
    let mut text = [0; 32];
    let got = std::os::unix::fs::FileExt::read_at(file, &mut text, 0).unwrap();
    std::str::from_utf8(&text[..got]).unwrap().trim().parse().unwrap()
}
