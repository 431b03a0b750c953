//! HTTP/1.1 with limits on connections, header size, header lines and time.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use hyper::header::{REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use lqd_stats::Exposition;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio::time;

use super::Context;
use crate::observe::scrape::Scrape;
use crate::observe::state::ServerState;
use crate::observe::taps::write_pcap;
use crate::observe::{metrics, status};

/// Most connections of one listener. A further one closes the one that has been idle longest, so that idle
/// connections lock no client out. The limit is by listener, so that TCP clients do not close the operator's
/// Unix connections.
const CONNECTIONS_MAX: usize = 32;

/// Longest time for a request to arrive, and for a connection to stay idle.
const HEADER_TIME_MAX: Duration = Duration::from_secs(10);

/// Longest life of a connection, also of one that reads nothing.
const LIFE_MAX: Duration = Duration::from_secs(120);

/// Longest header of a request, and read-ahead, in octets.
const HEADER_LEN_MAX: usize = 16 << 10;

/// Most lines of a request's header.
const HEADER_LINES_MAX: usize = 64;

/// Pause after a failed accept, for instance at the limit of open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The status page.
const PAGE: &str = include_str!("page.html");

/// Content security policy of the page: its own script and its own server only.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                           connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Accepts connections and answers their requests, forever.
pub(super) async fn accept<S>(context: Context, next: impl AsyncFn() -> io::Result<S>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let uses = Arc::new(AtomicU64::new(0));
    let mut connections: Vec<Connection> = Vec::with_capacity(CONNECTIONS_MAX);
    loop {
        let Ok(stream) = next().await else {
            time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        connections.retain(|connection| !connection.task.is_finished());
        if connections.len() >= CONNECTIONS_MAX
            && let Some(idlest) = (0..connections.len()).min_by_key(|&at| connections[at].last_use())
        {
            connections.swap_remove(idlest).task.abort();
        }
        let usage = Usage { uses: Arc::clone(&uses), last: Arc::default() };
        usage.note();
        let (context, last_use) = (context.clone(), Arc::clone(&usage.last));
        let task = tokio::spawn(async move {
            // The reason why a client's connection ended is of no use.
            let _ = time::timeout(LIFE_MAX, serve(stream, context, usage)).await;
        });
        connections.push(Connection { last_use, task: task.abort_handle() });
        // Answers a request that has arrived before another connection can close this one.
        tokio::task::yield_now().await;
    }
}

/// An accepted connection.
struct Connection {
    last_use: Arc<AtomicU64>,
    task: AbortHandle,
}

impl Connection {
    fn last_use(&self) -> u64 {
        self.last_use.load(Ordering::Relaxed)
    }
}

/// Position of a connection in the order of last use: accepted, or sent a request.
struct Usage {
    uses: Arc<AtomicU64>,
    last: Arc<AtomicU64>,
}

impl Usage {
    fn note(&self) {
        self.last.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }
}

async fn serve<S>(stream: S, context: Context, usage: Usage) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = move |request: Request<Incoming>| {
        usage.note();
        let response = respond(&request, &context);
        async { Ok::<_, Infallible>(response) }
    };
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_MAX)
        .max_buf_size(HEADER_LEN_MAX)
        .max_headers(HEADER_LINES_MAX)
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .await
}

/// Returns the response; hyper omits the body for HEAD.
fn respond(request: &Request<Incoming>, context: &Context) -> Response<Full<Bytes>> {
    let state = &*context.state;
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/" => {
            let mut response = body(StatusCode::OK, "text/html; charset=utf-8", PAGE);
            let policy = HeaderValue::from_static(PAGE_POLICY);
            response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
            response
        }
        "/healthz" => text(StatusCode::OK, "alive\n"),
        "/readyz" => match state.unready() {
            None => text(StatusCode::OK, "ready\n"),
            Some(reason) => text(StatusCode::SERVICE_UNAVAILABLE, reason + "\n"),
        },
        "/metrics" => body(StatusCode::OK, Exposition::CONTENT_TYPE, metrics::text(&Scrape::take(state))),
        "/status" => body(StatusCode::OK, "application/json", status::json(&Scrape::take(state))),
        "/discards.pcap" if !context.is_private => text(
            StatusCode::FORBIDDEN,
            "discards name clients: use a Unix socket (--admin unix:/run/lqd/admin.sock)\n",
        ),
        "/discards.pcap" => discards(state),
        _ => text(
            StatusCode::NOT_FOUND,
            "not found; paths are /, /metrics, /healthz, /readyz, /status and /discards.pcap\n",
        ),
    }
}

/// Returns the last discarded datagrams of all workers.
fn discards(state: &ServerState) -> Response<Full<Bytes>> {
    let serving = state.serving.get();
    let taps = serving.and_then(|serving| serving.taps.load_full());
    let (Some(serving), Some(discards)) = (serving, taps.and_then(|taps| taps.discards())) else {
        return text(StatusCode::NOT_FOUND, "no discards are kept: set --keep-discards\n");
    };
    let mut file = Vec::new();
    match write_pcap(&mut file, &discards, &serving.listen) {
        Ok(()) => body(StatusCode::OK, "application/vnd.tcpdump.pcap", file),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    body(status, "text/plain; charset=utf-8", text)
}

fn body(status: StatusCode, content_type: &'static str, octets: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(octets.into()));
    *response.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
