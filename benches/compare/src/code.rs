//! Reads a subject's machine code, with objdump.

use std::io;
use std::path::Path;
use std::process::Command;

/// Whether objdump is installed.
pub fn is_available() -> bool {
    Command::new("objdump").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// The four functions through which every allocation of a Rust program goes.
pub const METHODS: [&str; 4] =
    ["__rust_alloc", "__rust_alloc_zeroed", "__rust_dealloc", "__rust_realloc"];

/// One of [`METHODS`], disassembled.
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// Its instructions, one per line, without their addresses.
    pub instructions: Vec<String>,
}

/// The [`METHODS`] in the program `subject`: its allocator's methods, or the fast path of them.
///
/// # Errors
///
/// If objdump fails, or one of the methods is not there.
pub fn methods(subject: &Path) -> io::Result<Vec<Method>> {
    let mut command = Command::new("objdump");
    command.args(["--disassemble", "--no-show-raw-insn", "--demangle"]).arg(subject);
    let output = command.output()?;
    let listing = String::from_utf8_lossy(&output.stdout);
    METHODS
        .into_iter()
        .map(|name| {
            let instructions = function(&listing, name);
            match instructions.is_empty() {
                false => Ok(Method { name, instructions }),
                true => Err(io::Error::other(format!("{command:?} shows no function {name}"))),
            }
        })
        .collect()
}

/// The instructions of a function: the lines from its label to the next empty one, without the
/// padding at its end.
fn function(listing: &str, name: &str) -> Vec<String> {
    let label = format!("::{name}>:");
    let body = listing.lines().skip_while(|line| !line.ends_with(&label)).skip(1);
    body.take_while(|line| !line.is_empty())
        .filter_map(|line| Some(line.split_once('\t')?.1.trim_end().to_owned()))
        .filter(|instruction| !is_padding(instruction))
        .collect()
}

fn is_padding(instruction: &str) -> bool {
    instruction == "int3" || instruction.contains("nop") || instruction == "xchg   %ax,%ax"
}

/// Whether an instruction reads and writes memory as one atomic step.
pub fn is_locked(instruction: &str) -> bool {
    // `xchg` with memory locks without a prefix; between registers it is padding at most.
    instruction.starts_with("lock ")
        || (instruction.starts_with("xchg") && instruction.contains('('))
}

/// How many instructions of a method compare its stack pointer with a limit and leave it: the
/// comparison, the jump, and what brings the two into registers, where that is needed. Zero if none
/// does.
pub fn stack_probe(instructions: &[String]) -> usize {
    let copy = instructions.iter().find_map(|i| Some(i.strip_prefix("mov    %rsp,")?.trim()));
    let is_probe = |i: &str| {
        i.starts_with("cmp ") && (i.ends_with("%rsp") || copy.is_some_and(|copy| i.contains(copy)))
    };
    let Some(at) = instructions.iter().position(|i| is_probe(i)) else { return 0 };
    let next = instructions.get(at + 1);
    let jumps = next.is_some_and(|i| i.starts_with("jb ") || i.starts_with("jae "));
    // A limit in memory is compared where it is; one in a register was loaded before.
    let loads = usize::from(!instructions[at].contains('('));
    if jumps { 2 + usize::from(copy.is_some()) + loads } else { 0 }
}
