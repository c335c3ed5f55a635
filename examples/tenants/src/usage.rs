//! What it uses.

use axum::Json;
use failfast_alloc::{Cluster, Usage};
use serde::Serialize;

/// A cluster, in bytes; `null` where there is no budget.
#[derive(Serialize)]
pub(crate) struct Row {
    name: String,
    parent: Option<String>,
    live: usize,
    peak: usize,
    budget: Option<usize>,
    soft_budget: Option<usize>,
}

#[derive(Serialize)]
pub(crate) struct Table {
    clusters: Vec<Row>,
}

/// `GET /usage`: the process, the tenants, and the requests that are under way.
pub(crate) async fn usage() -> Json<Table> {
    Json(Table { clusters: Cluster::list().iter().map(row).collect() })
}

fn row(cluster: &Cluster) -> Row {
    let Usage { live, peak, budget, soft_budget, .. } = cluster.usage();
    let parent = cluster.parent().map(|parent| parent.name().to_owned());
    Row { name: cluster.name().to_owned(), parent, live, peak, budget, soft_budget }
}
