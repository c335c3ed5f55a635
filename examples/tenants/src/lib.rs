//! An HTTP server that keeps documents for its tenants, each in a cluster of its own, with a
//! cluster for every request inside it.
//!
//! * `options`: what may be set. `tenant`: who has what. `inside`: in which cluster work is done.
//! * `documents`, `work`: what is asked for. `usage`: what it uses. `answer`: how it is refused.
//! * [`load`]: the other side, for the load generator and the tests.

mod answer;
mod documents;
mod inside;
pub mod load;
mod options;
mod tenant;
mod usage;
mod work;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use clap::Parser;
use failfast_alloc::Cluster;
use tokio::net::TcpListener;

use crate::options::Options;
use crate::tenant::Tenants;

/// Serves until it is ended. The arguments are those of the command line, the program's name first.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let options = Options::parse_from(arguments);
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tenants: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    // What a backtrace looks up is kept for ever, and no tenant should pay for it.
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| Cluster::root().run(|| tell(panic))));
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    // Each thread may have taken one step more when a soft budget is crossed.
    runtime.worker_threads(options.workers).max_blocking_threads(options.workers);
    runtime.enable_all().build()?.block_on(serve(options))
}

async fn serve(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|error| format!("--listen {}: {error}", options.listen))?;
    let tenants = Arc::new(Tenants::new(options)?);
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, router(tenants)).await?;
    Ok(())
}

fn router(tenants: Arc<Tenants>) -> Router {
    let document = get(documents::fetch).put(documents::store).delete(documents::remove);
    Router::new()
        .route("/usage", get(usage::usage))
        .route("/tenants/{tenant}/documents", get(documents::list))
        .route("/tenants/{tenant}/documents/{name}", document)
        .route("/tenants/{tenant}/documents/{name}/sorted", get(work::sorted))
        .route("/tenants/{tenant}/documents/{name}/repeated", get(work::repeated))
        .route("/tenants/{tenant}/picture", get(work::picture))
        .with_state(tenants)
}
