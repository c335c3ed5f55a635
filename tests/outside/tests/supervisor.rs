//! The supervisor with real processes.

use std::process::Stdio;
use std::time::Duration;

use failfast_alloc::Limit;
use failfast_alloc::supervise::{
    Backoff, Command, Finish, Happening, Intensity, Policy, Restart, Strategy, Supervisor,
};

const DIES: &str = env!("CARGO_BIN_EXE_dies");

fn dies(how: &str) -> Command {
    let mut command = Command::new(DIES);
    command.arg(how).stderr(Stdio::null()).stdout(Stdio::null()).budget(Limit::mib(4));
    command
}

fn policy(restart: Restart) -> Policy {
    let backoff =
        Backoff { first: Duration::from_millis(1), factor: 1, cap: Duration::from_secs(1) };
    let intensity = Intensity { most: 3, within: Duration::from_secs(600) };
    Policy { restart, backoff, intensity, ..Policy::default() }
}

/// What has happened, in short.
fn told(happening: &Happening<'_>) -> String {
    match happening {
        Happening::Started { child, .. } => format!("{child} starts"),
        Happening::Ended { child, verdict } => format!("{child} {}", verdict.code()),
        Happening::Terminating { child } => format!("{child} is to end"),
        Happening::Killing { child } => format!("{child} is killed"),
        _ => String::new(),
    }
}

fn run(supervisor: &mut Supervisor) -> (Finish, Vec<String>) {
    let mut log = Vec::new();
    let finish = supervisor.run(|happening| log.push(told(&happening))).unwrap();
    (finish, log)
}

#[test]
fn the_environment_is_tried_again_and_the_program_is_not() {
    let mut supervisor = Supervisor::new(policy(Restart::OnEnvironmental)).unwrap();
    supervisor.child("over", dies("heap"));
    assert_eq!(
        run(&mut supervisor),
        (Finish::Over, vec!["over starts".into(), "over heap-budget".into()])
    );
    let mut supervisor = Supervisor::new(policy(Restart::OnEnvironmental)).unwrap();
    supervisor.child("killed", dies("raise:9"));
    let (finish, log) = run(&mut supervisor);
    assert!(matches!(finish, Finish::GaveUp { child: 0, restarts: 3, .. }), "{finish:?}");
    assert_eq!(log, ["killed starts", "killed signal"].repeat(4));
}

#[test]
fn what_cannot_be_started_is_a_verdict() {
    let mut supervisor = Supervisor::new(policy(Restart::Always)).unwrap();
    supervisor.child("missing", Command::new("/no/such/program"));
    let (finish, log) = run(&mut supervisor);
    assert!(matches!(finish, Finish::GaveUp { .. }), "{finish:?}");
    assert_eq!(log, ["missing not-started"; 4]);
}

/// A graceful stop, from another thread: asked first, and killed if that is not heeded.
#[test]
fn it_stops() {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "trap '' TERM; echo; while :; do sleep 1; done"]);
    let (reader, writer) = std::io::pipe().unwrap();
    command.stdout(writer);
    let policy = Policy { grace: Duration::from_millis(50), ..policy(Restart::Always) };
    let mut supervisor = Supervisor::new(policy).unwrap();
    supervisor.child("deaf", command).child("polite", dies("sleep"));
    let remote = supervisor.remote();
    let stops = std::thread::spawn(move || {
        // Once it is deaf.
        std::io::Read::read_exact(&mut &reader, &mut [0]).unwrap();
        remote.stop();
    });
    let (finish, log) = run(&mut supervisor);
    stops.join().unwrap();
    assert_eq!(finish, Finish::Stopped);
    assert_eq!(log[..4], ["deaf starts", "polite starts", "deaf is to end", "polite is to end"]);
    let ends = log[4..].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(ends, ["polite signal", "deaf is killed", "deaf signal"]);
}

/// Told to stop before it runs it starts nobody; and after that it runs again.
#[test]
fn a_stop_is_for_one_run() {
    let mut supervisor = Supervisor::new(policy(Restart::Never)).unwrap();
    supervisor.child("one", dies("exit:0"));
    supervisor.remote().stop();
    assert_eq!(run(&mut supervisor), (Finish::Stopped, vec![]));
    assert_eq!(run(&mut supervisor), (Finish::Over, vec!["one starts".into(), "one exit".into()]));
}

#[test]
fn all_go_together() {
    let policy = Policy { strategy: Strategy::OneForAll, ..policy(Restart::OnEnvironmental) };
    let mut supervisor = Supervisor::new(policy).unwrap();
    supervisor.child("first", dies("sleep")).child("second", dies("raise:9"));
    let (finish, log) = run(&mut supervisor);
    assert!(matches!(finish, Finish::GaveUp { child: 1, restarts: 3, .. }), "{finish:?}");
    let round =
        ["first starts", "second starts", "second signal", "first is to end", "first signal"];
    assert_eq!(log, round.repeat(4));
}

/// Signals are passed on.
#[test]
fn signals_go_through() {
    let mut supervisor = Supervisor::new(policy(Restart::Never)).unwrap();
    supervisor.child("one", dies("sleep"));
    let remote = supervisor.remote();
    let mut log = Vec::new();
    let finish = supervisor.run(|happening| {
        if let Happening::Started { .. } = happening {
            remote.signal(10);
        }
        if let Happening::Ended { verdict, .. } = happening {
            log.push(verdict.signal());
        }
    });
    assert_eq!((finish.unwrap(), log), (Finish::Over, vec![Some(10)]));
}
