//! How a request is refused: a status, and a JSON body that says why.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use failfast_alloc::{Error, OverBudget};
use serde_json::{Value, json};

/// After how many seconds a client may try again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Why there is no other answer.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// A cluster is over its soft budget, or what was asked for does not fit in its budget.
    Over { cluster: String, live: usize, budget: usize },
    /// There is no room for another cluster.
    NoCluster(Error),
    /// There is no room for another tenant.
    TooManyTenants,
    /// The tenant's name is none.
    Name(Error),
    /// There is no such document.
    NotFound,
    /// The request's body ended early, or the document is not what it has to be for this.
    Unfit(&'static str),
    /// The work panicked.
    Failed,
}

impl From<OverBudget> for Refusal {
    fn from(over: OverBudget) -> Self {
        let (cluster, live, budget) = (over.cluster().to_owned(), over.live(), over.budget());
        Self::Over { cluster, live, budget }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        if error.is_invalid_name() { Self::Name(error) } else { Self::NoCluster(error) }
    }
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Over { .. } | Self::NoCluster(_) | Self::TooManyTenants => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Name(_) | Self::Unfit(_) => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn body(&self) -> Value {
        match self {
            Self::Over { cluster, live, budget } => json!({
                "error": "over-budget",
                "cluster": cluster,
                "live_bytes": live,
                "budget_bytes": budget,
            }),
            Self::NoCluster(error) => {
                json!({ "error": "no-cluster", "message": error.to_string() })
            }
            Self::TooManyTenants => json!({ "error": "too-many-tenants" }),
            Self::Name(error) => json!({ "error": "invalid-name", "message": error.to_string() }),
            Self::NotFound => json!({ "error": "not-found" }),
            Self::Unfit(why) => json!({ "error": "unfit", "message": why }),
            Self::Failed => json!({ "error": "failed" }),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(self.body())).into_response();
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}
