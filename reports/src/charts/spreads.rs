//! Who answered, policy by policy: small bars, one for each worker, under each load.

use schema::{Balance, BalanceCell, Reuse, Spread, Worker};

use super::{
    Chart, alone,
    canvas::{Anchor, Canvas, Format, Point, SMALL, Stroke, fitted},
    palette::{Paint, Series},
};
use crate::Run;

const HEAD: i32 = 44;
const BARS: i32 = 28;

const HOW_TO_READ: &str = "Each group of bars is one server under one load, a bar for each worker, busiest first: its height is the worker's share of the answers, the box being all of them, and the dashed line an equal share. The number is Jain's index: 1 where all workers answer alike, 1/N where one of N does everything.";

/// What was asked of every server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) reuse: Reuse,
    /// Arrivals per second where there is room to spare.
    pub(crate) rate_per_s: Option<u32>,
}

impl Setting {
    pub(crate) const fn of(cell: &BalanceCell) -> Self {
        Self {
            reuse: cell.reuse,
            rate_per_s: cell.rate_per_s,
        }
    }

    /// Each that was asked, kept connections first and full load first.
    pub(crate) fn every(balance: &Balance) -> Vec<Self> {
        let mut settings: Vec<Self> = Vec::new();
        for setting in balance.cells.iter().map(Self::of) {
            if !settings.contains(&setting) {
                settings.push(setting);
            }
        }
        settings.sort_by_key(|setting| (setting.reuse == Reuse::NewConnection, setting.rate_per_s));
        settings
    }

    /// As in `kept, full load`: how connections live, and how much is asked.
    pub(crate) fn in_brief(self) -> [String; 2] {
        let life = match self.reuse {
            Reuse::KeepAlive => "kept",
            Reuse::NewConnection => "new",
        };
        let load = match self.rate_per_s {
            None => "full load".to_owned(),
            Some(rate) => format!("{rate}/s"),
        };
        [life.to_owned(), load]
    }
}

pub(crate) fn spreads(run: &Run, balance: &Balance) -> Chart {
    let settings = Setting::every(balance);
    let values: Vec<String> = balance
        .cells
        .iter()
        .filter_map(|cell| {
            let jain = cell.requests.as_ref()?.jain.point;
            let setting = Setting::of(cell).in_brief().join(", ");
            Some(format!(
                "{} ({setting}): Jain's index {jain:.3}",
                cell.server
            ))
        })
        .collect();
    alone(
        "balance",
        "Who answers, by accept policy",
        HOW_TO_READ,
        &values,
        |format| draw(run, balance, &settings, format),
    )
}

/// Every server, in the order of the plan.
pub(super) fn servers(balance: &Balance) -> Vec<&str> {
    let mut servers: Vec<&str> = Vec::new();
    for cell in &balance.cells {
        if !servers.contains(&cell.server.as_str()) {
            servers.push(&cell.server);
        }
    }
    servers
}

/// The colour of a server's kind of worker.
pub(super) fn series(run: &Run, cell: &str) -> Series {
    let worker = run
        .cell(cell)
        .map_or(Worker::Process, |cell| cell.model.worker);
    Series::of_worker(worker)
}

fn draw(run: &Run, balance: &Balance, settings: &[Setting], format: Format) -> Canvas {
    let servers = servers(balance);
    let (left, height) = if format.is_narrow() {
        (4, BARS + 28)
    } else {
        (232, BARS + 10)
    };
    let count = |n: usize| i32::try_from(n).unwrap_or(1).max(1);
    let width = (format.width() - left - 4) / count(settings.len());
    let mut canvas = Canvas::new(format, HEAD + count(servers.len()) * height + 4);
    for (x, setting) in (0..).map(|place| left + place * width).zip(settings) {
        let [life, load] = setting.in_brief();
        canvas.strong((x, 12), Anchor::Start, Paint::Ink, &life);
        canvas.text((x, 30), Anchor::Start, SMALL, Paint::Muted, &load);
    }
    for (place, server) in (0..).zip(servers) {
        let top = HEAD + place * height;
        let label = if format.is_narrow() {
            (4, top + 8)
        } else {
            (4, top + BARS / 2)
        };
        let room = if format.is_narrow() { 340 } else { left - 8 };
        let text = fitted(server, SMALL, room);
        canvas.text(label, Anchor::Start, SMALL, Paint::Ink, &text);
        let bottom = top + height - 8;
        for (x, setting) in (0..).map(|place| left + place * width).zip(settings) {
            let is_it =
                |cell: &&BalanceCell| cell.server == server && Setting::of(cell) == *setting;
            let cell = balance.cells.iter().find(is_it);
            match cell.and_then(|cell| Some((cell, cell.requests.as_ref()?))) {
                Some((cell, spread)) => {
                    let paint = Paint::Series(series(run, &cell.cell));
                    bars(&mut canvas, (x, bottom), width, paint, spread);
                }
                None => canvas.text(
                    (x, bottom - BARS / 2),
                    Anchor::Start,
                    SMALL,
                    Paint::Muted,
                    "–",
                ),
            }
        }
    }
    canvas
}

/// From the lower left corner.
fn bars(canvas: &mut Canvas, (x, bottom): Point, width: i32, paint: Paint, spread: &Spread) {
    const NUMBER: i32 = 44;
    let count = i32::try_from(spread.shares.len()).unwrap_or(1).max(1);
    let each = ((width - NUMBER) / count).clamp(1, 13);
    let right = x + each * count;
    let height = |share: f64| {
        #[allow(clippy::cast_possible_truncation, reason = "a pixel of the drawing")]
        let pixels = (share * f64::from(BARS)).round() as i32;
        pixels
    };
    canvas.rect((x, bottom - BARS), (right, bottom), Paint::Band, 1.0);
    for (place, &share) in (0..).zip(&spread.shares) {
        let (from, to) = (x + place * each, x + (place + 1) * each);
        let gap = i32::from(each > 3);
        if share > 0.0 {
            let top = bottom - height(share).max(1);
            canvas.rect((from, top), (to - gap, bottom), paint, 0.8);
        }
    }
    let equal = bottom - height(1.0 / f64::from(count));
    canvas.dashed(&[(x, equal), (right, equal)], Stroke::new(Paint::Ink, 1));
    canvas.line(
        &[(x, bottom), (right, bottom)],
        Stroke::new(Paint::Muted, 1),
    );
    let jain = format!("{:.2}", spread.jain.point);
    let at = (right + 5, bottom - BARS / 2);
    canvas.text(at, Anchor::Start, SMALL, Paint::Ink, &jain);
}
