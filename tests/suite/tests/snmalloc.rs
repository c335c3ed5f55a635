//! The suite over snmalloc.

use failfast_alloc::FailFast;

#[global_allocator]
static ALLOC: FailFast<snmalloc_rs::SnMalloc> = FailFast::new(snmalloc_rs::SnMalloc);

fn main() -> std::process::ExitCode {
    failfast_alloc_suite::main(failfast_alloc_suite::Program::Default)
}
