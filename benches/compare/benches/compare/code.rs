//! The fast path, disassembled.

use std::io;

use failfast_alloc_bench::code;
use failfast_alloc_bench::matrix::{Inner, Wrapper};

use crate::subjects::Subjects;

/// Prints what an allocation goes through, over the C library's malloc.
pub(crate) fn print(subjects: &Subjects) -> io::Result<()> {
    println!("\n### Code");
    if !code::is_available() {
        println!("\nSKIPPED: objdump is not installed (Debian: `binutils`).");
        return Ok(());
    }
    println!(
        "\nWhat each call goes through over the C library's malloc. Locked instructions are marked."
    );
    for method in code::methods(&subjects.subject(Inner::System, Wrapper::FailFast))? {
        println!("\n```text\n{}:", method.name);
        for instruction in method.instructions {
            let mark = if code::is_locked(&instruction) { "    <== locked" } else { "" };
            println!("    {instruction}{mark}");
        }
        println!("```");
    }
    Ok(())
}
