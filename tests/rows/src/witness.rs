//! A page of memory that parent and child share: what happened in there survives any death.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

const WORDS: usize = 512;

/// How often the hook began.
pub const HOOK_BEGAN: usize = 0;
/// How often it came to its end.
pub const HOOK_ENDED: usize = 1;
/// Something that must never happen.
pub const FORBIDDEN: usize = 2;
/// The hook has written down how far the counters are.
const SAMPLED: usize = 3;
/// How many counters have to have moved.
pub const RUNNING: usize = 4;
/// Rows use those from here on.
pub const FREE: usize = 8;
/// What other threads count, and how far they were when the hook began.
pub const COUNTERS: usize = 64;
const SAMPLES: usize = 192;
const COUNTERS_MAX: usize = SAMPLES - COUNTERS;

/// The page, on one side.
pub struct Page(*const [AtomicU64; WORDS]);

// SAFETY: the mapping is never undone, and atomics are all there is in it.
unsafe impl Send for Page {}
// SAFETY: as above.
unsafe impl Sync for Page {}

impl Page {
    /// What is in a word.
    pub fn get(&self, word: usize) -> u64 {
        self.word(word).load(SeqCst)
    }

    /// If the hook has looked at the counters: none has moved since.
    pub fn compare_counters(&self) {
        if self.get(SAMPLED) == 0 {
            return;
        }
        for i in 0..COUNTERS_MAX {
            let [then, now] = [SAMPLES, COUNTERS].map(|words| self.get(words + i));
            assert_eq!(then, now, "thread {i} went on while the hook ran");
            assert!(now > 0 || i as u64 >= self.get(RUNNING), "thread {i} was not there");
        }
    }

    fn word(&self, word: usize) -> &AtomicU64 {
        // SAFETY: mapped, and shared for ever.
        unsafe { &(&*self.0)[word] }
    }

    fn map(fd: i32) -> Self {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping of a file that is as long as the page.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), 4096, access, libc::MAP_SHARED, fd, 0) };
        assert_ne!(at, libc::MAP_FAILED);
        Self(at.cast())
    }
}

/// Makes a page for a child, which inherits the descriptor.
pub fn create() -> (OwnedFd, Page) {
    // SAFETY: a C string; no flag: the child is to inherit it.
    let fd = unsafe { libc::memfd_create(c"witness".as_ptr(), 0) };
    assert!(fd >= 0);
    // SAFETY: just made.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: a file of ours.
    assert_eq!(unsafe { libc::ftruncate(fd.as_raw_fd(), 4096) }, 0);
    let page = Page::map(fd.as_raw_fd());
    (fd, page)
}

/// The name of the variable that says which descriptor it is.
pub const WITNESS: &str = "DEATH_WITNESS";

static MINE: OnceLock<Page> = OnceLock::new();

/// Maps the page in a child. Before anything is to be witnessed.
pub fn open() -> &'static Page {
    MINE.get_or_init(|| {
        Page::map(std::env::var(WITNESS).expect("a witness").parse().expect("a descriptor"))
    })
}

/// In a child: writes something down.
pub fn note(word: usize, value: u64) {
    open().word(word).store(value, SeqCst);
}

/// In a child: where a word is.
pub fn address(word: usize) -> *mut u64 {
    open().word(word).as_ptr()
}

/// In a child: counts something.
pub fn count(word: usize) {
    open().word(word).fetch_add(1, SeqCst);
}

/// In a hook: writes down how far the counters are.
pub fn sample() {
    for i in 0..COUNTERS_MAX {
        note(SAMPLES + i, read(COUNTERS + i));
    }
    note(SAMPLED, 1);
}

/// In a child: what was written down.
pub fn read(word: usize) -> u64 {
    open().get(word)
}

/// In a child: waits until something was written down.
pub fn wait_for(word: usize) {
    while read(word) == 0 {
        // SAFETY: no preconditions. Neither a lock nor the heap, unlike `std::thread`'s.
        unsafe { libc::sched_yield() };
    }
}
