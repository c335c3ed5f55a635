//! How long dying takes: to the hook, when every other thread has stopped; to the end of the
//! process; to the first constructor of the program that it becomes.
//!
//! Each death is a process of its own, with so many threads that never sleep. The times are of one
//! clock, in memory that parent and child share.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use clap::Parser;
use comfy_table::Table;
use failfast_alloc::FailFast;

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

/// Names the page, in a child's environment.
const PAGE: &str = "DEATH_BENCH_PAGE";
const THREADS: &str = "DEATH_BENCH_THREADS";
const WITH_HOOK: &str = "DEATH_BENCH_HOOK";

/// When the child failed, when its hook began, when the program that it became began; how many
/// threads are there.
#[derive(Default)]
#[repr(C)]
struct Page {
    failed: AtomicU64,
    halted: AtomicU64,
    became: AtomicU64,
    threads: AtomicU64,
}

/// How long it takes to die.
#[derive(Parser)]
struct Options {
    /// Deaths of each kind.
    #[arg(long, default_value_t = 300)]
    deaths: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    if let Ok(path) = std::env::var(PAGE) {
        die(map(Path::new(&path)));
    }
    let options = Options::parse();
    let mut table = Table::new();
    table.set_header(["from the failing call to …", "threads", "p50 ms", "p99 ms", "max ms"]);
    for (what, threads, kind) in [
        ("all halted: the hook begins", 1, Kind::Halted),
        ("all halted: the hook begins", 8, Kind::Halted),
        ("all halted: the hook begins", 64, Kind::Halted),
        ("all halted: the hook begins, again", 64, Kind::Halted),
        ("process gone, no hook", 0, Kind::Gone),
        ("process gone, no hook", 64, Kind::Gone),
        ("process gone, no hook, again", 64, Kind::Gone),
        ("FAILFAST_EXEC: the new program begins", 64, Kind::Became),
        ("FAILFAST_EXEC: the new program begins, again", 64, Kind::Became),
    ] {
        let mut times: Vec<f64> = (0..options.deaths).map(|_| death(threads, kind)).collect();
        times.sort_by(f64::total_cmp);
        let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
        let numbers = [at(0.5), at(0.99), at(1.0)].map(|time| format!("{time:.2}"));
        let head = [what.to_owned(), threads.to_string()];
        table.add_row(head.into_iter().chain(numbers));
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("{} deaths of each kind; load {}", options.deaths, load.trim());
    println!("{table}");
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Halted,
    Gone,
    Became,
}

/// One death, in milliseconds.
fn death(threads: usize, kind: Kind) -> f64 {
    let path = page_path();
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&path);
    file.expect("a page").set_len(4096).expect("a page");
    let page = map(&path);
    let mut command = Command::new(std::env::current_exe().expect("a program"));
    command.env(PAGE, &path).env(THREADS, threads.to_string()).stderr(Stdio::null());
    match kind {
        Kind::Halted => drop(command.env(WITH_HOOK, "1")),
        Kind::Became => drop(command.env("FAILFAST_EXEC", "/proc/self/exe")),
        Kind::Gone => {}
    }
    let mut child = command.spawn().expect("a child");
    // Returns as soon as the process is a zombie, without the library's own work.
    child.wait().expect("its end");
    let gone = now();
    let end = match kind {
        Kind::Halted => page.halted.load(SeqCst),
        Kind::Gone => gone,
        Kind::Became => page.became.load(SeqCst),
    };
    let failed = page.failed.load(SeqCst);
    assert!(failed > 0 && end > failed, "the child did not die as it should");
    unmap(page);
    std::fs::remove_file(path).expect("the page");
    (end - failed) as f64 / 1e6
}

fn page_path() -> PathBuf {
    std::env::temp_dir().join(format!("failfast-death-{}", std::process::id()))
}

/// The child.
fn die(page: &'static Page) -> ! {
    let threads: u64 = std::env::var(THREADS).expect("how many").parse().expect("a number");
    // They begin at once: those that spin already would have the next one wait.
    static ALL_MADE: AtomicBool = AtomicBool::new(false);
    for _ in 0..threads {
        std::thread::spawn(|| {
            while !ALL_MADE.load(SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
            page.threads.fetch_add(1, SeqCst);
            loop {
                std::hint::spin_loop();
            }
        });
    }
    ALL_MADE.store(true, SeqCst);
    while page.threads.load(SeqCst) < threads {
        std::thread::sleep(Duration::from_millis(1));
    }
    if std::env::var_os(WITH_HOOK).is_some() {
        // SAFETY: the hook writes to shared memory.
        unsafe { failfast_alloc::set_abort_hook(|_| page.halted.store(now(), SeqCst)) };
    }
    page.failed.store(now(), SeqCst);
    failfast_alloc::fail_fast("enough")
}

/// Runs before `main`: in the program that a dying process becomes, this is all that happens.
#[used]
#[unsafe(link_section = ".init_array.00001")]
static BEGIN: extern "C" fn() = begin;

extern "C" fn begin() {
    let began = now();
    if let Some(path) = std::env::var_os(PAGE) {
        let page = map(Path::new(&path));
        if page.failed.load(SeqCst) != 0 {
            page.became.store(began, SeqCst);
            std::process::exit(1);
        }
    }
}

fn map(path: &Path) -> &'static Page {
    let file = File::options().read(true).write(true).open(path).expect("the page");
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let fd = file.as_raw_fd();
    // SAFETY: a new mapping of a file of that size.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), 4096, access, libc::MAP_SHARED, fd, 0) };
    assert_ne!(at, libc::MAP_FAILED);
    // SAFETY: mapped, zeroes are valid, and all access is atomic.
    unsafe { &*at.cast::<Page>() }
}

fn unmap(page: &'static Page) {
    // SAFETY: mapped by `map`; nobody uses it any more.
    unsafe { libc::munmap(std::ptr::from_ref(page).cast_mut().cast(), 4096) };
}

fn now() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the result is writable.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
