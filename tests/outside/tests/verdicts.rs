//! Every verdict, of a real program that really dies.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::time::Duration;

use failfast_alloc::supervise::{Cgroup, Class, Command, Halt, Hook, Reason, Running, Verdict};
use failfast_alloc::{Cause, FoundBy, Limit};
use failfast_alloc_outside::{LONG, times};

const DIES: &str = env!("CARGO_BIN_EXE_dies");
const PLAIN: &str = env!("CARGO_BIN_EXE_plain");

fn dies(how: &str) -> Command {
    let mut command = Command::new(DIES);
    // The standard library's own backtrace of a panic needs more than the hook has.
    command.arg(how).stderr(Stdio::null()).env("RUST_BACKTRACE", "0");
    command
}

fn plain(how: &str) -> Command {
    let mut command = Command::new(PLAIN);
    command.arg(how).stderr(Stdio::null());
    command
}

#[track_caller]
fn verdict(mut command: Command) -> Verdict {
    let mut running = command.spawn().unwrap();
    let verdict = running.wait_timeout(LONG).unwrap().expect("it ends in time");
    assert_eq!(running.wait().unwrap().reason(), verdict.reason(), "asked again");
    assert!(!verdict.is_record_damaged(), "{verdict:?}");
    verdict
}

/// Starts a program that says when it is there.
fn ready(mut command: Command) -> Running {
    let mut running = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(running.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    running
}

#[track_caller]
fn failed(verdict: &Verdict, cause: Cause, hook: Hook, halt: Halt) {
    assert_eq!(verdict.reason(), Reason::Failed(cause), "{verdict}");
    assert_eq!(verdict.code(), cause.code());
    let death = verdict.death().unwrap();
    assert_eq!((death.cause(), death.hook(), death.halt()), (cause, hook, halt), "{verdict}");
    assert!(death.has_figures());
}

#[test]
fn heap_budget() {
    let mut command = dies("heap");
    command.budget(Limit::mib(8)).reserve(1 << 20).hook_timeout(Duration::from_millis(1500));
    let verdict = verdict(command);
    failed(&verdict, Cause::HeapBudget, Hook::None, Halt::Proven);
    assert_eq!((verdict.signal(), verdict.exit_code()), (Some(6), None));
    let debug = format!("{verdict:?}");
    let begin = "Verdict { reason: Failed(HeapBudget), class: SelfInflicted, pid: ";
    assert!(debug.starts_with(begin) && debug.contains(&verdict.to_string()), "{debug}");
    let attached = verdict.attached().unwrap();
    assert_eq!((attached.budget(), attached.stack_budget()), (Some(8 << 20), None));
    assert_eq!(
        (attached.reserve(), attached.hook_timeout()),
        (1 << 20, Duration::from_millis(1500))
    );
    assert_eq!((attached.version(), attached.inner_pid()), ("0.1.0", verdict.pid()));
    let death = verdict.death().unwrap();
    assert_eq!((death.cluster(), death.requested(), death.align()), ("root", 64 << 10, 1));
    assert_eq!((death.budget(), death.tid()), (Some(8 << 20), verdict.pid()));
    assert!(death.live() <= 8 << 20 && death.live() + (64 << 10) > 8 << 20, "{}", death.live());
    assert!(death.peak() >= death.live() && death.resident() > Some(4 << 20));
    assert_eq!(death.thread(), Some("main"));
    assert!(death.is_complete() && !death.is_overdue() && death.stack().is_none());
    let age = death.time().elapsed().unwrap();
    assert!(age < LONG, "{age:?}");
    assert_eq!((verdict.class(), verdict.is_deterministic()), (Class::SelfInflicted, true));
    let report: serde_json::Value = serde_json::from_str(death.report_json().unwrap()).unwrap();
    assert_eq!(report["cause"], "heap-budget");
    assert_eq!(report["live_bytes"], death.live());
    let line = verdict.to_string();
    assert!(line.starts_with("heap budget: cluster `root` asked for 65536 bytes with "), "{line}");
}

#[test]
fn the_cluster_is_named() {
    let mut command = dies("cluster:parser");
    command.cluster_budget("parser", Limit::kib(512));
    let verdict = verdict(command);
    failed(&verdict, Cause::HeapBudget, Hook::None, Halt::Proven);
    let death = verdict.death().unwrap();
    assert_eq!((death.cluster(), death.budget()), ("parser", Some(512 << 10)));
}

#[test]
fn allocator_refused() {
    let verdict = verdict(dies("refused"));
    failed(&verdict, Cause::AllocatorRefused, Hook::None, Halt::Proven);
    assert_eq!(verdict.death().unwrap().requested(), 1 << 46);
    assert_eq!(verdict.class(), Class::Environmental);
}

#[test]
fn stack_budget() {
    let mut command = dies("stack-budget");
    command.stack_budget(Limit::kib(256));
    let verdict = verdict(command);
    failed(&verdict, Cause::StackBudget, Hook::None, Halt::Proven);
    let stack = verdict.death().unwrap().stack().unwrap();
    assert_eq!((stack.found_by, stack.budget), (FoundBy::Probe, Some(256 << 10)));
}

#[test]
fn stack_overflow() {
    let verdict = verdict(dies("stack-overflow"));
    failed(&verdict, Cause::StackOverflow, Hook::None, Halt::Proven);
    let stack = verdict.death().unwrap().stack().unwrap();
    assert_eq!(stack.found_by, FoundBy::Guard);
    assert!(stack.low <= stack.pointer + (64 << 10) && stack.pointer < stack.high, "{stack:?}");
}

#[test]
fn requested() {
    let verdict = verdict(dies("requested"));
    failed(&verdict, Cause::Requested, Hook::None, Halt::Proven);
    let message = "the ledger of orders is \"inconsistent\"\n";
    assert_eq!(verdict.death().unwrap().message(), Some(message));
    assert_eq!(verdict.to_string().lines().count(), 1);
}

/// What became of the hook is told exactly, whatever it was.
#[test]
fn hooks() {
    for (how, hook, signal) in [
        ("ran", Hook::Ran, Some(6)),
        ("hangs", Hook::TimedOut, Some(6)),
        ("panics", Hook::Crashed("panic"), Some(6)),
        ("aborts", Hook::Crashed("abort"), Some(6)),
        ("faults", Hook::Crashed("signal SIGSEGV"), Some(6)),
        ("greedy", Hook::Crashed("reserve"), Some(6)),
        ("leaves", Hook::Unfinished, None),
    ] {
        let mut command = dies(&format!("hook:{how}"));
        command.budget(Limit::mib(2)).hook_timeout(Duration::from_millis(300));
        let mut verdict = self::verdict(command);
        for _ in 0..if how == "hangs" { 20 } else { 0 } {
            let death = verdict.death().unwrap();
            if death.hook() == hook {
                break;
            }
            // Nobody had the time to hold to the deadline on a busy machine: the kernel's timer
            // did.
            assert_eq!((death.hook(), verdict.signal()), (Hook::Unfinished, Some(9)));
            let mut command = dies("hook:hangs");
            command.budget(Limit::mib(2)).hook_timeout(Duration::from_millis(300));
            verdict = self::verdict(command);
        }
        failed(&verdict, Cause::HeapBudget, hook, Halt::Proven);
        assert_eq!(verdict.signal(), signal, "{how}");
        let death = verdict.death().unwrap();
        assert_eq!(death.is_overdue(), how == "hangs", "{how}");
        // The kernel says 0: it lies.
        assert_eq!(verdict.exit_code(), (how == "leaves").then_some(0), "{how}");
        assert!(!verdict.is_success(), "{how}");
    }
}

#[test]
fn halt_unproven() {
    let mut command = dies("unproven");
    command.budget(Limit::mib(2)).hook_timeout(Duration::from_millis(800));
    let verdict = verdict(command);
    failed(&verdict, Cause::HeapBudget, Hook::Skipped, Halt::Unproven);
    assert_eq!(verdict.death().unwrap().threads(), Some((1, 0)));
}

#[test]
fn another_program_in_its_place() {
    let mut command = dies("heap");
    command.budget(Limit::mib(2)).exec("/bin/true").exec_timeout(Duration::from_secs(20));
    let verdict = verdict(command);
    failed(&verdict, Cause::HeapBudget, Hook::Replaced, Halt::NotReached);
    // The recovery's status is overridden: the cluster has not succeeded.
    assert_eq!((verdict.exit_code(), verdict.is_success()), (Some(0), false));
    assert!(verdict.attached().unwrap().has_exec());
}

/// The record is neither inherited by the program that replaces it, nor an unknown name.
#[test]
fn the_record_is_for_one_process() {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "exec \"$0\" spawns", DIES]).budget(Limit::mib(2)).stderr(Stdio::null());
    let spawns = verdict(command);
    // Its child has failed, and it has not: found through a shell that became it.
    assert_eq!(spawns.reason(), Reason::Exit(7), "{spawns}");
    assert!(spawns.attached().is_some() && spawns.death().is_none());
}

