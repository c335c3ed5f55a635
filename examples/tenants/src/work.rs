//! Work on documents: three ways to need memory in proportion to what a client asks for.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use failfast_alloc::OverBudget;
use serde::Deserialize;

use crate::answer::Refusal;
use crate::inside::{blocking, grow, let_others_run};
use crate::tenant::{Document, Tenants};

/// How many lines are handled before it is asked whether the budget still holds.
const LINES_AT_ONCE: usize = 1024;
/// How many pixels are made before others may run.
const PIXELS_AT_ONCE: usize = 1 << 14;

#[derive(Deserialize)]
pub(crate) struct Size {
    width: usize,
    height: usize,
}

/// `GET /tenants/{tenant}/picture?width=W&height=H`: a texture, as a portable grey map.
///
/// It grows part by part, and lets others run after each: there it is ended if it has grown too
/// far.
pub(crate) async fn picture(
    State(tenants): State<Arc<Tenants>>,
    Path(tenant): Path<String>,
    Query(Size { width, height }): Query<Size>,
) -> Result<Response, Refusal> {
    let tenant = tenants.get(&tenant)?;
    grow(&tenant, async {
        let mut picture = format!("P5 {width} {height} 255\n").into_bytes();
        let pixels = width.checked_mul(height).ok_or(Refusal::Unfit("it is too large"))?;
        for first in (0..pixels).step_by(PIXELS_AT_ONCE) {
            let part = first..pixels.min(first + PIXELS_AT_ONCE);
            picture.extend(part.map(|at| ((at % width) ^ (at / width)) as u8));
            let_others_run().await;
        }
        Ok(picture.into_response())
    })
    .await
}

/// `GET /tenants/{tenant}/documents/{name}/sorted`: its lines, sorted.
///
/// It blocks, on a thread that no executor can end; so the work itself asks, now and then.
pub(crate) async fn sorted(
    State(tenants): State<Arc<Tenants>>,
    Path((tenant, name)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let tenant = tenants.get(&tenant)?;
    grow(&tenant, async {
        let document = tenant.document(&name)?;
        let sorted = blocking(move |cluster| sort(&document, || cluster.check_soft_budget()));
        Ok(sorted.await?.into_response())
    })
    .await
}

fn sort(
    document: &Document,
    may_go_on: impl Fn() -> Result<(), OverBudget>,
) -> Result<String, Refusal> {
    let text = str::from_utf8(document).map_err(|_| Refusal::Unfit("it is not UTF-8"))?;
    let mut lines = Vec::new();
    for line in text.lines() {
        lines.push(line);
        if lines.len() % LINES_AT_ONCE == 0 {
            may_go_on()?;
        }
    }
    lines.sort_unstable();
    let mut sorted = String::new();
    for part in lines.chunks(LINES_AT_ONCE) {
        may_go_on()?;
        for line in part {
            sorted.push_str(line);
            sorted.push('\n');
        }
    }
    Ok(sorted)
}

#[derive(Deserialize)]
pub(crate) struct Times {
    times: usize,
}

/// `GET /tenants/{tenant}/documents/{name}/repeated?times=N`: the document, N times.
///
/// This one is written as such things usually are, and it is the mistake that hard budgets are for:
/// all is asked for at once, with no place where it could be ended before. If it does not fit in
/// the tenant's budget, the server ends, and the report names the tenant.
pub(crate) async fn repeated(
    State(tenants): State<Arc<Tenants>>,
    Path((tenant, name)): Path<(String, String)>,
    Query(Times { times }): Query<Times>,
) -> Result<Response, Refusal> {
    let tenant = tenants.get(&tenant)?;
    grow(&tenant, async { Ok(tenant.document(&name)?.repeat(times).into_response()) }).await
}
