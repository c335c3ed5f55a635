//! Clients that go away.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use tenants::load::Client;

use crate::child::{Usage, put, server, until, wait_for};

#[test]
fn one_that_leaves_in_the_middle_of_its_request_leaves_nothing() {
    let server = server(&[]);
    let address = server.address();
    wait_for(async {
        let mut client = Client::new(address);
        assert_eq!(put(&mut client, "/tenants/acme/documents/a", b"text").await.status, 201);
        let before = until(&mut client, |usage| usage.requests() == 0).await.live("tenant.acme");
        // Half of the body; the request's cluster has it.
        let mut streams: Vec<_> = (0..10)
            .map(|n| {
                let mut stream = TcpStream::connect(address).unwrap();
                let path = format!("/tenants/acme/documents/b{n}");
                write!(stream, "PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n")
                    .unwrap();
                stream.write_all(&[b'x'; 100_000]).unwrap();
                stream
            })
            .collect();
        let all_there = |usage: &Usage| {
            let halves =
                usage.named("request.acme").filter(|row| row["live"].as_u64() >= Some(100_000));
            halves.count() == 10
        };
        let usage = until(&mut client, all_there).await;
        assert!(usage.live("tenant.acme") >= before + 1_000_000);
        // One is polite, the others are not.
        streams[0].shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = streams[0].read_to_end(&mut answer);
        drop(streams);
        let gone = |usage: &Usage| usage.requests() == 0 && usage.live("tenant.acme") == before;
        until(&mut client, gone).await;
    });
}
