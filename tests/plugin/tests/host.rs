//! A program that loads a library with the crate inside, uses it in threads, and closes it. Each
//! scenario runs in a process of its own.

use std::ffi::{CString, c_void};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Failed, Trial};

const SCENARIO: &str = "HOST_SCENARIO";

type Work = unsafe extern "C" fn(usize) -> usize;

/// The library, next to this program's folder.
fn path() -> CString {
    let program = std::env::current_exe().unwrap();
    let folder = program.ancestors().nth(2).expect("target/debug/deps");
    let path = folder.join("examples/libplugin.so");
    assert!(path.exists(), "{} was not built", path.display());
    CString::new(path.as_os_str().as_bytes()).unwrap()
}

fn load() -> (*mut c_void, Work) {
    // SAFETY: the library's constructors are ours.
    let library = unsafe { libc::dlopen(path().as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    assert!(!library.is_null());
    // SAFETY: a loaded library, and a C string.
    let work = unsafe { libc::dlsym(library, c"plugin_work".as_ptr()) };
    assert!(!work.is_null());
    // SAFETY: it is a function of that type.
    (library, unsafe { std::mem::transmute::<*mut c_void, Work>(work) })
}

/// Threads that have used the library end when it is closed already.
fn close() {
    let (library, work) = load();
    let (close, closed) = std::sync::mpsc::channel::<()>();
    let (used, all_used) = std::sync::mpsc::channel();
    let user = std::thread::spawn(move || {
        // SAFETY: the library is still open.
        unsafe { work(10_000) };
        used.send(()).unwrap();
        let _ = closed.recv();
    });
    all_used.recv().unwrap();
    // SAFETY: nobody calls it after this; what it has registered is what is tested.
    unsafe { libc::dlclose(library) };
    drop(close);
    user.join().unwrap();
}

fn work() {
    let (_, work) = load();
    // SAFETY: the library stays open.
    assert_eq!(unsafe { work(100_000) }, 64 << 20);
}

/// A wrong value is said, and does not end a program that never asked for us.
fn wrong() {
    let (_, work) = load();
    // SAFETY: the library stays open.
    assert_eq!(unsafe { work(100_000) }, 0);
}

fn die() {
    let (_, work) = load();
    // SAFETY: the library stays open.
    unsafe { work(100 << 20) };
}

fn run(scenario: &str, budget: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .env(SCENARIO, scenario)
        .env("FAILFAST_BUDGET", budget)
        .output()
        .unwrap()
}

fn expect(output: &Output, right: bool) -> Result<(), Failed> {
    let text = String::from_utf8_lossy(&output.stderr);
    if right { Ok(()) } else { Err(format!("{}; it wrote:\n{text}", output.status).into()) }
}

fn ends(scenario: &str, budget: &str, line: &str) -> Result<(), Failed> {
    let output = run(scenario, budget);
    let said = String::from_utf8_lossy(&output.stderr).contains(line);
    expect(&output, output.status.success() && said)
}

fn main() -> ExitCode {
    match std::env::var(SCENARIO).as_deref() {
        Ok("close") => close(),
        Ok("work") => work(),
        Ok("wrong") => wrong(),
        Ok("die") => die(),
        Ok(other) => panic!("no scenario {other}"),
        Err(_) => {
            let trials = vec![
                Trial::test("it_may_be_closed_while_threads_live", || ends("close", "64MiB", "")),
                Trial::test("it_has_a_budget", || ends("work", "64MiB", "")),
                Trial::test("a_wrong_value_does_not_end_the_host", || {
                    ends("wrong", "12Q", "failfast: FAILFAST_BUDGET: `12Q` is not a size")?;
                    ends("wrong", "12Q", "it goes on WITHOUT what was refused above")
                }),
                Trial::test("over_its_budget_it_ends_the_host", || {
                    let output = run("die", "64MiB");
                    let text = String::from_utf8_lossy(&output.stderr);
                    let said = text.contains("failfast: heap budget: cluster `root` asked for");
                    expect(&output, said && output.status.signal() == Some(libc::SIGABRT))
                }),
            ];
            return libtest_mimic::run(&Arguments::from_args(), trials).exit_code();
        }
    }
    ExitCode::SUCCESS
}
