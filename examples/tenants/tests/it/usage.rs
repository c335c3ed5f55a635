//! `/usage`, to the byte.

use hyper::StatusCode;
use tenants::load::Client;

use crate::child::{Usage, delete, put, server, until, wait_for};

#[test]
fn it_says_what_is_kept() {
    let server = server(&["--tenant-budget", "10MiB", "--tenant-soft-budget", "75%"]);
    wait_for(async {
        let mut client = Client::new(server.address());
        let usage = Usage::of(&mut client).await;
        assert_eq!((usage.rows().len(), &usage.rows()[0]["name"]), (1, &"root".into()));
        let path = "/tenants/acme/documents/a";
        let mut before = 0;
        for length in [10_000, 200_000, 0, 60_000] {
            assert_eq!(put(&mut client, path, &vec![b'x'; length]).await.status, 201);
            let usage = until(&mut client, |usage| usage.requests() == 0).await;
            let live = usage.live("tenant.acme");
            // Beside the text: the map's node, the name, the count of who has it. Always the same.
            let beside = live - length as u64;
            assert!(beside < 1000, "{beside}");
            assert!(before == 0 || before == beside, "{before} {beside}");
            before = beside;
            let row = usage.named("tenant.acme").next().unwrap();
            assert_eq!((&row["budget"], &row["parent"]), (&(10 << 20).into(), &"root".into()));
            assert_eq!(row["soft_budget"], 7864320);
            assert!(usage.live("root") > live);
        }
        assert_eq!(delete(&mut client, path).await.status, StatusCode::NO_CONTENT);
        assert_eq!(client.get(path).await.unwrap().status, StatusCode::NOT_FOUND);
        until(&mut client, |usage| usage.live("tenant.acme") == 0).await;
    });
}

#[test]
fn a_thousand_tenants() {
    const TENANTS: usize = 1000;
    const CONNECTIONS: usize = 8;
    let server = server(&[]);
    let address = server.address();
    wait_for(async {
        let mut tasks = tokio::task::JoinSet::new();
        for first in 0..CONNECTIONS {
            tasks.spawn(async move {
                let mut client = Client::new(address);
                for n in (first..TENANTS).step_by(CONNECTIONS) {
                    let path = format!("/tenants/t{n}/documents/it");
                    let text = format!("the text of {n}").repeat(50);
                    assert_eq!(put(&mut client, &path, text.as_bytes()).await.status, 201);
                    assert_eq!(client.get(&path).await.unwrap().body, text);
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let mut client = Client::new(address);
        let usage = until(&mut client, |usage| usage.requests() == 0).await;
        assert_eq!(usage.rows().len(), 1 + TENANTS);
        for n in 0..TENANTS {
            assert!((500..2000).contains(&usage.live(&format!("tenant.t{n}"))), "{n}");
        }
    });
}
