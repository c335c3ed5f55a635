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
    let range = c_library().unwrap();
    let (send, receive) = std::sync::mpsc::channel();
    // SAFETY: no preconditions.
    std::thread::spawn(move || {
        crate::sys::signal::block_all_but(0);
        send.send(crate::sys::process::tid() as i32).unwrap();
        loop {
            // SAFETY: no preconditions.
            unsafe { libc::pause() };
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
fn mappings_come_in_pieces() {
    let text = b"1000-2000 r--p 0 /a\n2000-5000 r-xp 00000000 00:00 0 /a long name of a file\n";
    for size in 1..text.len() {
        let mut segments = Segments::new(0x4fff);
        text.chunks(size).for_each(|piece| segments.feed(piece));
        assert_eq!(segments.found, Some(0x2000..0x5000));
    }
}
