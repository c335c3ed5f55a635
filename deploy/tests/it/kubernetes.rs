//! The manifests.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

use crate::read;
use crate::server::{self, LIMIT_BYTES, SERVER, is_root};

const MANIFESTS: [&str; 2] = ["kubernetes/deployment.yaml", "kubernetes/job.yaml"];

fn load(file: &str) -> Yaml {
    YamlLoader::load_from_str(&read(file)).unwrap_or_else(|e| panic!("{file}: {e}")).remove(0)
}

/// The container's variables.
fn variables(manifest: &Yaml) -> Vec<(String, String)> {
    let container = &manifest["spec"]["template"]["spec"]["containers"][0];
    let text = |yaml: &Yaml| yaml.as_str().expect("a string, not a number").to_string();
    let variables = container["env"].as_vec().unwrap().iter();
    variables.map(|it| (text(&it["name"]), text(&it["value"]))).collect()
}

#[test]
fn they_hang_together() {
    for file in MANIFESTS {
        let manifest = load(file);
        let pod = &manifest["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let report = variables(&manifest).into_iter().find(|(name, _)| name == "FAILFAST_REPORT");
        assert_eq!(report.unwrap().1, container["terminationMessagePath"].as_str().unwrap());
        assert_eq!(container["resources"]["limits"]["memory"].as_str(), Some("512Mi"), "{file}");
        assert_eq!(pod["securityContext"]["runAsNonRoot"].as_bool(), Some(true), "{file}");
    }
    let job = load("kubernetes/job.yaml");
    let rule = &job["spec"]["podFailurePolicy"]["rules"][0]["onExitCodes"];
    let container = &job["spec"]["template"]["spec"]["containers"][0]["name"];
    assert_eq!(&rule["containerName"], container);
}

/// By the schemas of Kubernetes, where the tool for it is.
#[test]
fn they_fit_their_schemas() {
    let tool = std::env::var("KUBERNETES_VALIDATE").unwrap_or("kubernetes-validate".into());
    for file in MANIFESTS {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        match Command::new(&tool).arg("--strict").arg(&path).output() {
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{file}: {said}");
            }
            Err(error) => eprintln!("SKIPPED: {tool} was not run on {file}: {error}"),
        }
    }
}

/// As in a container: another user than root, in a process namespace of its own, and a file that
/// is there beforehand, which everybody may write to, in a folder where nobody may.
#[test]
fn the_report_is_the_termination_message() {
    if !is_root() {
        return eprintln!("SKIPPED: to become another user takes root");
    }
    for file in MANIFESTS {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("termination-log");
        std::fs::write(&log, "").unwrap();
        std::fs::set_permissions(&log, Permissions::from_mode(0o666)).unwrap();
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let program = folder.path().join("server");
        std::fs::copy(SERVER, &program).unwrap();
        let program = program.to_str().unwrap();
        let mut variables = variables(&load(file));
        for (_, value) in &mut variables {
            *value = value.replace("/dev/termination-log", log.to_str().unwrap());
        }

        let as_user = server::command(program, &variables).gid(65532).uid(65532).status().unwrap();
        assert_eq!(as_user.to_string().split(' ').take(2).last(), Some("6"), "{as_user}");
        is_message(&std::fs::read(&log).unwrap(), &variables);

        std::fs::write(&log, "").unwrap();
        let mut as_first = server::command("unshare", &variables);
        as_first.args(["--fork", "--pid", "--mount-proc", "setpriv", "--reuid=65532"]);
        as_first.args(["--clear-groups", program]);
        match as_first.status() {
            Ok(status) if status.code() == Some(134) => {
                is_message(&std::fs::read(&log).unwrap(), &variables);
            }
            Ok(status) if status.code() == Some(1) => {
                eprintln!("SKIPPED: no process namespace: {status}");
            }
            Ok(status) => panic!("{status}"),
            Err(error) => eprintln!("SKIPPED: unshare was not run: {error}"),
        }
    }
}

/// Kubernetes keeps 4,096 bytes of a message.
fn is_message(message: &[u8], variables: &[(String, String)]) {
    assert!(message.len() <= 4096);
    let report: Value = serde_json::from_slice(message).unwrap();
    assert_eq!(report["cause"], "heap-budget");
    let budget = match variables.iter().find(|(name, _)| name == "FAILFAST_BUDGET") {
        Some((_, value)) if value == "75%" => LIMIT_BYTES * 3 / 4,
        _ => LIMIT_BYTES * 4 / 5,
    };
    assert_eq!(report["budget_bytes"], budget);
}
