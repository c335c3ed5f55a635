//! Threads and processes begin and end, and the accounts stay right.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread;

use failfast_alloc::{FailFast, fallible, usage};

use crate::{Scenario, plain};

pub(crate) const SCENARIOS: &[Scenario] = &[
    plain("short_threads_return_every_byte", short_threads),
    plain("thread_local_destructors_allocate_and_free", thread_locals),
    plain("key_destructors_allocate_in_every_round", keys),
    plain("a_constructor_that_allocates_before_ours", constructor::check),
    plain("fork_from_a_threaded_program", fork),
    plain("fork_without_handlers", raw_fork),
    plain("errno_is_untouched", errno),
    plain("errno_is_untouched_by_a_threads_first_call", || in_bare_thread(first_call_and_errno)),
];

/// A first thread makes what the runtime keeps for good.
fn settle() -> usize {
    for _ in 0..4 {
        thread::spawn(|| ()).join().unwrap();
    }
    usage().live
}

fn short_threads() {
    let before = settle();
    for batch in 0..2500 {
        let threads: Vec<_> = (0..8)
            .map(|i| thread::spawn(move || black_box(vec![0_u8; 100 * i + batch]).len()))
            .collect();
        assert_eq!(
            threads.into_iter().map(|thread| thread.join().unwrap()).max(),
            Some(700 + batch)
        );
    }
    assert_eq!(usage().live, before);
}

thread_local! {
    static KEPT: RefCell<Kept> = const { RefCell::new(Kept(Vec::new())) };
}

/// Frees what it has, and allocates and frees more, when its thread ends.
struct Kept(Vec<Box<[u8]>>);

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.clear();
        for n in 1..50 {
            drop(black_box(vec![1_u8; n * 100]));
        }
        drop(black_box(format!("{:?}", thread::current().id())));
    }
}

fn thread_locals() {
    let before = settle();
    for _ in 0..200 {
        thread::spawn(|| {
            KEPT.with_borrow_mut(|kept| kept.0.extend((1..20).map(|n| vec![0; n * 999].into())));
        })
        .join()
        .unwrap();
    }
    assert_eq!(usage().live, before);
}

/// Re-arms its key in each of the rounds that POSIX grants (PTHREAD_DESTRUCTOR_ITERATIONS), and
/// allocates and frees in each: later than any destructor of ours.
unsafe extern "C" fn again(value: *mut c_void) {
    let round = value.addr();
    drop(black_box(vec![0_u8; 5000 * round]));
    // SAFETY: the block was leaked by the round before, or by the thread itself.
    drop(unsafe { Box::from_raw(LAST.get()) });
    LAST.set(Box::into_raw(Box::new([round as u8; 64])));
    if round < 4 {
        // SAFETY: the key was created; the value is only compared.
        unsafe { libc::pthread_setspecific(key(), std::ptr::without_provenance(round + 1)) };
    } else {
        // SAFETY: leaked a line above, and freed once.
        drop(unsafe { Box::from_raw(LAST.get()) });
    }
}

thread_local! {
    static LAST: Cell<*mut [u8; 64]> = const { Cell::new(std::ptr::null_mut()) };
}

fn key() -> libc::pthread_key_t {
    static KEY: std::sync::OnceLock<libc::pthread_key_t> = std::sync::OnceLock::new();
    *KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: writable, and a destructor of the right type.
        assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(again)) }, 0);
        key
    })
}

fn keys() {
    let before = {
        key();
        settle()
    };
    for _ in 0..300 {
        thread::spawn(|| {
            LAST.set(Box::into_raw(Box::new([0; 64])));
            // SAFETY: the key was created.
            unsafe { libc::pthread_setspecific(key(), std::ptr::without_provenance(1)) };
        })
        .join()
        .unwrap();
    }
    assert_eq!(usage().live, before);
}

mod constructor {
    use std::sync::Mutex;

    static EARLY: Mutex<Option<Box<[u8]>>> = Mutex::new(None);

    /// Runs before the crate's own constructor, which has a later priority.
    #[used]
    #[unsafe(link_section = ".init_array.00050")]
    static CONSTRUCTOR: extern "C" fn() = allocate;

    extern "C" fn allocate() {
        *EARLY.lock().unwrap() = Some(vec![7; 12_345].into());
    }

    pub(crate) fn check() {
        let before = super::usage().live;
        let early = EARLY.lock().unwrap().take().expect("the constructor has not run");
        assert_eq!((early.len(), early[12_344]), (12_345, 7));
        drop(early);
        assert_eq!(super::usage().live, before - 12_345);
    }
}

