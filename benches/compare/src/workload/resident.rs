//! How much memory a program has that does nothing.

/// What of this process is resident and in no file, in KiB.
///
/// # Panics
///
/// If `/proc` does not say.
pub fn kib() -> u64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").expect("Linux 4.14 or newer");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:"));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number.and_then(|n| n.parse().ok()).expect("Anonymous in smaps_rollup")
}
