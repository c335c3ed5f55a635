//! No pthread key is left when the process starts: no thread has a destructor of ours.

use std::process::ExitCode;
use std::thread;

use failfast_alloc::{Cluster, FailFast, Limit, usage};
use failfast_alloc_suite::{End, Scenario, plain, run};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

/// Runs before the crate's own constructor, which has a later priority.
#[used]
#[unsafe(link_section = ".init_array.00030")]
static TAKE_ALL: extern "C" fn() = take_all;

extern "C" fn take_all() {
    let mut key = 0;
    // SAFETY: `key` is writable; there is no destructor.
    while unsafe { libc::pthread_key_create(&mut key, None) } == 0 {}
}

/// Runs after it: the standard library needs some for threads.
#[used]
#[unsafe(link_section = ".init_array.00200")]
static GIVE_SOME: extern "C" fn() = give_some;

extern "C" fn give_some() {
    for key in 500..510 {
        // SAFETY: created by `take_all`, and used by nobody.
        unsafe { libc::pthread_key_delete(key) };
    }
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        end: End::SaysOnly("failfast: warning: no pthread key is left"),
        ..plain("threads_settle_each_call", settle)
    },
    Scenario {
        end: End::SaysOnly("failfast: warning: no pthread key is left"),
        ..plain("clusters_outlive_their_threads", outlive)
    },
];

/// Runs `f` in a thread whose stack, and with it its thread-local storage, is unmapped at its end.
fn in_thread<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(64 << 20);
        builder.spawn_scoped(scope, f).unwrap().join().unwrap()
    })
}

fn settle() {
    in_thread(|| ());
    let before = usage().live;
    for round in 1..50 {
        drop(in_thread(|| vec![0_u8; 1000 * round]));
        let block = vec![0_u8; 1000 * round];
        in_thread(|| drop(block));
    }
    assert_eq!(usage().live, before);
}

fn outlive() {
    for _ in 0..100 {
        let job = Cluster::builder("job").budget(Limit::bytes(100_000)).build().unwrap();
        let kept = job.run(|| vec![0_u8; 500]);
        let block = in_thread(|| job.run(|| vec![0_u8; 1000]));
        assert_eq!(job.usage().live, 1500);
        in_thread(|| drop(kept));
        assert_eq!(job.usage().live, 1000);
        let mut block = in_thread(|| {
            let mut block = block;
            block.reserve_exact(2000);
            block
        });
        block.shrink_to(1500);
        assert_eq!(job.usage().live, 1500);
        drop(job);
        drop(block);
    }
    // All of them can go: nobody is in them.
    let many = (0..65_535).map(|_| Cluster::builder("it").build());
    assert_eq!(many.filter_map(Result::ok).count(), 65_535);
}

fn main() -> ExitCode {
    run(SCENARIOS)
}
