//! Threads that do nothing, or allocate once.

use std::ffi::{c_int, c_void};
use std::hint::black_box;
use std::time::Instant;

type Start = extern "C" fn(*mut c_void) -> *mut c_void;

unsafe extern "C" {
    fn pthread_create(
        thread: *mut usize,
        attributes: *const c_void,
        start: Start,
        argument: *mut c_void,
    ) -> c_int;
    fn pthread_join(thread: usize, result: *mut *mut c_void) -> c_int;
}

/// Prints how many nanoseconds a thread takes, from its making to its end. The first argument says
/// how many there are, the second what they are.
pub(crate) fn run() {
    let mut arguments = std::env::args().skip(1);
    let count: u32 = arguments.next().expect("how many").parse().expect("a number");
    let f: fn() = match arguments.next().as_deref() {
        Some("c") => || of_c(nothing),
        Some("c-allocating") => || of_c(allocate),
        Some("std") => || std::thread::spawn(|| ()).join().expect("its end"),
        _ => panic!("c, c-allocating or std"),
    };
    (0..count / 10).for_each(|_| f());
    let start = Instant::now();
    (0..count).for_each(|_| f());
    println!("{}", start.elapsed().as_nanos() / u128::from(count));
}

extern "C" fn nothing(_: *mut c_void) -> *mut c_void {
    std::ptr::null_mut()
}

extern "C" fn allocate(_: *mut c_void) -> *mut c_void {
    drop(black_box(Box::new(1_u64)));
    std::ptr::null_mut()
}

fn of_c(start: Start) {
    let (mut thread, mut result) = (0, std::ptr::null_mut());
    // SAFETY: a function of the right type; no attributes; the result is writable.
    let made =
        unsafe { pthread_create(&mut thread, std::ptr::null(), start, std::ptr::null_mut()) };
    assert_eq!(made, 0);
    // SAFETY: made above, and joined once.
    assert_eq!(unsafe { pthread_join(thread, &mut result) }, 0);
}
