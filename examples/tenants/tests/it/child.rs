//! A server in a child process, with nothing of ours in its environment but what a test says.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use failfast_alloc_rows::child;
use hyper::Method;
use serde_json::Value;
use tenants::load::{Answer, Client, Server};

/// What takes longer hangs. Generous: the machine may be slow, and it is only a bound.
const HANGS_AFTER: Duration = Duration::from_secs(120);

/// The server's program, with these arguments.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = child::of(env!("CARGO_BIN_EXE_tenants"));
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"TENANTS_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stderr(Stdio::piped());
    command
}

pub(crate) fn server(arguments: &[&str]) -> Server {
    Server::start(&mut command(arguments)).unwrap()
}

/// Runs a test's part that waits for answers.
pub(crate) fn wait_for<F: Future>(what: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(HANGS_AFTER, what).await.expect("it hangs") })
}

/// What `/usage` says.
pub(crate) struct Usage(Value);

impl Usage {
    pub(crate) async fn of(client: &mut Client) -> Self {
        Self(client.get("/usage").await.unwrap().json())
    }

    pub(crate) fn rows(&self) -> &[Value] {
        self.0["clusters"].as_array().unwrap()
    }

    /// The clusters of that name.
    pub(crate) fn named(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.rows().iter().filter(move |row| row["name"] == name)
    }

    pub(crate) fn live(&self, name: &str) -> u64 {
        let row = self.named(name).next().unwrap_or_else(|| panic!("no `{name}` in {}", self.0));
        row["live"].as_u64().unwrap()
    }

    pub(crate) fn requests(&self) -> usize {
        let is_request = |row: &&Value| row["name"].as_str().unwrap().starts_with("request.");
        self.rows().iter().filter(is_request).count()
    }
}

/// Asks for the usage until it is so.
pub(crate) async fn until(client: &mut Client, is_so: impl Fn(&Usage) -> bool) -> Usage {
    let start = Instant::now();
    loop {
        let usage = Usage::of(client).await;
        if is_so(&usage) {
            return usage;
        }
        assert!(start.elapsed() < HANGS_AFTER, "it stays {}", usage.0);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn put(client: &mut Client, path: &str, body: &[u8]) -> Answer {
    client.ask(Method::PUT, path, Bytes::copy_from_slice(body)).await.unwrap()
}

pub(crate) async fn delete(client: &mut Client, path: &str) -> Answer {
    client.ask(Method::DELETE, path, Bytes::new()).await.unwrap()
}
