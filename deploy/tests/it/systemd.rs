//! The unit.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use serde_json::Value;

use crate::read;
use crate::server::{self, LIMIT_BYTES, SERVER};

const UNIT: &str = "systemd/failfast-server.service";

/// `systemd-analyze`, or a word that it was not run.
fn analyze(arguments: &[&str]) -> Option<(bool, String)> {
    match Command::new("systemd-analyze").args(arguments).output() {
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            Some((output.status.success(), String::from_utf8(said).unwrap()))
        }
        Err(error) => {
            eprintln!("SKIPPED: systemd-analyze was not run: {error}");
            None
        }
    }
}

/// The unit with the server where it was built.
fn unit() -> String {
    let unit = read(UNIT);
    let built = unit.replace("/usr/local/bin/failfast-server", SERVER);
    assert_ne!(unit, built, "the unit does not start /usr/local/bin/failfast-server");
    built
}

#[test]
fn systemd_finds_nothing_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let verify = |text: &str| {
        let file = folder.path().join("failfast-server.service");
        std::fs::write(&file, text).unwrap();
        analyze(&["verify", "--man=no", file.to_str().unwrap()])
    };
    let Some((is_fine, said)) = verify(&unit()) else { return };
    assert!(is_fine && !said.contains("failfast-server.service:"), "{said}");
    // It would have said something.
    let (_, said) = verify(&unit().replace("OOMPolicy=stop", "OOMPolicy=sometimes")).unwrap();
    assert!(said.contains("failfast-server.service:") && said.contains("sometimes"), "{said}");
}

/// Every call that dying needs is in the unit's filter.
#[test]
fn the_filter_lets_the_process_die() {
    let mut allowed = Vec::new();
    for words in read(UNIT).lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        allowed.extend(words.split(' ').map(str::to_string));
    }
    let mut known = 0;
    while let Some(set) = allowed.get(known).cloned() {
        known += 1;
        if set.starts_with('@') {
            let Some((true, members)) = analyze(&["syscall-filter", &set]) else { return };
            let members = members.lines().map(str::trim).skip(1);
            allowed.extend(members.filter(|it| !it.starts_with('#')).map(str::to_string));
        }
    }
    let page = read("../ARCHITECTURE.md");
    let section = page.split("## System calls while dying").nth(1).unwrap();
    let rows = section.split("\n## ").next().unwrap().lines().filter(|row| row.starts_with("| `"));
    let calls: Vec<_> = rows.flat_map(|row| row.split('|').nth(1).unwrap().split(',')).collect();
    assert!(calls.len() > 25, "{calls:?}");
    // At start, and when accounts are settled.
    for call in calls.into_iter().chain(["membarrier"]) {
        let call = call.trim().trim_matches('`');
        assert!(allowed.iter().any(|it| it == call), "`{call}` is not allowed");
    }
}

/// The variables as systemd passes them on are such as the program takes, and the report is there.
#[test]
fn the_program_takes_the_variables() {
    let folder = tempfile::tempdir().unwrap();
    let variables: Vec<(String, String)> = unit()
        .lines()
        .filter_map(|line| line.strip_prefix("Environment="))
        .map(|line| line.split_once('=').unwrap())
        .map(|(name, value)| {
            let value = value.replace("/var/log/failfast-server", folder.path().to_str().unwrap());
            let bare = value.replace("%%", "");
            assert!(!bare.contains('%'), "systemd would replace what follows a lone `%`: {value}");
            (name.to_string(), value.replace("%%", "%"))
        })
        .collect();
    assert_eq!(variables.len(), 3);
    let child = server::command(SERVER, &variables).spawn().unwrap();
    let file = folder.path().join(format!("report-{}.json", child.id()));
    let status = child.wait_with_output().unwrap().status;
    assert_eq!(status.signal(), Some(libc::SIGABRT));
    let report: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!((&report["cause"], &report["hook"]), (&"heap-budget".into(), &"ran".into()));
    assert_eq!(report["budget_bytes"], LIMIT_BYTES * 4 / 5);

    // What the unit does not start again: a wrong value.
    let wrong = [("FAILFAST_BUDGET".to_string(), "512Q".to_string())];
    let status = server::command(SERVER, &wrong).status().unwrap();
    assert_eq!(status.code(), Some(78));
    assert!(unit().contains("\nRestartPreventExitStatus=78\n"));
}
