//! Soft budgets: one tenant asks for too much, and only that one is refused.

use std::process::Command;

use hyper::StatusCode;
use tenants::load::{Client, Report};

use crate::child::{Usage, delete, put, server, until, wait_for};

/// Rounds of six requests, of each of four tenants, three times; `TENANTS_ROUNDS` for more.
fn rounds() -> String {
    std::env::var("TENANTS_ROUNDS").unwrap_or_else(|_| "40".into())
}

#[test]
fn one_that_asks_for_too_much_is_refused_while_all_others_succeed() {
    let server = server(&[]);
    let address = server.address().to_string();
    let mut load = Command::new(env!("CARGO_BIN_EXE_load"));
    load.args(["--json", "--greedy", "2", "--rounds", &rounds(), "--server", &address]);
    let output = load.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: Report = serde_json::from_slice(&output.stdout).unwrap();
    println!("{report:#?}");

    for others in [report.alone, report.beside] {
        assert_eq!((others.succeeded, others.refused), (others.requests, 0));
        assert_eq!(others.requests, 4 * 6 * rounds().parse::<u64>().unwrap());
    }
    assert!(report.greedy.requests >= 2);
    assert_eq!((report.greedy.succeeded, report.greedy.refused), (0, report.greedy.requests));

    wait_for(async {
        let mut client = Client::new(server.address());
        // All documents are gone, and all requests.
        let gone = |usage: &Usage| {
            usage.requests() == 0
                && usage.live("tenant.greedy") == 0
                && (0..4).all(|n| usage.live(&format!("tenant.other-{n}")) == 0)
        };
        let usage = until(&mut client, gone).await;
        assert_eq!(usage.rows().len(), 6);
    });
}

#[test]
fn a_refusal_says_what_and_when() {
    let server = server(&["--request-soft-budget", "1MiB"]);
    wait_for(async {
        let mut client = Client::new(server.address());
        let answer = client.get("/tenants/acme/picture?width=3000&height=3000").await.unwrap();
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.retry_after.as_deref(), Some("1"));
        let json = answer.json();
        assert_eq!(
            (&json["error"], &json["cluster"]),
            (&"over-budget".into(), &"request.acme".into())
        );
        assert_eq!(json["budget_bytes"], 1 << 20);
        assert!(json["live_bytes"].as_u64().unwrap() > 1 << 20);
        // The same connection, the same tenant: all is well.
        let answer = client.get("/tenants/acme/picture?width=300&height=300").await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 15 + 90_000));
    });
}

/// On the pool for what blocks nobody but the work itself can end it.
#[test]
fn blocking_work_is_refused_too() {
    let server = server(&["--request-soft-budget", "256KiB"]);
    wait_for(async {
        let mut client = Client::new(server.address());
        // Two bytes a line here, sixteen for each when it is sorted.
        let text = "x\n".repeat(50_000);
        let path = "/tenants/acme/documents/lines";
        assert_eq!(put(&mut client, path, text.as_bytes()).await.status, StatusCode::CREATED);
        let before = Usage::of(&mut client).await.live("tenant.acme");
        let answer = client.get(&format!("{path}/sorted")).await.unwrap();
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.json()["cluster"], "request.acme");
        until(&mut client, |usage| usage.live("tenant.acme") == before).await;
    });
}

#[test]
fn a_full_tenant_may_make_room() {
    let server = server(&["--tenant-budget", "16MiB", "--tenant-soft-budget", "3MiB"]);
    wait_for(async {
        let mut client = Client::new(server.address());
        let text = vec![b'x'; 700_000];
        let mut stored = 0;
        let answer = loop {
            let path = format!("/tenants/acme/documents/{stored}");
            let answer = put(&mut client, &path, &text).await;
            if answer.status != StatusCode::CREATED {
                break answer;
            }
            stored += 1;
        };
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.json()["cluster"], "tenant.acme");
        assert!((3..=5).contains(&stored), "{stored}");
        // Others have room; and what makes room goes on.
        assert_eq!(put(&mut client, "/tenants/b/documents/0", &text).await.status, 201);
        for n in 0..stored {
            let path = format!("/tenants/acme/documents/{n}");
            assert_eq!(client.get(&path).await.unwrap().body.len(), text.len());
            assert_eq!(delete(&mut client, &path).await.status, StatusCode::NO_CONTENT);
        }
        until(&mut client, |usage| usage.live("tenant.acme") == 0).await;
        assert_eq!(put(&mut client, "/tenants/acme/documents/0", &text).await.status, 201);
    });
}

/// A budget is not enough for all that one tenant's connections want together: they are refused,
/// not the end.
#[test]
fn a_tenant_with_many_connections_ends_nothing() {
    let arguments = ["--tenant-budget", "48MiB", "--tenant-soft-budget", "8MiB", "--workers", "2"];
    let server = server(&arguments);
    let address = server.address();
    wait_for(async {
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..16 {
            tasks.spawn(async move {
                let mut client = Client::new(address);
                let path = format!("/tenants/acme/documents/{n}");
                let text = vec![b'x'; 3 << 20];
                // The server may answer, and close, before it has read everything.
                let _ = client.ask(hyper::Method::PUT, &path, text.into()).await;
                let mut client = Client::new(address);
                let picture = client.get("/tenants/acme/picture?width=2000&height=1500").await;
                assert!([200, 503].contains(&picture.unwrap().status.as_u16()));
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let mut client = Client::new(address);
        let usage = until(&mut client, |usage| usage.requests() == 0).await;
        assert!(usage.named("tenant.acme").next().unwrap()["peak"].as_u64() <= Some(48 << 20));
    });
}