/// A forked child does not write its parent's record.
#[test]
fn a_forked_child_dies_its_own_death() {
    let mut command = dies("forks");
    command.budget(Limit::mib(2));
    let verdict = verdict(command);
    assert_eq!(verdict.reason(), Reason::Exit(9), "{verdict}");
    assert!(verdict.attached().is_some() && verdict.death().is_none());
}

/// Nor does one that shares its parent's memory, the record among it.
#[test]
fn a_child_in_its_memory_leaves_no_trace() {
    let verdict = verdict(dies("vforks"));
    assert_eq!(verdict.reason(), Reason::Exit(9), "{verdict}");
    assert!(verdict.attached().is_some() && verdict.death().is_none());
}

/// A program that has more rights than whoever starts it believes none of our variables, and does
/// not write to the descriptor that it is given.
#[test]
fn a_set_user_id_program_has_no_record() {
    use std::os::unix::fs::{PermissionsExt as _, chown};
    const NOBODY: u32 = 65_534;
    let path = std::env::temp_dir().join(format!("outside-set-user-id-{}", std::process::id()));
    std::fs::copy(DIES, &path).unwrap();
    if chown(&path, Some(NOBODY), None).is_err() {
        std::fs::remove_file(path).unwrap();
        return println!("SKIPPED: a program of another user's can be made by root alone");
    }
    for (mode, reason) in [(0o755, Reason::Failed(Cause::Requested)), (0o4755, Reason::Signal(6))] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let mut command = Command::new(&path);
        let mut running = command.arg("requested").stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        running.stderr.as_mut().unwrap().read_to_string(&mut line).unwrap();
        assert!(line.starts_with("failfast: requested: "), "it has our allocator: {line}");
        let verdict = running.wait_timeout(LONG).unwrap().expect("it ends in time");
        assert_eq!(verdict.reason(), reason, "{verdict}");
        assert_eq!(verdict.attached().is_some(), mode == 0o755);
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn kernel_oom_kill() {
    let mut command = dies("touch");
    command.memory_max(24 << 20);
    let mut running = match command.spawn() {
        Ok(running) => running,
        Err(error) => return println!("SKIPPED: {error}"),
    };
    let verdict = running.wait_timeout(LONG).unwrap().expect("it ends in time");
    assert_eq!(verdict.reason(), Reason::KernelOomKill, "{verdict}");
    assert_eq!((verdict.signal(), verdict.class()), (Some(9), Class::Environmental));
    assert!(verdict.kernel_oom_kills() >= 1 && verdict.attached().is_some());
}

/// The kernel counts a kill before it sends the signal, so nobody waits for the count.
#[test]
fn every_kernel_oom_kill_is_known_at_once() {
    for _ in 0..times("FAILFAST_OOM_KILLS", 20) {
        let mut command = dies("touch");
        command.memory_max(8 << 20);
        let Ok(mut running) = command.spawn() else { return println!("SKIPPED: no group") };
        let verdict = running.wait_timeout(LONG).unwrap().expect("it ends in time");
        assert_eq!(verdict.reason(), Reason::KernelOomKill, "{verdict}");
    }
}

/// A helper of the program was killed for want of memory; the program went on, and it was we who
/// killed it.
#[test]
fn another_s_out_of_memory_kill_is_not_its_own() {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "\"$0\" touch; echo ready; exec sleep 1000", DIES]);
    command.memory_max(24 << 20).stderr(Stdio::null()).stdout(Stdio::piped());
    let mut running = match command.spawn() {
        Ok(running) => running,
        Err(error) => return println!("SKIPPED: {error}"),
    };
    let mut line = String::new();
    BufReader::new(running.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    running.kill().unwrap();
    let verdict = running.wait_timeout(LONG).unwrap().expect("it ends in time");
    assert!(verdict.kernel_oom_kills() >= 1, "{verdict:?}");
    assert_eq!(verdict.reason(), Reason::Signal(9), "{verdict}");
}

