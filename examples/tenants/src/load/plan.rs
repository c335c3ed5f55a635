//! Load that is bounded in count: well-behaved tenants, alone and beside a greedy one.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::client::{Answer, Client};

/// How much load.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many well-behaved tenants there are, with one connection each.
    pub tenants: usize,
    /// How many rounds of six requests each of them makes.
    pub rounds: usize,
    /// How many connections the greedy tenant has.
    pub greedy: usize,
    /// How many requests each of these makes at most.
    pub greedy_requests: usize,
}

/// What became of requests.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Figures {
    /// How many were made, ...
    pub requests: u64,
    /// ... answered as they should be, ...
    pub succeeded: u64,
    /// ... and answered with 503.
    pub refused: u64,
    /// Half of the answers came within this, in milliseconds, ...
    pub p50_ms: f64,
    /// ... and all but a hundredth within this.
    pub p99_ms: f64,
}

/// What became of a [`Plan`].
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Report {
    /// The well-behaved tenants, while they were alone.
    pub alone: Figures,
    /// The same, beside the greedy one.
    pub beside: Figures,
    /// The greedy one.
    pub greedy: Figures,
}

impl Plan {
    /// Puts a server under load.
    pub async fn run(self, server: SocketAddr) -> io::Result<Report> {
        self.others(server).await?; // Connections, tenants, pages: not measured.
        let alone = self.others(server).await?.figures();
        // The greedy one begins before the others are measured, and ends after.
        let others_are_done = Arc::new(AtomicBool::new(false));
        let (under_way, mut begun) = tokio::sync::mpsc::channel(1);
        let mut greedy = JoinSet::new();
        for _ in 0..self.greedy {
            greedy.spawn(self.greedy(server, under_way.clone(), others_are_done.clone()));
        }
        drop(under_way);
        begun.recv().await;
        let beside = self.others(server).await?.figures();
        others_are_done.store(true, Relaxed);
        Ok(Report { alone, beside, greedy: gather(greedy).await?.figures() })
    }

    async fn others(self, server: SocketAddr) -> io::Result<Tally> {
        let mut tenants = JoinSet::new();
        for tenant in 0..self.tenants {
            tenants.spawn(self.other(server, format!("/tenants/other-{tenant}")));
        }
        gather(tenants).await
    }

    /// A tenant that stores, fetches, sorts, removes, and looks at small pictures.
    async fn other(self, server: SocketAddr, tenant: String) -> io::Result<Tally> {
        let (mut tally, mut client) = (Tally::new(), Client::new(server));
        let text: String = (0..200).map(|n| format!("line {}\n", n * 7 % 200)).collect();
        let text = Bytes::from(text);
        for round in 0..self.rounds {
            let document = format!("{tenant}/documents/{round}");
            let sorted = format!("{document}/sorted");
            let picture = format!("{tenant}/picture?width=64&height=64");
            let list = format!("{tenant}/documents");
            let rows = [
                (Method::PUT, &document, StatusCode::CREATED),
                (Method::GET, &document, StatusCode::OK),
                (Method::GET, &sorted, StatusCode::OK),
                (Method::GET, &picture, StatusCode::OK),
                (Method::GET, &list, StatusCode::OK),
                (Method::DELETE, &document, StatusCode::NO_CONTENT),
            ];
            for (method, path, expected) in rows {
                let body = if method == Method::PUT { text.clone() } else { Bytes::new() };
                let answer = tally.time(client.ask(method, path, body)).await?;
                let right = *path != document || expected != StatusCode::OK || answer.body == text;
                tally.note(&answer, answer.status == expected && right);
            }
        }
        Ok(tally)
    }

    /// A tenant that asks for pictures of 100 million pixels, for as long as the others are there.
    async fn greedy(
        self,
        server: SocketAddr,
        under_way: tokio::sync::mpsc::Sender<()>,
        others_are_done: Arc<AtomicBool>,
    ) -> io::Result<Tally> {
        let (mut tally, mut client) = (Tally::new(), Client::new(server));
        for _ in 0..self.greedy_requests {
            let path = "/tenants/greedy/picture?width=10000&height=10000";
            let answer = tally.time(client.get(path)).await?;
            tally.note(&answer, answer.status == StatusCode::OK);
            let _ = under_way.try_send(());
            if others_are_done.load(Relaxed) {
                break;
            }
        }
        Ok(tally)
    }
}

async fn gather(mut tasks: JoinSet<io::Result<Tally>>) -> io::Result<Tally> {
    let mut all = Tally::new();
    while let Some(tally) = tasks.join_next().await {
        all.add(&tally??);
    }
    Ok(all)
}

/// What became of requests so far.
struct Tally {
    figures: Figures,
    /// In microseconds.
    times: Histogram<u64>,
}

impl Tally {
    fn new() -> Self {
        let (least, most) = (1, Duration::from_secs(3600).as_micros() as u64);
        let times = Histogram::new_with_bounds(least, most, 3).expect("fit for a histogram");
        Self { figures: Figures::default(), times }
    }

    async fn time<T>(&mut self, request: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let answer = request.await;
        self.times.saturating_record(start.elapsed().as_micros() as u64);
        answer
    }

    fn note(&mut self, answer: &Answer, is_right: bool) {
        self.figures.requests += 1;
        self.figures.succeeded += u64::from(is_right);
        self.figures.refused += u64::from(answer.status == StatusCode::SERVICE_UNAVAILABLE);
    }

    fn add(&mut self, other: &Self) {
        self.figures.requests += other.figures.requests;
        self.figures.succeeded += other.figures.succeeded;
        self.figures.refused += other.figures.refused;
        self.times.add(&other.times).expect("all have the same bounds");
    }

    fn figures(&self) -> Figures {
        let within = |part| self.times.value_at_quantile(part) as f64 / 1000.0;
        Figures { p50_ms: within(0.5), p99_ms: within(0.99), ..self.figures }
    }
}
