//! The assembly for aarch64 is accepted by an assembler, all of it, also where there is no compiler
//! for aarch64. (`tests/links` runs a program under an emulator, where there is one.)

use std::collections::BTreeMap;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// From Debian's `binutils-aarch64-linux-gnu`.
const ASSEMBLER: &str = "aarch64-linux-gnu-as";
const DISASSEMBLER: &str = "aarch64-linux-gnu-objdump";

/// One `asm!`, `naked_asm!` or `global_asm!` for aarch64.
struct Block {
    file: PathBuf,
    text: String,
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn blocks() -> Vec<Block> {
    let mut all = Vec::new();
    files(Path::new("src"), &mut all);
    all.sort();
    let mut blocks = Vec::new();
    for file in all {
        let source = std::fs::read_to_string(&file).unwrap();
        for item in source.split("#[cfg(target_arch = \"aarch64\")]").skip(1) {
            // To the end of a function, of an expression's block, or of the whole file.
            let end = item.find("\n}\n").unwrap_or(item.len());
            let end = item[..end].find("#[cfg(target_arch").unwrap_or(end);
            for call in item[..end].split("asm!(").skip(1) {
                blocks.push(Block { file: file.clone(), text: assemble_text(call) });
            }
        }
    }
    blocks
}

/// The instructions in a call of the macro: its strings that come before its operands.
fn assemble_text(call: &str) -> String {
    let mut lines = Vec::new();
    let mut rest = call;
    // Operands begin after the last string that stands alone between commas.
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(string) = rest.strip_prefix('"') {
            let (line, after) = string.split_once('"').expect("a closing quote");
            lines.push(line.to_owned());
            rest = after.trim_start().trim_start_matches(',');
        } else if let Some(parts) = rest.strip_prefix("concat!(") {
            let (parts, after) = parts.split_once("),\n").expect("its end");
            // Strings, and between them a macro's arguments: names of symbols.
            let parts = parts.split('"').enumerate().map(|(place, part)| match place % 2 {
                1 => part,
                _ if part.contains('$') => "symbol",
                _ => "",
            });
            lines.push(parts.collect());
            rest = after;
        } else {
            break;
        }
    }
    let mut names = BTreeMap::new();
    let lines = lines.into_iter().map(|line| fill(&line, rest, &mut names));
    lines.collect::<Vec<_>>().join("\n")
}

/// A line with something in place of its operands: symbols, or registers that nothing else uses.
fn fill(line: &str, operands: &str, names: &mut BTreeMap<String, String>) -> String {
    let Some((before, rest)) = line.split_once('{') else { return line.to_owned() };
    let (name, after) = rest.split_once('}').expect("a closing brace");
    let is_symbol = operands.contains(&format!("{name} = sym"));
    let register = format!("x{}", 9 + names.len());
    let value = match is_symbol {
        true => format!("symbol_{name}"),
        false => names.entry(name.to_owned()).or_insert(register).clone(),
    };
    format!("{before}{value}{}", fill(after, operands, names))
}

fn is_missing(tool: &str) -> bool {
    let missing = Command::new(tool).arg("--version").stdout(Stdio::null()).status().is_err();
    if missing {
        let _ = writeln!(
            stderr(),
            "SKIPPED: {tool} is not installed (Debian: `binutils-aarch64-linux-gnu`)"
        );
    }
    missing
}

/// Assembles, and returns the instructions that came out, or what the assembler says.
fn assemble(text: &str) -> Result<usize, String> {
    static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    let name = format!("failfast-aarch64-{}-{number}.o", std::process::id());
    let object = std::env::temp_dir().join(name);
    let mut command = Command::new(ASSEMBLER);
    command.args(["-march=armv8-a", "-o"]).arg(&object).arg("-");
    let mut child =
        command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the assembler");
    child.stdin.take().unwrap().write_all(format!("{text}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let listing = Command::new(DISASSEMBLER).arg("-d").arg(&object).output().unwrap();
    let _ = std::fs::remove_file(object);
    let listing = String::from_utf8_lossy(&listing.stdout);
    Ok(listing.lines().filter(|line| line.matches('\t').count() >= 2).count())
}

#[test]
fn every_block_is_assembled() {
    if is_missing(ASSEMBLER) || is_missing(DISASSEMBLER) {
        return;
    }
    let blocks = blocks();
    for block in &blocks {
        match assemble(&block.text) {
            Ok(0) => panic!("{}: nothing came out of\n{}", block.file.display(), block.text),
            Ok(_) => {}
            Err(error) => panic!("{}: {error}\n{}", block.file.display(), block.text),
        }
    }
    let found = |name: &str| blocks.iter().any(|block| block.file.ends_with(name));
    for name in [
        "switch.rs",
        "registers.rs",
        "raw.rs",
        "clone.rs",
        "door.rs",
        "interceptor.rs",
        "symbols.rs",
    ] {
        assert!(found(name), "no block in {name}");
    }
    let beginning = blocks.iter().find(|block| block.text.contains("symbol_arrive")).unwrap();
    assert!(beginning.text.contains("br x16"), "{}", beginning.text);
}

/// Else the test above would say nothing.
#[test]
fn the_assembler_refuses_what_is_wrong() {
    if is_missing(ASSEMBLER) || is_missing(DISASSEMBLER) {
        return;
    }
    assert!(assemble("mov rax, rbx").is_err());
    assert!(assemble("stp x29, x30, [sp, #-15]!").is_err());
    assert_eq!(assemble("ret"), Ok(1));
}
