//! A program without the allocator, which dies as its first argument says.

use std::time::Duration;

fn main() {
    let how = std::env::args().nth(1).unwrap_or_default();
    match how.split_once(':').unwrap_or((&how, "")) {
        ("exit", status) => std::process::exit(status.parse().unwrap()),
        ("abort", _) => std::process::abort(),
        ("scribble", seed) => scribble(seed.parse().unwrap()),
        ("leaves", _) => leaves(),
        ("report", _) => report(),
        _ => loop {
            std::thread::sleep(Duration::from_secs(1));
        },
    }
}

/// Writes what it likes to the record, behind its header.
fn scribble(seed: u64) {
    let address = std::env::var("FAILFAST_RECORD").unwrap();
    let fd: i32 = address.split(':').next().unwrap().parse().unwrap();
    let mut state = seed | 1;
    let words: Vec<u64> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    })
    .take(1020)
    .collect();
    // SAFETY: so many bytes are there to be read.
    let written = unsafe { libc::pwrite(fd, words.as_ptr().cast(), 8 * words.len(), 32) };
    assert_eq!(written, 8 * 1020);
}

/// Leaves a process behind, and says its number.
#[expect(clippy::zombie_processes, reason = "it is what is wanted")]
fn leaves() {
    let itself = std::env::current_exe().unwrap();
    let child = std::process::Command::new(itself).arg("sleep").spawn().unwrap();
    println!("{}", child.id());
}

/// The recovery: says what is on descriptor 3, and which of our variables it has; then exits well.
fn report() {
    let ours = std::env::vars().filter(|(name, _)| name.starts_with("FAILFAST_")).count();
    println!("{ours} {}", std::fs::read_to_string("/proc/self/fd/3").unwrap());
}
