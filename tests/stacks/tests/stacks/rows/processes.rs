//! Children: forked, spawned, and those that borrow our memory.

use std::ffi::{c_int, c_void};
use std::hint::black_box;
use std::os::unix::process::CommandExt;
use std::process::Command;

use failfast_alloc_rows::witness::{self, FORBIDDEN, FREE};
use failfast_alloc_rows::{End, Row};

use super::c_threads::in_thread_of_c;
use super::{by_guard, by_probe, overflows};
use crate::tools::*;

pub(crate) fn rows() -> Vec<Row> {
    let child =
        |name, body: fn()| overflows(name, body).hook_ran().and_then_exits(0).check(by_guard);
    let fine = |name, body: fn()| Row::silent(name, End::Exit(0), body);
    vec![
        child("child_of_main", || {
            set_hook(|_| {});
            dies(in_fork(overflow_by_small_frames));
        }),
        child("child_of_main_by_allocation", || {
            set_hook(|_| {});
            dies(in_fork(overflow_by_allocation));
        })
        .check(by_probe),
        child("child_of_a_thread", || {
            set_hook(|_| {});
            std::thread::spawn(|| dies(in_fork(overflow_by_small_frames))).join().unwrap();
        }),
        child("child_of_a_c_thread", || {
            set_hook(|_| {});
            in_thread_of_c(1 << 20, || dies(in_fork(overflow_by_small_frames)));
        }),
        child("thread_of_a_child_of_a_thread", || {
            set_hook(|_| {});
            std::thread::spawn(|| {
                dies(in_fork(|| {
                    let _ = std::thread::spawn(overflow_by_small_frames).join();
                }));
            })
            .join()
            .unwrap();
        }),
        fine("children_of_a_child_leave_nothing", || {
            // Stacks of threads that the child does not have are for its own threads.
            for _ in 0..20 {
                let _ = std::thread::spawn(|| drop(black_box(Box::new(1)))).join();
            }
            let status = in_fork(|| {
                for _ in 0..200 {
                    std::thread::spawn(|| drop(black_box(Box::new(1)))).join().unwrap();
                }
                let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
                assert!(maps.lines().count() < 200);
            });
            assert_eq!(status, 0);
        }),
        fine("spawned_children", || {
            for _ in 0..30 {
                assert!(Command::new("/bin/true").status().unwrap().success());
                let mut command = Command::new("/bin/true");
                // SAFETY: allocates in the child of a process with one thread.
                let command = unsafe {
                    command.pre_exec(|| {
                        drop(black_box(vec![1_u8; 100]));
                        Ok(())
                    })
                };
                assert!(command.status().unwrap().success());
            }
        }),
        fine("posix_spawn", || {
            for _ in 0..30 {
                let mut child = 0;
                let arguments = [c"true".as_ptr().cast_mut(), std::ptr::null_mut()];
                let none = [std::ptr::null_mut()];
                // SAFETY: C strings, and arrays that end with null.
                let error = unsafe {
                    let path = c"/bin/true".as_ptr();
                    let (actions, attributes) = (std::ptr::null(), std::ptr::null());
                    let (arguments, none) = (arguments.as_ptr(), none.as_ptr());
                    libc::posix_spawn(&mut child, path, actions, attributes, arguments, none)
                };
                assert_eq!((error, wait(child)), (0, 0));
            }
        }),
        // It dies alone and at once: nothing of its parent's is touched.
        fine("overflow_in_a_child_in_our_memory", || {
            witness::open();
            let status = in_our_memory(overflow_in_our_memory);
            assert!(libc::WIFSIGNALED(status), "{status:x}");
            drop(black_box(vec![1_u8; 1000]));
            assert!(failfast_alloc::stack::remaining().is_some());
        }),
        overflows("parent_after_a_child_in_its_memory", || {
            witness::open();
            assert!(libc::WIFSIGNALED(in_our_memory(overflow_in_our_memory)));
            overflow_by_small_frames();
        })
        .check(by_guard),
        Row::silent("another_program_begins_anew", End::Exit(0), || {
            // The handler and the alternate stack are gone: what the program does is its own.
            let error =
                Command::new("/bin/sh").args(["-c", "kill -SEGV $$ || true; exit 0"]).exec();
            panic!("{error}");
        })
        .ends(End::Signal(libc::SIGSEGV)),
    ]
}

fn dies(status: c_int) {
    if !(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGABRT) {
        witness::count(FORBIDDEN);
        witness::note(FREE, status as u64);
    }
}

extern "C" fn overflow_in_our_memory(_: *mut c_void) -> c_int {
    overflow_by_small_frames();
    0
}
