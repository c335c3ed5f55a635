//! Hard budgets: the server ends, and says whose fault it was.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;

use serde_json::Value;
use tenants::load::Client;
use wait_timeout::ChildExt;

use crate::child::{command, put, wait_for};

#[test]
fn over_a_tenants_budget_the_server_ends_and_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let mut command = command(&["--tenant-budget", "8MiB"]);
    let mut server = tenants::load::Server::start(command.env("FAILFAST_REPORT", &file)).unwrap();
    let address = server.address();
    wait_for(async {
        let mut client = Client::new(address);
        for (tenant, length) in [("acme", 1000), ("small", 2000), ("large", 1 << 20)] {
            let path = format!("/tenants/{tenant}/documents/a");
            assert_eq!(put(&mut client, &path, &vec![b'x'; length]).await.status, 201);
        }
        let answer = client.get("/tenants/acme/documents/a/repeated?times=100").await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 100_000));
        // 10 MB at once.
        let answer = client.get("/tenants/acme/documents/a/repeated?times=10000").await;
        assert!(answer.is_err(), "{answer:?}");
    });
    let status = server.child().wait_timeout(std::time::Duration::from_secs(60)).unwrap();
    assert_eq!(status.and_then(|status| status.signal()), Some(libc::SIGABRT));
    let mut line = String::new();
    server.child().stderr.take().unwrap().read_to_string(&mut line).unwrap();
    let begins = "failfast: heap budget: cluster `tenant.acme` asked for 10000000 bytes with ";
    assert!(line.starts_with(begins) && line.lines().count() == 1, "{line}");

    let report = std::fs::read_to_string(&file).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(
        (&report["cause"], &report["cluster"]),
        (&"heap-budget".into(), &"tenant.acme".into())
    );
    assert_eq!(
        (&report["requested_bytes"], &report["budget_bytes"]),
        (&10_000_000.into(), &(8 << 20).into())
    );
    // The largest are there, largest first.
    let clusters = report["clusters"].as_array().unwrap();
    let at = |name: &str| clusters.iter().position(|row| row["name"] == name);
    let (large, small) = (at("tenant.large").expect("it"), at("tenant.small").expect("it"));
    assert!(large < small, "{report}");
    assert!(clusters[large]["live_bytes"].as_u64() >= Some(1 << 20), "{report}");
}
