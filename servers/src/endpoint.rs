//! The one endpoint, the same for every server.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | 200, `Hello from worker <id>\n` |
//! | `GET /cpu?us=N`, `/wait?us=N`, `/block?us=N` | the same, after the work ([`crate::workload`]) |
//! | `GET /bytes?n=N` | the same greeting, followed by dots: N bytes in all |
//! | `GET /stats` | 200, JSON of what the answering worker served and, as its primary tells, all others ([`Account`]) |
//! | `us` or `n` missing, no number, too small or too large | 400 |
//! | any other path | 404 |
//! | any other method than GET and HEAD | 405 with `Allow` |
//! | `GET /stats` of a worker whose primary does not answer | 503 |
//!
//! An error's body is one line: what failed, the value seen, what to do. The id is that of the
//! worker that writes the answer, which for `/wait` on stealing threads need not be the one that
//! began it.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
};
use schema::{Style, Workload};
use serde::Serialize;

use crate::{
    ledger::SeatStats,
    messages::{self, Answer, AskError, ClusterStats, Question},
    spin::Spin,
    tally,
    workload::{self, InvalidNumber},
};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const READING: HeaderValue = HeaderValue::from_static("GET, HEAD");

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Work(Workload),
    Stats,
}

/// Why a request gets no good answer.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(
        "nothing is at {0}: ask for /, /bytes?n=N, /cpu?us=N, /wait?us=N, /block?us=N or /stats"
    )]
    Path(String),
    #[error("method {0} is not served here: use GET or HEAD")]
    Method(Method),
    #[error(transparent)]
    Number(#[from] InvalidNumber),
    #[error("cannot tell what the cluster has served: {0}")]
    Primary(#[from] AskError),
}

impl Refusal {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Path(_) => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Number(_) => StatusCode::BAD_REQUEST,
            Self::Primary(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Answer one request as a worker of `style` does, after `spin` where it asks for a workload. A body of the request is not read.
///
/// # Errors
/// None: whatever is wrong with a request is told in its answer.
pub async fn answer(
    request: Request<Incoming>,
    style: Style,
    spin: Spin,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, _) = request.into_parts();
    let asked = understand(&head.method, &head.uri);
    if let Ok(Asked::Work(workload)) = asked {
        workload::perform(workload, style).await;
        spin.burn();
    }

    tally::count_request();
    // The request's header map becomes the answer's. hyper keeps the answer's map for the next
    // request of the connection, so one map serves them all and nothing is allocated.
    let mut headers = head.headers;
    headers.clear();
    let (status, body) = match asked {
        Ok(Asked::Work(workload)) => {
            headers.insert(CONTENT_TYPE, TEXT);
            let body = match workload {
                Workload::Bytes { n } => tally::hello_of(n),
                _ => tally::hello(),
            };
            (StatusCode::OK, body)
        }
        // In a box, or every request would have the room for it in its state.
        Ok(Asked::Stats) => match Box::pin(account()).await {
            Ok(account) => {
                headers.insert(CONTENT_TYPE, JSON);
                (StatusCode::OK, account.to_json())
            }
            Err(refusal) => explain(&refusal, &mut headers),
        },
        Err(refusal) => explain(&refusal, &mut headers),
    };

    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

fn understand(method: &Method, uri: &Uri) -> Result<Asked, Refusal> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(Refusal::Method(method.clone()));
    }
    let path = uri.path();
    let us = || workload::parse_us(path, uri.query());
    Ok(Asked::Work(match path {
        "/" => Workload::Hello,
        "/bytes" => Workload::Bytes {
            n: workload::parse_bytes(path, uri.query())?,
        },
        "/cpu" => Workload::Cpu { us: us()? },
        "/wait" => Workload::Wait { us: us()? },
        "/block" => Workload::Block { us: us()? },
        "/stats" => return Ok(Asked::Stats),
        _ => return Err(Refusal::Path(path.to_owned())),
    }))
}

/// What `/stats` answers, as JSON.
#[derive(Debug, Serialize)]
pub struct Account {
    /// The answering worker's own, the present request included.
    #[serde(flatten)]
    own: SeatStats,
    cluster: Cluster,
}

/// What the answering worker knows of all others.
#[derive(Debug, Serialize)]
struct Cluster {
    /// As the primary tells when it is asked.
    #[serde(flatten)]
    stats: ClusterStats,
    /// The task ids of all workers, as the primary has announced them.
    colleagues: Vec<u32>,
}

impl Account {
    fn to_json(&self) -> Bytes {
        let mut json = serde_json::to_vec(self).expect("numbers are always JSON");
        json.push(b'\n');
        json.into()
    }
}

async fn account() -> Result<Account, Refusal> {
    // Before anything is waited for: threads that steal may continue this in another worker.
    let own = tally::stats();
    let Answer::ClusterStats(stats) = messages::ask(Question::ClusterStats).await?;
    let colleagues = messages::colleagues();
    Ok(Account {
        own,
        cluster: Cluster { stats, colleagues },
    })
}

fn explain(refusal: &Refusal, headers: &mut HeaderMap) -> (StatusCode, Bytes) {
    headers.insert(CONTENT_TYPE, TEXT);
    if matches!(refusal, Refusal::Method(_)) {
        headers.insert(ALLOW, READING);
    }
    (refusal.status(), format!("{refusal}\n").into())
}
