//! A program with the crate inside, which does what its first argument says.

mod deaths;

use std::ffi::{CString, c_int, c_void};
use std::mem::MaybeUninit;

use failfast_alloc::{FailFast, usage};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

type Function = unsafe extern "C" fn();

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().expect("what to do");
    deaths::set_hook("program");
    match what.as_str() {
        "work" => work(),
        "main" => deaths::overflow(),
        "main_by_allocation" => deaths::overflow_by_allocation(),
        "thread" => in_thread(deaths::overflow),
        "thread_by_allocation" => in_thread(deaths::overflow_by_allocation),
        "thread_of_c" => in_thread_of_c(),
        "thrd_of_c" => in_thrd_of_c(),
        "heap" => deaths::exceed_budget(),
        "requested" => failfast_alloc::fail_fast("enough"),
        "null" => deaths::read_null(),
        "use_after_free" => deaths::use_after_free(),
        "leak" => deaths::leak(),
        "host" => {
            let library = load(&arguments.next().expect("a library"));
            arguments.for_each(|name| host(library, &name));
        }
        other => panic!("`{other}` is not known"),
    }
}

/// Allocates and frees, in threads too: the account is right in the end.
fn work() {
    let before = usage().live;
    let sum = |n: usize| (0..n).map(|n| vec![n; n % 100 + 1].len()).sum::<usize>();
    let threads: Vec<_> = (0..4).map(|n| std::thread::spawn(move || sum(n * 1000))).collect();
    let all: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    println!("work: {all} {:?} {}", usage().budget, usage().live - before < 10_000);
}

fn in_thread(f: fn()) {
    std::thread::Builder::new().name("deep".into()).spawn(f).unwrap().join().unwrap();
}

/// A thread that the standard library knows nothing of, and that never allocates.
fn in_thread_of_c() {
    extern "C" fn entry(_: *mut c_void) -> *mut c_void {
        deaths::overflow();
        std::ptr::null_mut()
    }
    let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
    let (none, nothing) = (std::ptr::null(), std::ptr::null_mut());
    // SAFETY: the function is of the right type and takes nothing; no attributes.
    let error = unsafe { libc::pthread_create(thread.as_mut_ptr(), none, entry, nothing) };
    assert_eq!(error, 0);
    // SAFETY: written, since there was no error.
    let thread = unsafe { thread.assume_init() };
    // SAFETY: made above, and joined once.
    unsafe { libc::pthread_join(thread, std::ptr::null_mut()) };
}

/// The same by C11's functions.
fn in_thrd_of_c() {
    unsafe extern "C" {
        fn thrd_create(
            thread: *mut libc::pthread_t,
            start: extern "C" fn(*mut c_void) -> c_int,
            argument: *mut c_void,
        ) -> c_int;
        fn thrd_join(thread: libc::pthread_t, result: *mut c_int) -> c_int;
    }
    extern "C" fn entry(_: *mut c_void) -> c_int {
        deaths::overflow();
        0
    }
    let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
    // SAFETY: the function is of the right type and takes nothing.
    assert_eq!(unsafe { thrd_create(thread.as_mut_ptr(), entry, std::ptr::null_mut()) }, 0);
    // SAFETY: written, since there was no error.
    let thread = unsafe { thread.assume_init() };
    // SAFETY: made above, and joined once.
    unsafe { thrd_join(thread, std::ptr::null_mut()) };
}

/// One thing that a program with a library does.
fn host(library: *mut c_void, name: &str) {
    match name {
        "work" => work(),
        "main" => deaths::overflow(),
        "thread" => in_thread(deaths::overflow),
        "heap" => deaths::exceed_budget(),
        "race" => race(library),
        "fail_while_the_library_fails" => fail_in_hook(library),
        // SAFETY: it is not called any more.
        "close" => assert_eq!(unsafe { libc::dlclose(library) }, 0),
        // SAFETY: they may be called at any time.
        name => unsafe { find(library, name)() },
    }
}

fn find(library: *mut c_void, name: &str) -> Function {
    let name = CString::new(name).unwrap();
    // SAFETY: a loaded library, and a C string.
    let function = unsafe { libc::dlsym(library, name.as_ptr()) };
    assert!(!function.is_null(), "the library has no {name:?}");
    // SAFETY: all that it exports are functions of this type.
    unsafe { std::mem::transmute::<*mut c_void, Function>(function) }
}

/// The program dies, and its hook has the library die too.
fn fail_in_hook(library: *mut c_void) {
    let fail = find(library, "library_fail");
    let hook = move |_: &failfast_alloc::Report| {
        eprintln!("hook of the program");
        // SAFETY: it may be called at any time.
        unsafe { fail() };
    };
    // SAFETY: it writes, and does not return.
    unsafe { failfast_alloc::set_abort_hook(hook) };
    failfast_alloc::fail_fast("enough");
}

/// Eight threads fail at once, half of them in the program and half in the library.
fn race(library: *mut c_void) {
    let fail = find(library, "library_fail");
    let all_here = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for n in 0..8 {
            let all_here = &all_here;
            scope.spawn(move || {
                all_here.wait();
                // SAFETY: it may be called at any time.
                if n % 2 == 0 { unsafe { fail() } } else { failfast_alloc::fail_fast("enough") }
            });
        }
    });
}

fn load(path: &str) -> *mut c_void {
    let path = CString::new(path).unwrap();
    // SAFETY: the library's constructors are ours.
    let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    assert!(!library.is_null(), "{path:?} cannot be loaded");
    library
}
