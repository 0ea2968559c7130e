//! What follows the window on the same server, where its cell asks for it: an open loop at a share of
//! what was just served.

use std::time::Duration;

use load::LoadError;
use schema::{LoadResult, Stage, Then};

use super::{Entrant, Left, Setting, Turn, asked::after_the_window};
use crate::{launch::Trouble, progress::Progress};

/// How soon progress is shown, an interrupt seen, and the server's end.
const TICK: Duration = Duration::from_millis(100);
/// How long the server's end may lag behind the broken connections it causes.
const END_LAG: Duration = Duration::from_millis(200);

/// Makes it; nothing where the cell asks for none. A failure is the trial's.
pub(super) fn follow(
    setting: &Setting,
    turn: Turn<'_>,
    entrant: &mut Entrant<'_>,
    served: &LoadResult,
    progress: &Progress,
) -> Result<Result<Option<Then>, Trouble>, Left> {
    let Some(percent) = entrant.cell.then_percent else {
        return Ok(Ok(None));
    };
    let Some((rate_per_s, spec)) = after_the_window(setting, turn, entrant, percent, served) else {
        let reason = format!(
            "nothing was served in the window, so that there is no rate of which {percent} % could \
             be asked after it"
        );
        return Ok(Err(entrant.server.failure(Stage::Load, reason)));
    };
    let loaded = load::start(spec).and_then(|mut running| {
        while !running.wait(TICK) {
            progress.tick();
            if setting.interrupt.is_set() || entrant.server.has_ended(Duration::ZERO) {
                running.stop();
            }
        }
        running.finish()
    });
    if setting.interrupt.is_set() {
        return Err(Left);
    }
    let failed = |entrant: &mut Entrant<'_>, error: LoadError| {
        if entrant.server.has_ended(END_LAG) {
            return entrant.server.ended_at(Stage::Load);
        }
        let reason =
            format!("after the window, with {rate_per_s:.0} requests a second to come: {error}");
        entrant.server.failure(Stage::Load, reason)
    };
    Ok(match loaded {
        Ok(_) if entrant.server.has_ended(Duration::ZERO) => {
            Err(entrant.server.ended_at(Stage::Load))
        }
        Ok(loaded) => Ok(Some(Then {
            percent,
            rate_per_s,
            load: loaded.result,
        })),
        Err(error) => Err(failed(entrant, error)),
    })
}