#[test]
fn a_signal_from_outside_is_not_out_of_memory() {
    for (signal, class) in [(9, Class::Environmental), (15, Class::Environmental)] {
        for cgroup in [Cgroup::Auto, Cgroup::Never] {
            let mut command = dies("sleep");
            command.cgroup(cgroup);
            let mut running = ready(command);
            assert!(running.try_wait().unwrap().is_none());
            running.signal(signal).unwrap();
            let verdict = running.wait_timeout(LONG).unwrap().expect("it ends in time");
            assert_eq!(verdict.reason(), Reason::Signal(signal), "{verdict}");
            assert_eq!((verdict.class(), verdict.kernel_oom_kills()), (class, 0));
            assert!(verdict.attached().is_some());
        }
    }
}

#[test]
fn its_own_signals() {
    // An abort that our allocator has not made.
    let abort = verdict(dies("abort"));
    assert_eq!((abort.reason(), abort.class()), (Reason::Signal(6), Class::SelfInflicted));
    assert!(abort.attached().is_some() && abort.death().is_none());
    let fault = verdict(dies(&format!("raise:{}", libc::SIGFPE)));
    assert_eq!((fault.reason(), fault.class()), (Reason::Signal(8), Class::SelfInflicted));
}

#[test]
fn exits() {
    for status in [0, 1, 3, 78, 134, 137, 255] {
        for how in [dies, plain] {
            let verdict = verdict(how(&format!("exit:{status}")));
            assert_eq!(verdict.reason(), Reason::Exit(status), "{verdict}");
            assert_eq!(verdict.is_success(), status == 0);
        }
    }
}

