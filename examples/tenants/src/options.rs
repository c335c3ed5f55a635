//! What may be set, on the command line and in the environment.

use std::net::SocketAddr;

use clap::Parser;
use failfast_alloc::Limit;

/// Keeps documents for tenants, each within a budget of its own.
///
/// Budgets are sizes (`64MiB`), percentages where there is something to take them of, or
/// `unlimited`. `FAILFAST_CLUSTER_BUDGETS=tenant.acme=128MiB` sets the budget of one tenant.
#[derive(Clone, Debug, Parser)]
#[command(name = "tenants")]
pub(crate) struct Options {
    /// The address to listen on; with port 0, any free one, which is printed.
    #[arg(long, env = "TENANTS_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// What each tenant may have live, its requests included. Over it the server ends.
    #[arg(long, env = "TENANTS_BUDGET", default_value = "64MiB", value_name = "BUDGET")]
    pub(crate) tenant_budget: Limit,
    /// From where on a tenant's requests for more are answered with 503; 75% is of its budget.
    #[arg(long, env = "TENANTS_SOFT_BUDGET", default_value = "50%", value_name = "BUDGET")]
    pub(crate) tenant_soft_budget: Limit,
    /// From where on one request is ended, and answered with 503.
    #[arg(long, env = "TENANTS_REQUEST_BUDGET", default_value = "4MiB", value_name = "BUDGET")]
    pub(crate) request_soft_budget: Limit,
    /// How many threads run requests; and how many more what takes long.
    #[arg(long, env = "TENANTS_WORKERS", default_value_t = 4, value_name = "N")]
    #[arg(value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub(crate) workers: usize,
    /// How many tenants there may be; one comes to be by its first request.
    #[arg(long, env = "TENANTS_MAX", default_value_t = 10_000, value_name = "N")]
    pub(crate) tenants_max: usize,
}
