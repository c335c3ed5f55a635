//! A program whose global allocator is another one, and that uses a `FailFast` as a plain value.

fn main() -> std::process::ExitCode {
    failfast_alloc_suite::main(failfast_alloc_suite::Program::Undeclared)
}
