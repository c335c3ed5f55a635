//! A server whose clusters can be watched.
//!
//! `clusters.rs` is what you want to copy: a collector, which reads the accounts when it is asked,
//! so that nothing runs between two scrapes. The rest is there to have something to look at.

mod clusters;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use failfast_alloc::{Cluster, FailFast, Limit};
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use tiny_http::{Header, Request, Response, Server};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

/// Serves /metrics.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:9184")]
    listen: SocketAddr,
    /// Stop after so many requests
    #[arg(long)]
    requests: Option<usize>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("metrics-example: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let _at_work = work()?;
    let mut registry = Registry::default();
    registry.register_collector(Box::new(clusters::Clusters));

    let server = Server::http(arguments.listen).map_err(|error| error.to_string())?;
    println!("listening on http://{}/metrics", server.server_addr());
    // One thread, which is in the root cluster: what a scrape needs is charged there.
    for request in server.incoming_requests().take(arguments.requests.unwrap_or(usize::MAX)) {
        answer(request, &registry)?;
    }
    Ok(())
}

fn answer(request: Request, registry: &Registry) -> Result<(), Box<dyn Error>> {
    if request.url() != "/metrics" {
        return Ok(request.respond(Response::empty(404))?);
    }
    let mut page = String::new();
    text::encode(&mut page, registry)?;
    let kind = "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    let kind: Header = kind.parse().map_err(|()| "a header that is none")?;
    // Whoever has asked may have gone away.
    let _ = request.respond(Response::from_string(page).with_header(kind));
    Ok(())
}

/// Clusters, and what they hold.
fn work() -> Result<Vec<(Cluster, Vec<u8>)>, failfast_alloc::Error> {
    let first = Cluster::builder("tenant-1").budget(Limit::mib(64)).build()?;
    let second = Cluster::builder("tenant-2").soft_budget(Limit::mib(1)).build()?;
    let job =
        |tenant: &Cluster| Cluster::builder("job").parent(tenant).budget(Limit::mib(8)).build();
    let all = [(job(&first)?, 1), (job(&first)?, 3), (job(&second)?, 2), (first, 4), (second, 0)];
    Ok(all.map(|(cluster, mib)| (cluster.clone(), cluster.run(|| vec![1; mib << 20]))).into())
}
