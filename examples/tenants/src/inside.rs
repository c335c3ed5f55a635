//! In which cluster work is done.
//!
//! Each request has a cluster of its own, inside its tenant's. Its future is inside that whenever
//! it is polled, and when it is dropped: by a crossed soft budget, or because the client went away.

use std::sync::Arc;

use axum::response::Response;
use failfast_alloc::Cluster;

use crate::answer::Refusal;
use crate::tenant::Tenant;

/// Work that may need much: it ends when the request, or the tenant, is over its soft budget.
pub(crate) async fn grow<F>(tenant: &Arc<Tenant>, work: F) -> Result<Response, Refusal>
where
    F: Future<Output = Result<Response, Refusal>>,
{
    let request = tenant.new_request()?;
    tenant.cluster.limited(request.limited(work)).await??
}

/// Work that must go on while the tenant is over its soft budget, or nobody could make room: it
/// ends when the request is.
pub(crate) async fn serve<F>(tenant: &Arc<Tenant>, work: F) -> Result<Response, Refusal>
where
    F: Future<Output = Result<Response, Refusal>>,
{
    let request = tenant.new_request()?;
    request.limited(work).await?
}

/// Runs `work` on the runtime's pool for what takes long, inside the cluster that we are in.
///
/// The pool's threads are in the root, and so is what the runtime allocates to hand the work over;
/// a new thread of the pool's would otherwise stay on the account of the request that happened to
/// need it first.
pub(crate) async fn blocking<T, W>(work: W) -> Result<T, Refusal>
where
    T: Send + 'static,
    W: FnOnce(&Cluster) -> Result<T, Refusal> + Send + 'static,
{
    let cluster = Cluster::current();
    let work = move || cluster.run(|| work(&cluster));
    let handle = Cluster::root().run(|| tokio::task::spawn_blocking(work));
    handle.await.map_err(|_| Refusal::Failed)?
}

/// Lets other tasks run. In the root: the runtime notes who yields in a list of the worker's, whose
/// memory would stay on the account of the request that happened to be there first.
pub(crate) async fn let_others_run() {
    Cluster::root().scope(tokio::task::yield_now()).await;
}
