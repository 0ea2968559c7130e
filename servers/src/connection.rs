//! HTTP/1.1 on one connection, from its accept until it ends or is drained.
//!
//! Keep-alive and one request per connection both work, as the client asks. There is no timer on a
//! connection, neither for the head of a request nor between requests: arming one for each request
//! would be part of every figure measured.

use std::{convert::Infallible, future::poll_fn, pin::pin, task::Poll};

use hyper::{
    Request, Response, Version,
    body::Incoming,
    header::{CONNECTION, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use schema::Style;
use tokio::{net::TcpStream, task::yield_now};

use crate::{
    drain::{Admission, retiring},
    endpoint,
    spin::Spin,
};

const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Have an answer to a request of `version` say that its connection ends, and hyper end it.
pub(crate) fn make_last<B>(response: &mut Response<B>, version: Version) {
    response.headers_mut().insert(CONNECTION, CLOSE);
    if version == Version::HTTP_10 {
        // Otherwise hyper adds that the connection is kept alive, as such a client asked for it.
        *response.version_mut() = version;
    }
}

/// HTTP/1.1 as every style speaks it.
#[must_use]
pub fn protocol() -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        // An answer of some 130 bytes is cheaper copied into one buffer than gathered from two.
        .writev(false)
        // Otherwise hyper looks for the client's end of file while the request is still held, which
        // has its read buffer allocated anew for every request. As it is, a client that has shut
        // down its sending side still gets its answer, and one that has gone is noticed when the
        // answer is written.
        .half_close(true);
    protocol
}

/// Serve requests until the client ends the connection, it breaks, or the drain has begun; then
/// answer what was already asked, and close.
pub async fn serve(stream: TcpStream, mut admission: Admission, spin: Spin) {
    let answer = service_fn(move |request: Request<Incoming>| async move {
        let version = request.version();
        let mut response = endpoint::answer(request, Style::Evented, spin).await?;
        if retiring() {
            make_last(&mut response, version);
        }
        Ok::<_, Infallible>(response)
    });
    let mut connection = pin!(protocol().serve_connection(TokioIo::new(stream), answer));

    if admission.until_drain(connection.as_mut()).await.is_some() {
        return;
    }

    // hyper closes a connection on which it has read nothing since the last answer. A request may
    // already wait in the socket, though, where the client would see it fail. So the event loop
    // looks at its sockets once more (that is what yielding does), and hyper reads what is there.
    yield_now().await;
    let ended = poll_fn(|context| Poll::Ready(connection.as_mut().poll(context).is_ready())).await;
    if !ended {
        connection.as_mut().graceful_shutdown();
        // A client that breaks the connection harms nobody else, and there is nobody to tell.
        let _ = connection.await;
    }
}