#[test]
fn a_program_without_our_allocator_is_told_apart() {
    let verdict = verdict(plain("abort"));
    assert_eq!(verdict.reason(), Reason::Signal(6));
    assert!(verdict.attached().is_none() && verdict.death().is_none());
    assert!(verdict.to_string().ends_with("without failfast-alloc)"), "{verdict}");
}

#[test]
fn could_not_start() {
    let missing = Command::new("/no/such/program").spawn().unwrap_err();
    let text = missing.to_string();
    assert!(text.starts_with("`/no/such/program` could not be started: No such file"), "{text}");
    assert_eq!(
        (missing.kind(), missing.class()),
        (std::io::ErrorKind::NotFound, Class::SelfInflicted)
    );
    let verdict = Verdict::from(missing);
    assert_eq!((verdict.reason(), verdict.code()), (Reason::NotStarted, "not-started"));
    assert!(verdict.start_error().is_some() && verdict.class() == Class::SelfInflicted);
    let file = Command::new("/etc/passwd").spawn().unwrap_err();
    assert_eq!(file.kind(), std::io::ErrorKind::PermissionDenied);
}

#[test]
fn values_that_cannot_be_meant() {
    let wrong: [fn(&mut Command); 8] = [
        |command| _ = command.budget(Limit::bytes(0)),
        |command| _ = command.budget(Limit::percent(101)),
        |command| _ = command.cluster_budget("a b", Limit::mib(1)),
        |command| _ = command.cluster_budget("a", Limit::Auto),
        |command| _ = command.stack_budget(Limit::bytes(1)),
        |command| _ = command.reserve(0),
        |command| _ = command.hook_timeout(Duration::ZERO),
        |command| _ = command.exec("relative"),
    ];
    for set in wrong {
        let mut command = Command::new(DIES);
        set(&mut command);
        let error = command.spawn().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{error}");
    }
}

