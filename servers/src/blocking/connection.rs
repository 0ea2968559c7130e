//! HTTP/1.1 on one connection, by a worker that does nothing else meanwhile.
//!
//! hyper and the endpoint are those of the evented style, so answers are equal to the byte. hyper is
//! polled by hand: each poll waits for what the client sends, has it answered, writes the answer and
//! comes back.
//!
//! # What ends a connection
//! The client; a number of requests, for a worker that stays with one client starves all others; the
//! drain. When the drain has begun, answers say `Connection: close`; a connection on which no request
//! has begun is closed, one on which a part of a request has come is waited for. Requests pipelined
//! behind an answer that says so are not answered, as in the evented style, and clients know.

use std::{
    cell::Cell,
    convert::Infallible,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake, Waker},
};

use hyper::{Request, body::Incoming, service::service_fn};
use schema::Style;

use super::{Terms, standing::retiring, wire::Wire};
use crate::{
    connection::{make_last, protocol},
    endpoint,
};

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// In order, or by its client.
    Done,
    /// By the deadline of the drain, or by an order to end at once.
    Cut,
}

/// hyper's wish to be polled again at once, which it has when a client pipelines many requests.
#[derive(Debug, Default)]
pub struct Wish(AtomicBool);

impl Wake for Wish {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Serve requests from `wire` until the connection ends.
pub fn serve(wire: &Wire<'_>, terms: &Terms, wish: &Arc<Wish>) -> Close {
    let answers = Cell::new(0);
    let answers = &answers;
    let answer = service_fn(move |request: Request<Incoming>| async move {
        let version = request.version();
        let mut response = endpoint::answer(request, Style::Blocking, terms.spin).await?;
        wire.answered();
        answers.set(answers.get() + 1);
        if answers.get() >= terms.keep_alive_requests || retiring() {
            make_last(&mut response, version);
        }
        Ok::<_, Infallible>(response)
    });
    let mut connection = pin!(protocol().serve_connection(wire, answer));
    loop {
        wire.allow_read();
        // hyper that neither ended nor read will never do either.
        if poll(connection.as_mut(), wish) || wire.read_is_left() {
            break;
        }
        if wire.ran_dry() {
            if !wire.is_asked() {
                connection.as_mut().graceful_shutdown();
                poll(connection.as_mut(), wish);
                break;
            }
            if wire.wait_for_more().is_err() {
                break;
            }
        }
    }
    if wire.was_cut() {
        Close::Cut
    } else {
        Close::Done
    }
}

/// Whether the connection has ended. One that its client broke harms nobody else, and there is
/// nobody to tell.
fn poll(mut connection: Pin<&mut impl Future>, wish: &Arc<Wish>) -> bool {
    let waker = Waker::from(Arc::clone(wish));
    let mut context = Context::from_waker(&waker);
    loop {
        let ended = connection.as_mut().poll(&mut context).is_ready();
        if ended || !wish.0.swap(false, Ordering::Relaxed) {
            return ended;
        }
    }
}
