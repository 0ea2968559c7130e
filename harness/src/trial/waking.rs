//! Whom the kernel, or the acceptor, wakes for a lone connection.
//!
//! Connections are made one after the other, each for one request: the next when the last has been
//! answered and closed by the server, so that all workers wait again, or nearly.

use std::{io::Read, time::Duration};

use anyhow::{Context, ensure};
use load::worker_id;
use schema::{Cell, Stage};

use super::Setting;
use crate::{
    launch::{Server, Trouble},
    ready,
};

/// How long the server's end may lag behind the broken connections it causes.
const END_LAG: Duration = Duration::from_millis(200);

/// The worker that answered each of the connections which the cell asks for.
pub(super) fn wake(
    setting: &Setting,
    cell: &Cell,
    server: &mut Server,
) -> Result<Vec<u64>, Trouble> {
    let mut order = Vec::new();
    for number in 1..=cell.wakes {
        if setting.interrupt.is_set() {
            return Err(Trouble::Interrupted);
        }
        match answered_by(server, setting.timeout) {
            Ok(worker) => order.push(worker),
            Err(_) if server.has_ended(END_LAG) => return Err(server.ended_at(Stage::WarmUp)),
            Err(error) => {
                let reason = format!(
                    "connection {number} of {} that were made one after the other before the load: \
                     {error:#}",
                    cell.wakes
                );
                return Err(server.failure(Stage::WarmUp, reason));
            }
        }
    }
    Ok(order)
}

fn answered_by(server: &Server, patience: Duration) -> anyhow::Result<u64> {
    let shown = humantime::format_duration(patience);
    let (answer, mut stream) = ready::ask(server.address, patience)
        .with_context(|| format!("no answer (waited for {shown} at most)"))?;
    ensure!(
        answer.status == 200,
        "status {} instead of 200",
        answer.status
    );
    let more = stream.read(&mut [0]).with_context(|| {
        format!("the server was told to close and did not (waited for {shown} at most)")
    })?;
    ensure!(more == 0, "bytes came that no request asked for");
    answer.body.whole().and_then(worker_id).with_context(|| {
        format!(
            "a body that is not 'Hello from worker <id>': '{}'",
            answer.body.kept().escape_ascii()
        )
    })
}
