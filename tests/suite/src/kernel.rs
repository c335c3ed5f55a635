//! Kernels that refuse what the ledger would like to have.

use crate::stress;
use crate::{End, Scenario, plain};

const SMALL: &[(&str, &str)] = &[("FAILFAST_BUDGET", "4MiB")];

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        env: SMALL,
        before_exec: Some(|| refuse(&[libc::SYS_membarrier])),
        ..plain("membarrier_refused_at_start", stress::hard)
    },
    Scenario {
        env: SMALL,
        ..plain("membarrier_refused_later", || {
            stress::short();
            refuse(&[libc::SYS_membarrier]);
            stress::hard();
        })
    },
    Scenario {
        env: SMALL,
        end: End::Abort("failfast: ledger unsettled: cluster `root` asked for "),
        ..plain("every_fence_refused_later", || every_fence(false))
    },
    Scenario {
        env: &[("FAILFAST_BUDGET", "4MiB"), ("FAILFAST_MODE", "observe")],
        end: End::SaysOnly("failfast: observe: ledger unsettled: cluster `root` asked for "),
        ..plain("every_fence_refused_later_is_observed", || every_fence(true))
    },
];

/// A recall is needed, and no means is left to see the other thread's account.
fn every_fence(observed: bool) {
    let (tell, told) = std::sync::mpsc::channel();
    let (hold, held) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        for n in 0..100 {
            drop(std::hint::black_box(vec![0_u8; 1000 * n]));
        }
        tell.send(()).unwrap();
        let _ = held.recv();
    });
    told.recv().unwrap();
    refuse(&[libc::SYS_membarrier, libc::SYS_sched_setaffinity]);
    let room = failfast_alloc::usage();
    let kept: Vec<u8> = Vec::with_capacity(room.budget.unwrap() - room.live);
    drop((kept, hold));
    assert!(observed, "granted without a fence");
}

/// From now on these system calls fail with EPERM, in every thread of the process. At most five.
///
/// # Panics
///
/// If there are more. It is async-signal-safe otherwise, and what the process becomes inherits it.
pub fn refuse(calls: &[libc::c_long]) {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let op = |code, jt, k| libc::sock_filter { code, jt, jf: 0, k };
    let mut filter = [op(RETURN, 0, libc::SECCOMP_RET_ALLOW); 8];
    filter[0] = op(LOAD, 0, 0); // The number of the call.
    for (n, call) in calls.iter().enumerate() {
        // Equal: on to the last instruction.
        filter[1 + n] = op(EQUAL, (5 - n) as u8, *call as u32);
    }
    filter[7] = op(RETURN, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32);
    let program = libc::sock_fprog { len: 8, filter: filter.as_mut_ptr() };
    // SAFETY: documented uses of prctl(2) and seccomp(2); the program outlives the call.
    let refused = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_TSYNC,
            &raw const program,
        )
    };
    // SAFETY: ends the process; there is nobody to tell.
    unsafe {
        if refused != 0 {
            libc::_exit(99);
        }
    }
}