/// Forks while other threads allocate; in the child, whose other threads are gone, their leases
/// must be there for it. Exits with 0 if they are.
fn fork() {
    // SAFETY: the child calls only `in_child`.
    forked(|| unsafe { libc::fork() }, true);
}

/// No handlers run, ours and the inner allocator's neither: the child may only look, and it may
/// find the ledger torn; then it must end at once.
fn raw_fork() {
    // SAFETY: as above.
    forked(|| unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) as i32 }, false);
}

fn forked(fork: fn() -> i32, with_handlers: bool) {
    let stop = &std::sync::atomic::AtomicBool::new(false);
    let kept = vec![1_u8; 1 << 20];
    thread::scope(|scope| {
        for n in 0..4 {
            scope.spawn(move || {
                while !stop.load(Relaxed) {
                    drop(black_box(vec![0_u8; 1000 * n + 8]));
                }
            });
        }
        for _ in 0..50 {
            let pid = fork();
            if pid == 0 {
                in_child(kept.len(), with_handlers);
            }
            let mut status = 0;
            // SAFETY: our own child, and a writable status.
            unsafe { libc::waitpid(pid, &mut status, 0) };
            let code = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
            let fine = code == Some(0) || (code == Some(134) && !with_handlers);
            assert!(fine, "the child ended with {status:#x}");
        }
        stop.store(true, Relaxed);
    });
}

fn in_child(kept: usize, may_allocate: bool) -> ! {
    let now = usage();
    let mut sane = now.live >= kept && now.live < kept + (1 << 20);
    if may_allocate {
        let block = fallible(|| vec![1_u8; 1000]);
        sane &= usage().live == now.live + 1000;
        std::mem::forget(block);
    }
    // SAFETY: ends the child at once.
    unsafe { libc::_exit(if sane { 0 } else { 1 }) }
}

/// Cuts blocks off an arena, and leaves `errno` alone, as few allocators do.
struct Arena(AtomicUsize);

static MEMORY: [AtomicU64; 1 << 21] = [const { AtomicU64::new(0) }; 1 << 21];

// SAFETY: blocks are aligned for 8 bytes, apart, and never reused.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let at = self.0.fetch_add(layout.size().div_ceil(8), Relaxed);
        match MEMORY.get(at..at + layout.size().div_ceil(8)) {
            Some(words) if layout.align() <= 8 => words.as_ptr().cast_mut().cast(),
            _ => std::ptr::null_mut(),
        }
    }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

static ARENA: FailFast<Arena> = FailFast::new(Arena(AtomicUsize::new(0)));

fn in_bare_thread(f: extern "C" fn(*mut c_void) -> *mut c_void) {
    let (mut thread, nothing) = (0, std::ptr::null_mut());
    // SAFETY: a thread with nothing to be told, which is joined.
    unsafe {
        assert_eq!(libc::pthread_create(&mut thread, std::ptr::null(), f, nothing), 0);
        assert_eq!(libc::pthread_join(thread, std::ptr::null_mut()), 0);
    }
}

extern "C" fn first_call_and_errno(_: *mut c_void) -> *mut c_void {
    let layout = Layout::from_size_align(100, 8).unwrap();
    // SAFETY: this thread's own word; the block is freed once.
    unsafe {
        *libc::__errno_location() = 4713;
        let block = ARENA.alloc(layout);
        assert_eq!(*libc::__errno_location(), 4713);
        ARENA.dealloc(block, layout);
        assert_eq!(*libc::__errno_location(), 4713);
    }
    std::ptr::null_mut()
}

fn errno() {
    let set = |value| {
        // SAFETY: this thread's own word.
        unsafe { *libc::__errno_location() = value }
    };
    let get = || {
        // SAFETY: this thread's own word.
        unsafe { *libc::__errno_location() }
    };
    // A new thread is armed by its first call, and leases by many of the others.
    thread::spawn(move || {
        set(4711);
        for n in 1..400 {
            let layout = Layout::from_size_align(n * 100, 8).unwrap();
            // SAFETY: not empty; freed once.
            unsafe {
                let block = ARENA.alloc(layout);
                assert!(!block.is_null());
                assert_eq!(get(), 4711, "allocating changed errno");
                let block = ARENA.realloc(block, layout, n * 90);
                assert_eq!(get(), 4711, "shrinking changed errno");
                ARENA.dealloc(block, Layout::from_size_align(n * 90, 8).unwrap());
            }
            assert_eq!(get(), 4711, "freeing changed errno");
        }
        assert!(fallible(|| Vec::<u8>::new().try_reserve(usize::MAX / 4)).is_err());
    })
    .join()
    .unwrap();
}
