//! Load for the server, from a process of its own.

use std::net::SocketAddr;
use std::process::{Command, ExitCode};

use clap::Parser;
use failfast_alloc::FailFast;
use tenants::load::{Figures, Plan, Report, Server};

/// Of the server that this program starts as another process of itself, unless it is given one.
#[global_allocator]
static ALLOC: FailFast = FailFast::system();

/// Puts a server under load: well-behaved tenants alone, then beside one that asks for too much.
#[derive(Parser)]
#[command(name = "load")]
struct Options {
    /// The server's address; without it, one is started and ended.
    #[arg(long)]
    server: Option<SocketAddr>,
    /// How many well-behaved tenants there are, with one connection each.
    #[arg(long, default_value_t = 4)]
    tenants: usize,
    /// How many rounds of six requests each of them makes, each time.
    #[arg(long, default_value_t = 500)]
    rounds: usize,
    /// How many connections the greedy tenant has.
    #[arg(long, default_value_t = 1)]
    greedy: usize,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// The first argument that makes this program the server.
const SERVE: &str = "serve";
/// A bound, should the others never come to their end.
const GREEDY_REQUESTS: usize = 1_000_000;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    if arguments.nth(1).is_some_and(|first| first == SERVE) {
        return tenants::main(["tenants".into()].into_iter().chain(arguments));
    }
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let own = match options.server {
        Some(_) => None,
        None => Some(Server::start(Command::new(std::env::current_exe()?).arg(SERVE))?),
    };
    let server = options.server.or(own.as_ref().map(Server::address)).ok_or("no server")?;
    let plan = Plan {
        tenants: options.tenants,
        rounds: options.rounds,
        greedy: options.greedy,
        greedy_requests: GREEDY_REQUESTS,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(plan.run(server))?;
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report);
    }
    Ok(())
}

fn print(report: &Report) {
    println!("                     requests  succeeded  503        p50        p99");
    row("others, alone", &report.alone);
    row("others, beside it", &report.beside);
    row("the greedy one", &report.greedy);
}

fn row(who: &str, figures: &Figures) {
    let Figures { requests, succeeded, refused, p50_ms, p99_ms } = figures;
    println!("{who:20} {requests:8} {succeeded:10} {refused:5} {p50_ms:7.2} ms {p99_ms:7.2} ms");
}
