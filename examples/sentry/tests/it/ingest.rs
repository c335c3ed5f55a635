//! A server on loopback that takes one envelope, as the ingest of Sentry does.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::Value;
use tiny_http::{Method, Response, Server};

/// The server. It takes events until it is dropped.
pub(crate) struct Ingest {
    server: Arc<Server>,
    envelopes: Receiver<Envelope>,
}

/// What came.
pub(crate) struct Envelope {
    pub(crate) event: Value,
    pub(crate) report: Option<Value>,
}

impl Ingest {
    pub(crate) fn start() -> Self {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let (sender, envelopes) = channel();
        let answering = Arc::clone(&server);
        thread::spawn(move || {
            for mut request in answering.incoming_requests() {
                assert_eq!((request.method(), request.url()), (&Method::Post, "/api/42/envelope/"));
                let auth = request.headers().iter().find(|it| it.field.equiv("X-Sentry-Auth"));
                assert!(auth.unwrap().value.as_str().contains("sentry_key=key"));
                let mut body = Vec::new();
                request.as_reader().read_to_end(&mut body).unwrap();
                sender.send(parse(&body)).unwrap();
                request.respond(Response::from_string("{}")).unwrap();
            }
        });
        Self { server, envelopes }
    }

    /// What a client is to be told.
    pub(crate) fn dsn(&self) -> String {
        format!("http://key@{}/42", self.server.server_addr())
    }

    /// What came. The client must be gone: it waits until it has been answered.
    pub(crate) fn envelope(&self) -> Option<Envelope> {
        self.envelopes.try_recv().ok()
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        self.server.unblock();
    }
}

/// A line for the envelope, and then, for each item, a line that says how long it is, and the item.
fn parse(body: &[u8]) -> Envelope {
    let (header, mut rest) = line(body);
    let (mut event, mut report) = (None, None);
    while !rest.is_empty() {
        let (item, after) = line(rest);
        let (payload, after) = after.split_at(item["length"].as_u64().unwrap() as usize);
        rest = after.strip_prefix(b"\n").unwrap_or(after);
        let payload = serde_json::from_slice::<Value>(payload).unwrap();
        match item["type"].as_str().unwrap() {
            "event" => event = Some(payload),
            "attachment" => {
                assert_eq!(item["filename"], "report.json");
                assert_eq!(item["content_type"], "application/json");
                report = Some(payload);
            }
            other => panic!("an item of type {other}"),
        }
    }
    let event = event.expect("an event");
    let id = |value: &Value| value.as_str().unwrap().replace('-', "");
    assert_eq!(id(&header["event_id"]), id(&event["event_id"]));
    Envelope { event, report }
}

fn line(bytes: &[u8]) -> (Value, &[u8]) {
    let end = bytes.iter().position(|&byte| byte == b'\n').unwrap();
    (serde_json::from_slice(&bytes[..end]).unwrap(), &bytes[end + 1..])
}
