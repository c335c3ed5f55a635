//! Lists of threads, and what is seen of one.
//!
//! Layer 1.  Plane: control.

use super::*;

#[test]
fn lists_this_thread() {
    let (me, mut seen) = (crate::sys::process::tid() as i32, 0);
    assert!(for_each(|thread| seen += u32::from(thread == me)));
    assert_eq!(seen, 1);
}

#[test]
fn a_list_can_be_read_again() {
    let (tasks, me) = (Tasks::open().unwrap(), crate::sys::process::tid() as i32);
    for _ in 0..3 {
        let mut seen = 0;
        assert!(tasks.for_each(|thread| seen += u32::from(thread == me)));
        assert_eq!(seen, 1);
    }
    assert!(count().unwrap() >= 1);
    assert!(largest_number() >= me);
}

#[test]
fn says_what_a_thread_does() {
    let me = crate::sys::process::tid() as i32;
    let task = Task::of(me).unwrap();
    assert_eq!(task.state, b'R');
    assert!(!task.is_kernels() && !task.is_gone());
    assert!(Task::of(0).is_none() && Task::of(i32::MAX).is_none() && Task::of(-1).is_none());
}

#[test]
fn a_thread_that_sleeps_in_the_c_library_is_seen_there() {
    let range = crate::sys::library::c_library().unwrap();
    let (send, receive) = std::sync::mpsc::channel();
    // SAFETY: no preconditions.
    std::thread::spawn(move || {
        crate::sys::signal::block_all_but(0);
        send.send(crate::sys::process::tid() as i32).unwrap();
        loop {
            let (word, none) = (0_u32, std::ptr::null::<libc::timespec>());
            // SAFETY: the word stays; the call waits, and changes nothing.
            unsafe {
                let wait = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
                libc::syscall(libc::SYS_futex, &word, wait, 0, none)
            };
        }
    });
    let thread = receive.recv().unwrap();
    let asleep = loop {
        let task = Task::of(thread).unwrap();
        if task.instruction.is_some_and(|at| range.contains(&at)) && task.state == b'S' {
            break task;
        }
        std::thread::yield_now();
    };
    assert_eq!(asleep.blocked & crate::sys::signal::bit(33), crate::sys::signal::bit(33));
}

#[test]
fn only_other_threads_and_children_are_waited_for() {
    let at = |call: &str| waits_at(call.as_bytes());
    let futex = |operation: u32, timeout: u32| {
        at(&format!("202 0x7f00 {operation:#x} 0x2 {timeout:#x} 0x0 0xffff 0x7ffd 0x4567\n"))
    };
    if cfg!(target_arch = "x86_64") {
        assert_eq!(futex(0x80, 0), Some(0x4567), "FUTEX_WAIT_PRIVATE");
        assert_eq!(futex(0x189, 0), Some(0x4567), "FUTEX_WAIT_BITSET, private, by the clock");
        assert_eq!(futex(0x80, 0x7ffd), None, "with a timeout");
        assert_eq!(futex(0, 0), None, "FUTEX_WAIT: another process may wake it");
        assert_eq!(futex(0x81, 0), None, "FUTEX_WAKE_PRIVATE");
        assert_eq!(at("0 0x3 0x7f 0x1 0x0 0x0 0x0 0x7ffd 0x4567\n"), None, "read");
        assert_eq!(at("58 0x0 0x0 0x0 0x0 0x0 0x0 0x7ffd 0x4567\n"), Some(0x4567), "vfork");
        assert_eq!(at("435 0x1 0x58 0x0 0x0 0x0 0x0 0x7ffd 0x4567\n"), Some(0x4567), "clone3");
    }
    for none in
        ["running\n", "-1 0x7ffd 0x4567\n", "", "202 0x1", "202 0x1 0x2 0x3 x 0x5 0x6 0x7 0x8"]
    {
        assert_eq!(at(none), None, "{none}");
    }
}
