//! Documents: stored, fetched, listed, removed.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;

use crate::answer::Refusal;
use crate::inside::{grow, serve};
use crate::tenant::{Document, Tenants};

/// `PUT /tenants/{tenant}/documents/{name}`.
pub(crate) async fn store(
    State(tenants): State<Arc<Tenants>>,
    Path((tenant, name)): Path<(String, String)>,
    body: Body,
) -> Result<Response, Refusal> {
    let tenant = tenants.get(&tenant)?;
    grow(&tenant, async {
        let text = read(body).await?;
        tenant.keep(&name, &text)?;
        Ok(StatusCode::CREATED.into_response())
    })
    .await
}

/// `GET /tenants/{tenant}/documents/{name}`.
pub(crate) async fn fetch(
    State(tenants): State<Arc<Tenants>>,
    Path((tenant, name)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let tenant = tenants.get(&tenant)?;
    serve(&tenant, async {
        let document = tenant.document(&name)?;
        Ok(Bytes::from_owner(Shared(document)).into_response())
    })
    .await
}

/// `DELETE /tenants/{tenant}/documents/{name}`.
pub(crate) async fn remove(
    State(tenants): State<Arc<Tenants>>,
    Path((tenant, name)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let tenant = tenants.get(&tenant)?;
    serve(&tenant, async {
        tenant.forget(&name)?;
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}

/// `GET /tenants/{tenant}/documents`.
pub(crate) async fn list(
    State(tenants): State<Arc<Tenants>>,
    Path(tenant): Path<String>,
) -> Result<Response, Refusal> {
    let tenant = tenants.get(&tenant)?;
    serve(&tenant, async { Ok(Json(tenant.list()).into_response()) }).await
}

/// An answer that is the stored document itself, not a copy.
struct Shared(Document);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Reads a body, part by part, into memory of the request's: the parts are of the connection's
/// buffer, which is the root's, so what is to be accounted for must be copied. Between the parts
/// the request may be ended.
async fn read(mut body: Body) -> Result<Vec<u8>, Refusal> {
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::Unfit("the body ended early"))?;
        if let Ok(part) = frame.into_data() {
            text.extend_from_slice(&part);
        }
    }
    Ok(text)
}
