//! Help, versions, completions, the manual, colours.

use crate::Row;
use crate::tools::{Folder, example, failfast, failfast_with, run};
use std::process::{Command, Stdio};

pub(crate) const ROWS: &[Row] = &[
    ("surface::help_has_examples", help_has_examples),
    ("surface::the_version", the_version),
    ("surface::wrong_usage", wrong_usage),
    ("surface::nowhere_to_write_to", nowhere_to_write_to),
    ("surface::completions_complete", completions_complete),
    ("surface::the_manual_is_formatted", the_manual_is_formatted),
    ("surface::colours_come_and_go", colours_come_and_go),
    ("surface::bars_are_as_wide_as_the_terminal", bars_are_as_wide_as_the_terminal),
    ("surface::the_library_pays_nothing", the_library_pays_nothing),
];

fn help_has_examples() {
    for command in ["explain", "limits", "completions", "man"] {
        let said = failfast_with([command, "--help"]).well();
        assert!(said.contains("Example"), "{said}");
        assert!(said.lines().all(|line| line.chars().count() <= 100), "{said}");
    }
    let said = failfast_with(["--help"]).well();
    for expected in ["explain", "limits", "completions", "man", "Exit status: 0"] {
        assert!(said.contains(expected), "{said}");
    }
}

fn the_version() {
    let said = failfast_with(["--version"]).well();
    assert_eq!(said, format!("failfast {}\n", env!("CARGO_PKG_VERSION")));
}

fn wrong_usage() {
    for args in [
        &[][..],
        &["explian"],
        &["explain", "--jsn", "x"],
        &["explain", "--binary", "=", "x"],
        &["completions", "tcsh"],
        &["limits", "--color", "sometimes"],
    ] {
        let done = failfast_with(args);
        assert_eq!((done.status, done.out.as_str()), (64, ""), "{args:?}");
        assert!(!done.err.is_empty(), "{args:?}");
    }
}

/// What cannot be said is an error; what nobody wants to hear any more is none.
fn nowhere_to_write_to() {
    let folder = Folder::new();
    let file = folder.file("report.json", example());
    let file = file.to_str().unwrap();
    for args in [
        &["--help"][..],
        &["--version"],
        &["limits"],
        &["limits", "--json"],
        &["explain", file],
        &["explain", "--json", file],
        &["completions", "bash"],
        &["man"],
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let status = failfast().args(args).stdout(full).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(74), "{args:?}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let status = failfast().args(args).stdout(writer).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(0), "{args:?}");
    }
}

/// Every shell gets a script; bash runs it, and completes.
fn completions_complete() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let said = failfast_with(["completions", shell]).well();
        assert!(said.contains("explain"), "{shell}: {said}");
    }
    let script = failfast_with(["completions", "bash"]).well();
    let asked = "COMP_WORDS=(failfast ex); COMP_CWORD=1; _failfast failfast ex failfast\n\
                 printf '%s\\n' \"${COMPREPLY[@]}\"\n";
    let mut bash = Command::new("bash");
    let said = run(bash.args(["--norc", "-c"]).arg(format!("{script}\n{asked}")));
    assert_eq!((said.status, said.out.as_str()), (0, "explain\n"), "{}", said.err);
}

fn the_manual_is_formatted() {
    let page = failfast_with(["man"]).well();
    assert!(page.contains(".TH failfast 1"), "{page}");
    let folder = Folder::new();
    std::fs::create_dir(folder.path("man1")).unwrap();
    failfast_with(["man", "--folder", folder.path("man1").to_str().unwrap()]).well();
    for name in ["failfast", "failfast-explain", "failfast-limits"] {
        let page = std::fs::read_to_string(folder.path(&format!("man1/{name}.1"))).unwrap();
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
    }
    let done = failfast_with(["man", "--folder", folder.path("nowhere").to_str().unwrap()]);
    assert_eq!(done.status, 74, "{}", done.err);
}

/// What `explain` writes to a terminal of its own, of this width.
fn on_a_terminal(columns: u32, variables: &[(&str, &str)], more: &str) -> String {
    let folder = Folder::new();
    let file = folder.file("report.json", example());
    let program = failfast();
    let command = format!(
        "stty rows 24 cols {columns}; exec {} explain {more} {}",
        program.get_program().to_str().unwrap(),
        file.display()
    );
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    script.envs(variables.iter().copied()).env("SHELL", "/bin/sh");
    let done = run(script.stdin(std::process::Stdio::null()));
    assert_eq!(done.status, 0, "{done:?}");
    done.out.replace("\r\n", "\n")
}

pub(crate) fn has_script() -> bool {
    let has = Command::new("script").arg("--version").output().is_ok_and(|it| it.status.success());
    if !has {
        eprintln!("SKIPPED: a terminal needs `script` (bsdutils), and there is none");
    }
    has
}

fn colours_come_and_go() {
    let folder = Folder::new();
    let file = folder.file("report.json", example());
    let in_a_pipe = |variables: &[(&str, &str)], more: &[&str]| {
        let mut command = failfast();
        run(command.arg("explain").args(more).arg(&file).envs(variables.iter().copied())).well()
    };
    let coloured = |said: &str| said.contains("\x1b[1m\x1b[31mheap budget\x1b[0m");
    let plain = in_a_pipe(&[], &[]);
    assert!(!plain.contains('\x1b'));
    assert!(coloured(&in_a_pipe(&[], &["--color", "always"])));
    assert!(coloured(&in_a_pipe(&[("CLICOLOR_FORCE", "1")], &[])));
    assert!(!in_a_pipe(&[("CLICOLOR_FORCE", "1")], &["--color", "never"]).contains('\x1b'));
    if !has_script() {
        return;
    }
    assert!(coloured(&on_a_terminal(80, &[], "")));
    for variables in [[("NO_COLOR", "1")], [("CLICOLOR", "0")], [("TERM", "dumb")]] {
        assert_eq!(on_a_terminal(80, &variables, ""), plain, "{variables:?}");
    }
    assert!(coloured(&on_a_terminal(80, &[("TERM", "dumb"), ("CI", "true")], "")));
    assert_eq!(on_a_terminal(80, &[], "--color never"), plain);
    assert!(coloured(&on_a_terminal(80, &[("NO_COLOR", "1")], "--color always")));
}

fn bars_are_as_wide_as_the_terminal() {
    if !has_script() {
        return;
    }
    let bar = |columns| {
        let said = on_a_terminal(columns, &[], "--color never");
        let line = said.lines().find(|line| line.contains('█')).unwrap();
        line.matches(['█', '░', '│']).count()
    };
    let (narrow, wide) = (bar(80), bar(120));
    assert_eq!(wide, narrow + 40);
}

/// Whoever has the library alone gets three crates with it.
fn the_library_pays_nothing() {
    let manifest = include_str!("../../Cargo.toml");
    let (_, rest) = manifest.split_once("\n[dependencies]\n").unwrap();
    let section = rest.split("\n[").next().unwrap();
    let entries = section.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let always: Vec<&str> = entries
        .filter(|line| !line.contains("optional = true"))
        .map(|line| line.split(" = ").next().unwrap())
        .collect();
    assert_eq!(always, ["libc", "parking_lot", "once_cell"]);
}
