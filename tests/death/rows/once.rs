//! The failing call never returns, and nothing of the program runs that its end would run.

use std::ffi::c_void;
use std::hint::black_box;

use failfast_alloc_rows::Row;
use failfast_alloc_rows::witness::{self, FORBIDDEN};

use crate::tools::*;

/// Something that counts when it is dropped.
struct Witness;

impl Drop for Witness {
    fn drop(&mut self) {
        witness::count(FORBIDDEN);
    }
}

thread_local!(static LOCAL: Witness = const { Witness });

const WAYS: [(&str, &str, fn()); 4] = [
    ("request", "requested", || fail()),
    ("allocation", "heap-budget", || drop(black_box(vec![1_u8; 64 << 20]))),
    ("overflow", "stack-overflow", overflow_by_small_frames),
    ("deep_allocation", "stack-overflow", overflow_by_allocation),
];

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, cause, fail) in WAYS {
        let row = |place, body: Box<dyn Fn() + Send + Sync>| {
            let name = format!("a_{name}_in_{place}_never_returns");
            let row = Row::dies(name.leak(), cause, "failfast: <any>", body);
            row.env("FAILFAST_BUDGET", "32MiB").hook_ran()
        };
        rows.push(row("the_first_thread", Box::new(move || among_witnesses(fail))));
        rows.push(row(
            "another_thread",
            Box::new(move || {
                let _first = Witness;
                LOCAL.with(|_| {});
                let _ = std::thread::spawn(move || among_witnesses(fail)).join();
                witness::count(FORBIDDEN);
            }),
        ));
        rows.push(row(
            "a_thread_of_c",
            Box::new(move || {
                in_thread_of_c(fail);
                witness::count(FORBIDDEN);
            }),
        ));
    }
    rows
}

/// Fails where everything counts that might run by it.
fn among_witnesses(fail: fn()) {
    extern "C" fn at_exit() {
        witness::count(FORBIDDEN);
    }
    extern "C" fn with_value(_: *mut c_void) {
        witness::count(FORBIDDEN);
    }
    set_hook(|_| {});
    LOCAL.with(|_| {});
    // SAFETY: functions of the right types, and a key that is made before it is used.
    unsafe {
        libc::atexit(at_exit);
        let mut key = 0;
        assert_eq!(libc::pthread_key_create(&mut key, Some(with_value)), 0);
        libc::pthread_setspecific(key, std::ptr::without_provenance(1));
    }
    std::panic::set_hook(Box::new(|_| witness::count(FORBIDDEN)));
    let _on_the_stack = Witness;
    let _ = std::panic::catch_unwind(|| {
        let _inside = Witness;
        fail();
        witness::count(FORBIDDEN);
    });
    witness::count(FORBIDDEN);
}

/// Fails in a thread that Rust knows nothing of.
fn in_thread_of_c(fail: fn()) {
    extern "C" fn entry(fail: *mut c_void) -> *mut c_void {
        // SAFETY: the function that was handed over.
        let fail = unsafe { std::mem::transmute::<*mut c_void, fn()>(fail) };
        among_witnesses(fail);
        std::ptr::null_mut()
    }
    // SAFETY: an entry that takes what it is given.
    unsafe {
        let mut thread = 0;
        let fail = fail as *mut c_void;
        assert_eq!(libc::pthread_create(&mut thread, std::ptr::null(), entry, fail), 0);
        libc::pthread_join(thread, std::ptr::null_mut());
    }
}
