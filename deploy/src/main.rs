//! Something to deploy: it dies of its budget, after a hook that takes its time.

use std::time::Duration;

use failfast_alloc::{FailFast, set_abort_hook};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

fn main() {
    // SAFETY: it touches nothing.
    unsafe { set_abort_hook(|_| std::thread::sleep(Duration::from_millis(20))) };
    let mut kept = Vec::new();
    for _ in 0..4096 {
        kept.push(std::hint::black_box(vec![0_u8; 1 << 20]));
    }
    eprintln!("failfast-server: 4 GiB and no end: is FAILFAST_BUDGET set?");
}
