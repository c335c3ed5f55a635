//! From the fault on, nothing is asked of the C library's heap, and no lock of its is taken: in
//! this program both are traps.
//!
//! A trap sees what is called from outside the C library, by us and by the unwinder; what the C
//! library does inside is seen by the list of system calls in `tests/death`.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use failfast_alloc::FailFast;
use failfast_alloc_rows::Test;
use failfast_alloc_rows::child::{self, HANGS_AFTER};
use failfast_alloc_stacks::frames_small;

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

/// What a child exits with that was trapped.
const TRAPPED: i32 = 99;

/// Whether the traps are set.
static SET: AtomicBool = AtomicBool::new(false);
/// How often something went through them before they were.
static PASSED: AtomicUsize = AtomicUsize::new(0);

fn trap() {
    if SET.load(SeqCst) {
        // SAFETY: no preconditions.
        unsafe { libc::_exit(TRAPPED) };
    }
    PASSED.fetch_add(1, SeqCst);
}

unsafe extern "C" {
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
    fn __libc_realloc(block: *mut c_void, size: usize) -> *mut c_void;
    fn __libc_memalign(align: usize, size: usize) -> *mut c_void;
    fn __libc_free(block: *mut c_void);
}

/// Defines a function of the C library's name, for the whole program, which goes on to its own.
macro_rules! traps {
    ($($name:ident($($arg:ident: $type:ty),*) $(-> $result:ty)? => $real:ident;)*) => {$(
        /// # Safety
        ///
        /// That of the function of this name.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($arg: $type),*) $(-> $result)? {
            trap();
            // SAFETY: the caller's clause.
            unsafe { $real($($arg),*) }
        }
    )*};
}

traps! {
    malloc(size: usize) -> *mut c_void => __libc_malloc;
    calloc(count: usize, size: usize) -> *mut c_void => __libc_calloc;
    realloc(block: *mut c_void, size: usize) -> *mut c_void => __libc_realloc;
    memalign(align: usize, size: usize) -> *mut c_void => __libc_memalign;
    aligned_alloc(align: usize, size: usize) -> *mut c_void => __libc_memalign;
    free(block: *mut c_void) => __libc_free;
}

/// The same for locks, whose own functions have no other name to be linked by.
macro_rules! locks {
    ($($name:ident = $text:literal;)*) => {$(
        /// # Safety
        ///
        /// That of the function of this name.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(lock: *mut c_void) -> c_int {
            trap();
            static REAL: AtomicUsize = AtomicUsize::new(0);
            if REAL.load(SeqCst) == 0 {
                // SAFETY: a C string.
                let real = unsafe { libc::dlsym(libc::RTLD_NEXT, $text.as_ptr()) };
                REAL.store(real.addr(), SeqCst);
            }
            let real = std::ptr::with_exposed_provenance::<()>(REAL.load(SeqCst));
            // SAFETY: found under that name.
            let real = unsafe {
                std::mem::transmute::<*const (), unsafe extern "C" fn(*mut c_void) -> c_int>(real)
            };
            // SAFETY: the caller's clause.
            unsafe { real(lock) }
        }
    )*};
}

locks! {
    pthread_mutex_lock = c"pthread_mutex_lock";
    pthread_rwlock_rdlock = c"pthread_rwlock_rdlock";
    pthread_rwlock_wrlock = c"pthread_rwlock_wrlock";
}

fn overflow() {
    SET.store(true, SeqCst);
    std::hint::black_box(frames_small(0));
}

fn overflow_by_allocation() {
    thread_local!(static DEPTH: Cell<usize> = const { Cell::new(0) });
    #[inline(never)]
    #[allow(unconditional_recursion, reason = "that is what it is for")]
    fn go_down() -> usize {
        // The traps are set within reach of the red zone, so that what the inner allocator does
        // before is none of theirs.
        if failfast_alloc::stack::remaining().is_some_and(|bytes| bytes < 4096) {
            SET.store(true, SeqCst);
            failfast_alloc::stack::probe(8192);
        }
        DEPTH.set(DEPTH.get() + 1);
        let here = std::hint::black_box([DEPTH.get(); 16]);
        go_down() + here[3]
    }
    std::hint::black_box(go_down());
}

/// Its name, what the child does, and whether it dies as it should, or in a trap.
struct Trapped(&'static str, fn(), bool);

impl Test for Trapped {
    fn name(&self) -> &str {
        self.0
    }

    fn body(&self) {
        self.1();
    }

    fn check(&self) -> Result<(), String> {
        let mut command = child::command(self.0);
        let ended = child::run(command.stderr(Stdio::piped()), HANGS_AFTER)?;
        let is_right = match self.2 {
            true => ended.status.signal() == Some(libc::SIGABRT) && ended.err.lines().count() == 1,
            false => ended.status.code() == Some(TRAPPED),
        };
        if is_right { Ok(()) } else { Err(format!("{ended:?}")) }
    }
}

fn rows() -> Vec<Trapped> {
    vec![
        Trapped("main", overflow, true),
        Trapped("main_by_the_probe", overflow_by_allocation, true),
        Trapped("a_thread", || drop(std::thread::spawn(overflow).join()), true),
        Trapped(
            "a_thread_by_the_probe",
            || drop(std::thread::spawn(overflow_by_allocation).join()),
            true,
        ),
        Trapped(
            "a_hook_that_allocates",
            || {
                // SAFETY: the hook needs nothing.
                unsafe { failfast_alloc::set_abort_hook(|_| drop(vec![1_u8; 10_000])) };
                overflow();
            },
            true,
        ),
        Trapped(
            "the_trap_itself",
            || {
                assert!(PASSED.load(SeqCst) > 0);
                SET.store(true, SeqCst);
                drop(std::hint::black_box(Box::new(1)));
            },
            false,
        ),
        Trapped(
            "the_trap_of_locks",
            || {
                let mut mutex = libc::PTHREAD_MUTEX_INITIALIZER;
                SET.store(true, SeqCst);
                // SAFETY: a mutex that nobody holds.
                unsafe { libc::pthread_mutex_lock(&mut mutex) };
            },
            false,
        ),
    ]
}

fn main() -> ExitCode {
    failfast_alloc_rows::main(rows(), Vec::new())
}
