//! Charts, one file each.
//!
//! A chart is drawn three times: for a wide page, for a phone, and as a file of its own. Titles
//! and explanations stay outside, in the page's captions.

mod answered;
mod canvas;
mod cpu;
mod latency;
mod memory;
mod palette;
mod panel;
mod rows;
mod scale;
mod throughput;

use maud::{Markup, html};

use self::canvas::{Canvas, Format};
pub(crate) use self::{
    palette::{class_rules, dark_rules},
    panel::{Bar, Panel},
};
use crate::figures::{duration, mebibytes, micros, rate};

/// One chart, ready to be shown.
pub(crate) struct Chart {
    /// Stands in file names and anchors.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// Two sentences for someone who has never seen such a chart.
    pub(crate) how_to_read: &'static str,
    /// For pages: the wide drawing and the narrow one; the page's style shows one of them.
    pub(crate) figure: Markup,
    /// An SVG file on white.
    pub(crate) document: String,
}

struct Kind {
    name: &'static str,
    title: &'static str,
    how_to_read: &'static str,
    draw: fn(&Panel<'_>, Format) -> Canvas,
    in_words: fn(&Bar<'_>) -> String,
}

const KINDS: [Kind; 5] = [
    Kind {
        name: "throughput",
        title: "Throughput by number of workers",
        how_to_read: "Each mark is the mean over all launches of a server, and the thin bar through it is the interval that holds the true mean with 95 % confidence; right of an upright dashed line, workers outnumber the CPUs they run on. Bars that overlap settle nothing: the verdicts below compare block by block and see finer differences.",
        draw: throughput::draw,
        in_words: |bar| {
            format!(
                "{} requests per second",
                rate(bar.figures.throughput_per_s.point)
            )
        },
    },
    Kind {
        name: "cpu",
        title: "CPU time per request",
        how_to_read: "The length of a bar is the CPU time the whole server spends on one request: the strong part in its own code, the faint part in the kernel. Shorter is better, and the kernel's part is mostly the network, which no choice between processes and threads removes.",
        draw: cpu::draw,
        in_words: |bar| format!("{} µs", micros(bar.figures.cpu_ns_per_request.point)),
    },
    Kind {
        name: "latency",
        title: "Latency, from the median to the tail",
        how_to_read: "The full dot is the wait of the request in the middle, the ring the wait that 1 in 100 exceeds, and the tick the wait that 1 in 1,000 exceeds. Each step to the right multiplies the wait, so a long line is a server that makes a few customers wait many times longer than most.",
        draw: latency::draw,
        in_words: |bar| {
            format!(
                "median {}, 99th percentile {}",
                duration(bar.figures.p50_ns.point),
                duration(bar.figures.p99_ns.point)
            )
        },
    },
    Kind {
        name: "answered",
        title: "Who answered",
        how_to_read: "Each bar is all answers of a server, cut into the shares of its workers, busiest first; as ids differ from launch to launch, shares are averaged by rank. Jain's index is 1 where all workers answer alike and 1/N where one of N does everything.",
        draw: answered::draw,
        in_words: |bar| match bar.answered.fairness {
            Some(index) => format!("Jain's index {index:.3}"),
            None => "not known".to_owned(),
        },
    },
    Kind {
        name: "memory",
        title: "Memory",
        how_to_read: "The proportional set size counts a page that several processes share once, split among them, so a bar is what the server as a whole takes from the machine. Processes pay for what they do not share; threads share nearly everything.",
        draw: memory::draw,
        in_words: |bar| match bar.figures.pss_bytes {
            Some(size) => format!("{} MiB", mebibytes(size.point)),
            None => "not shown by the kernel".to_owned(),
        },
    },
];

/// The charts of one group; none where nothing of it was measured.
pub(crate) fn charts(panel: &Panel<'_>) -> Vec<Chart> {
    if panel.bars.is_empty() {
        return Vec::new();
    }
    KINDS.iter().map(|kind| chart(kind, panel)).collect()
}

fn chart(kind: &Kind, panel: &Panel<'_>) -> Chart {
    let values: Vec<String> = panel
        .bars
        .iter()
        .map(|bar| format!("{}: {}", bar.label, (kind.in_words)(bar)))
        .collect();
    let label = format!("{}. {}.", kind.title, values.join("; "));
    let draw = |format| (kind.draw)(panel, format);
    Chart {
        name: kind.name,
        title: kind.title,
        how_to_read: kind.how_to_read,
        figure: html! {
            (draw(Format::Wide).into_figure("wide", &label))
            (draw(Format::Narrow).into_figure("narrow", &label))
        },
        document: draw(Format::Standalone).into_document(&label),
    }
}

/// A server's mark for text: its shape in its colour.
pub(crate) fn mark(server: &str, plan: &schema::Plan) -> Markup {
    let series = palette::Series::of(server, plan);
    let shape = match series.shape() {
        palette::Shape::Circle => "●",
        palette::Shape::Square => "■",
        palette::Shape::TriangleUp => "▲",
        palette::Shape::Diamond => "◆",
        palette::Shape::TriangleDown => "▼",
        palette::Shape::Cross => "✕",
    };
    html! { span.mark.(series.class()) aria-hidden="true" { (shape) } }
}
