//! What is given on the command line and in the environment.

use tenants::load::{Client, Server};

use crate::child::{Usage, command, put, server, wait_for};

#[test]
fn wrong_values_are_answered() {
    let rows: &[(&[&str], &str)] = &[
        (&["--tenant-budget", "12Q"], "`12Q` is not a size; expected bytes, 64MiB, 75%"),
        (&["--request-soft-budget", "10%"], "percentage of a budget that is not there"),
        (&["--tenant-budget", "auto"], "has no meaning for a cluster"),
        (&["--workers", "0"], "0 is not in 1..=1024"),
        (&["--listen", "192.0.2.1:80"], "--listen 192.0.2.1:80: "),
    ];
    for (arguments, line) in rows {
        let output = command(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?} {said}");
        assert!(said.contains(line), "{arguments:?} {said}");
    }
}

#[test]
fn one_tenants_budget_comes_from_the_environment() {
    let mut command = command(&[]);
    command.env("FAILFAST_CLUSTER_BUDGETS", "tenant.acme=1MiB");
    let server = Server::start(&mut command).unwrap();
    wait_for(async {
        let mut client = Client::new(server.address());
        for tenant in ["acme", "other"] {
            let path = format!("/tenants/{tenant}/documents/a");
            assert_eq!(put(&mut client, &path, b"text").await.status, 201);
        }
        let usage = Usage::of(&mut client).await;
        let budget = |name| usage.named(name).next().unwrap()["budget"].as_u64();
        assert_eq!(budget("tenant.acme"), Some(1 << 20));
        assert_eq!(budget("tenant.other"), Some(64 << 20));
    });
}

#[test]
fn wrong_names_and_too_many_tenants_are_answered() {
    let server = server(&["--tenants-max", "2"]);
    wait_for(async {
        let mut client = Client::new(server.address());
        let long = "x".repeat(57);
        for (tenant, status, error) in [
            ("two%20words", 400, "invalid-name"),
            (&*long, 400, "invalid-name"),
            (&long[1..], 404, "not-found"),
            ("b", 404, "not-found"),
            ("c", 503, "too-many-tenants"),
        ] {
            let path = format!("/tenants/{tenant}/documents/a");
            let answer = client.get(&path).await.unwrap();
            let seen = (answer.status.as_u16(), answer.json()["error"].clone());
            assert_eq!(seen, (status, error.into()), "{tenant}");
        }
    });
}