/// As pid 1 no signal ends it; the record says what 134 means.
#[test]
fn pid_1() {
    let mut command = dies("heap");
    command.budget(Limit::mib(2)).pid_namespace(true).hook_timeout(LONG);
    let mut running = match command.spawn() {
        Ok(running) => running,
        Err(error) => return println!("SKIPPED: {error}"),
    };
    let verdict = running.wait_timeout(LONG).unwrap().expect("it ends in time");
    assert_eq!(verdict.reason(), Reason::Failed(Cause::HeapBudget), "{verdict}");
    // (Whether the halt is proven depends on time here: /proc is the outer one, so threads are
    // looked for by trying every number.)
    let death = verdict.death().unwrap();
    assert!(death.has_figures() && death.is_complete() && !death.is_overdue());
    assert_eq!((verdict.exit_code(), verdict.signal()), (Some(134), None));
    assert_eq!(verdict.attached().unwrap().inner_pid(), 1);
    assert_eq!(self::verdict(dies("exit:5")).reason(), Reason::Exit(5), "the next is in ours");
}

/// Random bytes where the record was: a verdict of unknown, and never a wrong one.
#[test]
fn a_record_of_random_bytes() {
    for seed in 1..=times("FAILFAST_SCRIBBLES", 20) {
        let mut running = plain(&format!("scribble:{seed}")).spawn().unwrap();
        let verdict = running.wait_timeout(LONG).unwrap().expect("it ends in time");
        assert_eq!(verdict.reason(), Reason::Unknown, "{verdict}");
        assert!(verdict.is_record_damaged());
        assert!(verdict.attached().is_none() && verdict.death().is_none());
        let text = verdict.to_string();
        assert!(text.starts_with("unknown: its record is damaged"), "{text}");
    }
}

/// Killed at a random moment while it dies: the record says that nothing had failed, or some of
/// what had, in order, or all; and never anything else.
#[test]
fn killed_at_random_moments() {
    let (mut before, mut whole, mut state) = (0, 0, 0x2545_f491_4f6c_dd1d_u64);
    let all = times("FAILFAST_KILLS", 150);
    for _ in 0..all {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let mut command = dies("busy");
        command.budget(Limit::mib(1)).cgroup(Cgroup::Never);
        let mut running = ready(command);
        // Dying takes a few milliseconds.
        std::thread::sleep(Duration::from_nanos(state % 4_000_000));
        running.kill().unwrap();
        let verdict = running.wait_timeout(LONG).unwrap().expect("it ends in time");
        assert!(!verdict.is_record_damaged(), "{verdict:?}");
        assert!(verdict.attached().is_some());
        match verdict.reason() {
            Reason::Signal(9) => before += 1,
            Reason::Failed(Cause::HeapBudget) => {
                whole += u32::from(prefix(&verdict));
            }
            other => panic!("{other:?}: {verdict}"),
        }
    }
    println!("{all} killed: {before} before anything had failed, {whole} after all was said");
}

/// Checks that what is there is a prefix of what would be; whether it is all.
fn prefix(verdict: &Verdict) -> bool {
    let death = verdict.death().unwrap();
    let phases = [
        death.has_figures(),
        death.halt() != Halt::NotReached,
        death.report_json().is_some(),
        death.hook() != Hook::NotReached,
        death.is_complete(),
    ];
    assert!(phases.is_sorted_by(|a, b| a >= b), "{phases:?}");
    if death.has_figures() {
        assert_eq!((death.cluster(), death.budget()), ("root", Some(1 << 20)));
        assert_eq!(death.requested(), 64 << 10);
    }
    if let Some(json) = death.report_json() {
        let report: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(report["live_bytes"], death.live());
    }
    death.is_complete()
}

/// Standard streams go through.
#[test]
fn streams() {
    let mut command = Command::new("/bin/cat");
    let mut running = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(running.stdin.as_mut().unwrap(), b"through").unwrap();
    running.stdin = None;
    let mut text = String::new();
    running.stdout.as_mut().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "through");
    assert!(running.wait().unwrap().is_success());
}
