//! The suite over jemalloc.

use failfast_alloc::FailFast;

#[global_allocator]
static ALLOC: FailFast<tikv_jemallocator::Jemalloc> = FailFast::new(tikv_jemallocator::Jemalloc);

fn main() -> std::process::ExitCode {
    failfast_alloc_suite::main(failfast_alloc_suite::Program::Default)
}
