//! What the programs and the tests of this package share.

use std::time::Duration;

/// How long a test waits for what must happen, on a machine that is busy with others.
pub const LONG: Duration = Duration::from_secs(60);

/// Reads a number from the environment: how often a test is repeated.
#[must_use]
pub fn times(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |text| match text.parse() {
        Ok(number) => number,
        Err(error) => panic!("{name}: `{text}`: {error}"),
    })
}

/// From now on the kernel refuses this system call (EPERM) to this thread and those that it starts.
pub fn refuse(call: libc::c_long) {
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let (equal, answer) =
        (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, libc::BPF_RET | libc::BPF_K);
    let step =
        |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut filter = [
        step(load, 0, 0, 0),
        step(equal, call as u32, 0, 1),
        step(answer, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32, 0, 0),
        step(answer, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let filter = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
    // SAFETY: numbers.
    let promised = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    // SAFETY: a filter of as many steps as it says.
    let set =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) };
    assert_eq!((promised, set), (0, 0));
}
