//! A program that has the allocator, and dies as its first argument says.

use std::hint::black_box;
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use failfast_alloc::{Cluster, FailFast, Limit, fail_fast, set_abort_hook};
use failfast_alloc_outside::refuse;

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

fn main() {
    let how = std::env::args().nth(1).unwrap_or_default();
    let (how, more) = how.split_once(':').unwrap_or((&how, ""));
    match how {
        "exit" => std::process::exit(more.parse().unwrap()),
        "abort" => std::process::abort(),
        "raise" => raise(more.parse().unwrap()),
        "heap" => over_budget(),
        "cluster" => {
            let cluster = Cluster::builder(more).budget(Limit::mib(1)).build().unwrap();
            cluster.run(over_budget)
        }
        "refused" => drop(black_box(Vec::<u8>::with_capacity(1 << 46))),
        "stack-budget" => drop(black_box(deeper(0, true))),
        "stack-overflow" => drop(black_box(deeper(0, false))),
        "requested" => fail_fast("the ledger of orders is \"inconsistent\"\n"),
        "hook" => with_hook(more),
        "unproven" => unproven(),
        "sleep" => sleep(),
        "busy" => busy(),
        "touch" => touch(),
        "spawns" => spawns(),
        "forks" => forks(),
        "vforks" => vforks(),
        _ => panic!("no such way to die: {how}"),
    }
}

fn over_budget() {
    let mut kept = Vec::new();
    loop {
        kept.push(black_box(vec![1_u8; 64 << 10]));
    }
}

#[expect(unconditional_recursion, reason = "it is what is wanted")]
fn deeper(depth: u64, allocates: bool) -> u64 {
    let frame = black_box([depth; 64]);
    if allocates {
        drop(black_box(Box::new(depth)));
    }
    black_box(deeper(depth + 1, allocates) + frame[black_box(3)])
}

fn raise(signal: i32) {
    // SAFETY: a number.
    unsafe { libc::raise(signal) };
    sleep()
}

/// Says that it is there, and waits.
fn sleep() {
    println!("ready");
    std::io::stdout().flush().unwrap();
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Fails at once, and goes through all phases.
fn busy() {
    // SAFETY: the hook relies on nothing.
    unsafe { set_abort_hook(|_| {}) };
    println!("ready");
    over_budget()
}

/// Takes memory until the kernel has no more.
fn touch() {
    let mut kept = Vec::new();
    loop {
        kept.push(black_box(vec![1_u8; 1 << 20]));
    }
}

fn with_hook(how: &str) {
    let how = how.to_string();
    let hook = move |_: &_| match how.as_str() {
        "ran" => {}
        "hangs" => loop {
            std::hint::spin_loop();
        },
        "panics" => panic!("the hook"),
        "aborts" => std::process::abort(),
        "faults" => {
            // SAFETY: none: a fault is what is wanted.
            unsafe { std::ptr::null_mut::<u8>().write_volatile(1) };
        }
        // SAFETY: a number.
        "leaves" => unsafe { libc::_exit(0) },
        "greedy" => drop(black_box(vec![1_u8; 64 << 20])),
        _ => std::process::abort(),
    };
    // SAFETY: the hook relies on nothing.
    unsafe { set_abort_hook(hook) };
    over_budget()
}

/// Has a thread that nobody can stop.
fn unproven() {
    // By it any thread could be stopped.
    refuse(libc::SYS_ptrace);
    let (ready, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let all = !0_u64;
        // SAFETY: a mask of eight bytes. Past the C library, which leaves two signals out.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigprocmask,
                libc::SIG_SETMASK,
                &raw const all,
                0_usize,
                8_usize,
            )
        };
        ready.send(()).unwrap();
        loop {
            std::hint::spin_loop();
        }
    });
    wait.recv().unwrap();
    with_hook("ran")
}

/// Forks; the child fails, and the parent goes on.
fn forks() {
    // SAFETY: there is one thread.
    let child = unsafe { libc::fork() };
    if child == 0 {
        over_budget();
    }
    let mut status = 0;
    // SAFETY: the result is writable.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGABRT);
    std::process::exit(9);
}

/// Has a child that shares this process's memory, as `vfork` makes them, fail; and goes on.
fn vforks() {
    extern "C" fn fail(_: *mut libc::c_void) -> libc::c_int {
        fail_fast("a child in our memory")
    }
    let mut stack = vec![0_u8; 256 << 10];
    let top = stack.as_mut_ptr_range().end.map_addr(|address| address & !15);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack is the child's until it ends, which `CLONE_VFORK` waits for.
    let child = unsafe { libc::clone(fail, top.cast(), flags, std::ptr::null_mut()) };
    let mut status = 0;
    // SAFETY: the result is writable.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGABRT);
    std::process::exit(9);
}

/// Runs itself, which fails; and goes on.
fn spawns() {
    let itself = std::env::current_exe().unwrap();
    let output = Command::new(itself).arg("heap").output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.starts_with("failfast: heap budget: "), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    std::process::exit(7);
}
