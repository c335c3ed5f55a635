//! Names from wherever the debug information is.
//!
//! A small program is compiled in each way in which debug information can be kept, and a report is
//! made up whose frames are all addresses of one of its functions, into which another was inlined.

use crate::Row;
use crate::tools::{Done, Folder, failfast, run};
use object::{Object, ObjectSegment, ObjectSymbol};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const ROWS: &[Row] = &[
    ("symbols::in_the_program", in_the_program),
    ("symbols::linked_at_a_fixed_address", linked_at_a_fixed_address),
    ("symbols::in_a_package_beside_it", in_a_package_beside_it),
    ("symbols::by_debug_link", by_debug_link),
    ("symbols::by_build_id", by_build_id),
    ("symbols::named_on_the_command_line", named_on_the_command_line),
    ("symbols::of_another_build", of_another_build),
    ("symbols::nowhere", nowhere),
    ("symbols::only_regular_files_are_opened", only_regular_files_are_opened),
];

const SOURCE: &str = "\
#[no_mangle]
#[inline(never)]
pub extern \"C\" fn outer(number: u64) -> u64 {
    inner(number) + 1
}

#[inline(always)]
fn inner(number: u64) -> u64 {
    std::hint::black_box(number) * 3
}

fn main() {
    println!(\"{}\", outer(std::env::args().count() as u64));
}
";

/// A compiled program, and a report on it.
struct Program {
    folder: Folder,
    report: PathBuf,
}

impl Program {
    /// Compiles with these flags besides, as `opt/server`.
    fn compile(flags: &[&str]) -> Self {
        let folder = Folder::new();
        let source = folder.file("server.rs", SOURCE);
        let binary = folder.path("opt/server");
        std::fs::create_dir(folder.path("opt")).unwrap();
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut command = Command::new(rustc);
        command.args(["-O", "-g", "--edition=2021", "-Clink-arg=-Wl,--build-id"]).args(flags);
        let done = run(command.arg(source).arg("-o").arg(&binary));
        assert_eq!(done.status, 0, "{}", done.err);
        let report = folder.file("report.json", report_on(&binary, &binary).to_string());
        Self { folder, report }
    }

    fn binary(&self) -> PathBuf {
        self.folder.path("opt/server")
    }

    fn explain(&self, more: &[&str]) -> Done {
        run(failfast().args(["explain", "--json"]).args(more).arg(&self.report))
    }

    /// Splits the debug information off, into this file. `false` if there is no tool for that.
    #[must_use]
    fn split_off(&self, to: &str, is_linked: bool) -> bool {
        let to = self.folder.path(to);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        let binary = self.binary();
        let mut first = Command::new("objcopy");
        if first.arg("--only-keep-debug").arg(&binary).arg(&to).output().is_err() {
            eprintln!("SKIPPED: splitting debug information off needs objcopy (binutils)");
            return false;
        }
        let mut second = Command::new("objcopy");
        second.arg("--strip-all");
        if is_linked {
            second.arg(format!("--add-gnu-debuglink={}", to.display()));
        }
        assert_eq!(run(second.arg(&binary)).status, 0);
        true
    }
}

/// A report with a frame for every address that a call within `outer` may return to: from its
/// second byte to the first one after it.
fn report_on(binary: &Path, path: &Path) -> Value {
    let data = std::fs::read(binary).unwrap();
    let file = object::File::parse(&*data).unwrap();
    let base = file.segments().map(|it| it.address()).min().unwrap() & !0xfff;
    let symbol = file.symbols().find(|it| it.name() == Ok("outer")).unwrap();
    let offset = symbol.address() - base;
    assert!((2..200).contains(&symbol.size()), "{symbol:?}");
    let frames = (1..=symbol.size()).map(|at| {
        json!({
            "addr": format!("{:#x}", 0x5000_0000 + offset + at),
            "module": 0,
            "offset": format!("{:#x}", offset + at),
        })
    });
    json!({
        "failfast": 1,
        "cause": "requested",
        "time": "2999-01-01T00:00:00.000Z",
        "backtrace": frames.collect::<Value>(),
        "modules": [{ "path": path, "base": "0x50000000" }],
    })
}

/// All that was said about frames, and of the module.
fn symbols(done: &Done) -> (Vec<Value>, Value) {
    let said: Value = serde_json::from_str(&done.out).unwrap_or_else(|_| panic!("{}", done.err));
    let frames = said["backtrace"].as_array().unwrap().iter();
    let frames = frames.map(|frame| frame["symbols"].clone()).collect();
    (frames, said["explained"]["modules"][0].clone())
}

/// All is known: both functions, their lines, that one is a part of the other.
#[track_caller]
fn all_is_known(done: &Done, from: &str) {
    let (frames, module) = symbols(done);
    assert!(module["symbols_from"].as_str().unwrap().ends_with(from), "{module}");
    assert_eq!(module["note"], Value::Null);
    // The two outermost, since the standard library may have been inlined as well.
    let outermost = |frame: &Value| frame.as_array()?.last_chunk::<2>().cloned();
    let frame = frames.iter().find_map(outermost).unwrap_or_else(|| panic!("{module}"));
    let frame = Value::from(frame.to_vec());
    let name = |symbol: &Value| symbol["function"].as_str().unwrap().to_string();
    assert!(name(&frame[0]).ends_with("inner"), "{frame}");
    assert_eq!((&frame[0]["line"], &frame[0]["inlined"]), (&json!(9), &json!(true)));
    assert!(name(&frame[1]).ends_with("outer"), "{frame}");
    assert_eq!((&frame[1]["line"], &frame[1]["inlined"]), (&json!(4), &json!(false)));
    assert!(frame[0]["file"].as_str().unwrap().ends_with("server.rs"), "{frame}");
    let last = frames.iter().filter_map(Value::as_array).filter_map(|symbols| symbols.last());
    assert_eq!(last.clone().count(), frames.len());
    last.for_each(|symbol| assert!(name(symbol).ends_with("outer"), "{symbol}"));
}

/// Nothing is known, and the note says why.
#[track_caller]
fn nothing_is_known(done: &Done, note: &str) {
    let (frames, module) = symbols(done);
    assert!(module["note"].as_str().unwrap().contains(note), "{module}");
    assert_eq!(frames.iter().find(|frame| *frame != &json!([])), None);
}

fn in_the_program() {
    all_is_known(&Program::compile(&[]).explain(&[]), "opt/server");
}

fn linked_at_a_fixed_address() {
    let program = Program::compile(&["-Crelocation-model=static", "-Clink-arg=-no-pie"]);
    let data = std::fs::read(program.binary()).unwrap();
    let file = object::File::parse(&*data).unwrap();
    assert!(file.segments().map(|it| it.address()).min().unwrap() > 0, "not what it should be");
    all_is_known(&program.explain(&[]), "opt/server");
    if program.split_off("opt/server.debug", true) {
        all_is_known(&program.explain(&[]), "server.debug");
        std::fs::remove_file(program.binary()).unwrap();
        let file = program.folder.path("opt/server.debug");
        all_is_known(&program.explain(&["--debug-file", file.to_str().unwrap()]), "server.debug");
    }
}

fn in_a_package_beside_it() {
    let program = Program::compile(&["-Csplit-debuginfo=packed"]);
    let package = program.folder.path("opt/server.dwp");
    assert!(package.is_file(), "not what it should be");
    all_is_known(&program.explain(&[]), "opt/server");
    std::fs::remove_file(package).unwrap();
    let (frames, _) = symbols(&program.explain(&[]));
    let one = &frames[0];
    assert_eq!((&one[0]["function"], one.as_array().unwrap().len()), (&json!("outer"), 1));
}

fn by_debug_link() {
    let program = Program::compile(&[]);
    if !program.split_off("opt/server.debug", true) {
        return;
    }
    all_is_known(&program.explain(&[]), "opt/server.debug");
    let debug = program.folder.path("opt/server.debug");
    let hidden = program.folder.path("opt/.debug/server.debug");
    std::fs::create_dir(hidden.parent().unwrap()).unwrap();
    std::fs::rename(&debug, &hidden).unwrap();
    all_is_known(&program.explain(&[]), "opt/.debug/server.debug");
    // An image, with the folder for debug files in it.
    let image = program.folder.path("image");
    let inside = |path: &Path| image.join(path.strip_prefix("/").unwrap());
    let (binary, global) = (program.binary(), Path::new("/usr/lib/debug"));
    let global = inside(&global.join(debug.strip_prefix("/").unwrap()));
    for path in [&inside(&binary), &global] {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    }
    std::fs::rename(&binary, inside(&binary)).unwrap();
    std::fs::rename(&hidden, inside(&debug)).unwrap();
    let sysroot = ["--sysroot", image.to_str().unwrap()];
    all_is_known(&program.explain(&sysroot), "opt/server.debug");
}

fn by_build_id() {
    let program = Program::compile(&[]);
    let data = std::fs::read(program.binary()).unwrap();
    let id = object::File::parse(&*data).unwrap().build_id().unwrap().unwrap().to_vec();
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let (first, rest) = hex.split_at(2);
    let debug = format!("image/usr/lib/debug/.build-id/{first}/{rest}.debug");
    if !program.split_off(&debug, false) {
        return;
    }
    let image = program.folder.path("image");
    let sysroot = ["--sysroot", image.to_str().unwrap()];
    let inside = image.join(program.binary().strip_prefix("/").unwrap());
    std::fs::create_dir_all(inside.parent().unwrap()).unwrap();
    std::fs::copy(program.binary(), &inside).unwrap();
    all_is_known(&program.explain(&sysroot), &debug);
}

fn named_on_the_command_line() {
    let program = Program::compile(&[]);
    let copy = program.folder.path("copy");
    std::fs::rename(program.binary(), &copy).unwrap();
    nothing_is_known(&program.explain(&[]), "No such file");
    let copy = copy.to_str().unwrap();
    for named in [copy.to_string(), format!("server={copy}")] {
        all_is_known(&program.explain(&["--binary", &named]), "copy");
        all_is_known(&program.explain(&["--debug-file", &named]), "copy");
    }
    let done = program.explain(&["--binary", &format!("client={copy}")]);
    let line = "failfast: --binary: no module is called `client`; the report has `server`";
    assert_eq!((done.status, done.err.lines().last()), (64, Some(line)));
    // A file that was deleted under the program may be another by now.
    let report = std::fs::read_to_string(&program.report).unwrap();
    let report = report.replacen("\"base\"", "\"deleted\":true,\"base\"", 1);
    std::fs::write(&program.report, report).unwrap();
    std::fs::copy(copy, program.binary()).unwrap();
    nothing_is_known(&program.explain(&[]), "deleted or replaced");
    all_is_known(&program.explain(&["--binary", copy]), "copy");
}

fn of_another_build() {
    let program = Program::compile(&[]);
    if !program.split_off("opt/server.debug", true) {
        return;
    }
    let other = Program::compile(&["-Copt-level=2", "-Cmetadata=other"]);
    let _ = other.split_off("opt/server.debug", true);
    let debug = program.folder.path("opt/server.debug");
    std::fs::copy(other.folder.path("opt/server.debug"), &debug).unwrap();
    nothing_is_known(&program.explain(&[]), "is of another build");
    std::fs::write(&debug, b"\x7fELF and nothing more").unwrap();
    nothing_is_known(&program.explain(&[]), "server.debug: ");
    // A program that is newer than the report may be another.
    let program = Program::compile(&[]);
    let report = std::fs::read_to_string(&program.report).unwrap().replace("2999-", "2020-");
    std::fs::write(&program.report, report).unwrap();
    let (_, module) = symbols(&program.explain(&[]));
    assert!(module["note"].as_str().unwrap().contains("changed after the report"), "{module}");
}

fn nowhere() {
    let program = Program::compile(&["-Cstrip=symbols"].map(|_| "-Copt-level=3"));
    let mut strip = Command::new("objcopy");
    if strip.arg("--strip-all").arg(program.binary()).output().is_err() {
        eprintln!("SKIPPED: stripping needs objcopy (binutils)");
        return;
    }
    nothing_is_known(&program.explain(&[]), "it has no debug information: build with `debug = ");
    std::fs::write(program.binary(), b"#!/bin/sh\n").unwrap();
    nothing_is_known(&program.explain(&[]), "opt/server: ");
    std::fs::write(program.binary(), &SOURCE[..3]).unwrap();
    nothing_is_known(&program.explain(&[]), "opt/server: ");
}

/// A report says which files to open, and comes from elsewhere.
fn only_regular_files_are_opened() {
    let folder = Folder::new();
    let fifo = folder.path("fifo");
    assert_eq!(run(Command::new("mkfifo").arg(&fifo)).status, 0);
    for path in [fifo.as_path(), Path::new("/dev/zero"), Path::new("/dev/tty"), Path::new("/")] {
        let report = json!({
            "failfast": 1,
            "cause": "requested",
            "backtrace": [{ "addr": "0x1", "module": 0, "offset": "0x1" }],
            "modules": [{ "path": path, "base": "0x0" }],
        });
        let file = folder.file("report.json", report.to_string());
        let done = run(failfast().args(["explain", "--json"]).arg(file));
        nothing_is_known(&done, "not a regular file");
    }
}
