//! Charts, one file each.
//!
//! A chart is drawn three times: for a wide page, for a phone, and as a file of its own. Titles
//! and explanations stay outside, in the page's captions.

mod answered;
mod canvas;
mod cores;
mod cpu;
mod designs;
mod endings;
mod latency;
mod matrix;
mod memory;
mod palette;
mod panel;
mod rows;
mod scale;
mod spreads;
mod throughput;
mod wakes;

use maud::{Markup, html};
use schema::Cores;

use self::canvas::{Canvas, Format};
pub(crate) use self::{
    designs::designs,
    matrix::{Matrix, letter, matrix},
    palette::{class_rules, dark_rules},
    panel::{Bar, Panel},
    spreads::{Setting, spreads},
    wakes::wakes,
};
use crate::{
    figures::{duration, mebibytes, micros, rate, ratio},
    groups::experiment,
};

/// One chart, ready to be shown.
pub(crate) struct Chart {
    /// Stands in file names and anchors.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// A few sentences for someone who has never seen such a chart.
    pub(crate) how_to_read: String,
    /// For pages: the wide drawing and the narrow one; the page's style shows one of them.
    pub(crate) figure: Markup,
    /// An SVG file on white.
    pub(crate) document: String,
}

impl Chart {
    /// Of a chart that belongs to no group.
    pub(crate) fn file_name(&self) -> String {
        format!("{}.svg", self.name)
    }
}

struct Kind {
    name: &'static str,
    title: &'static str,
    how_to_read: &'static str,
    draw: fn(&Panel<'_>, Format) -> Canvas,
    in_words: fn(&Bar<'_>) -> String,
}

const THROUGHPUT: Kind = Kind {
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
};

const CPU: Kind = Kind {
    name: "cpu",
    title: "CPU time per request",
    how_to_read: "The length of a bar is the CPU time the whole server spends on one request: the strong part in its own code, the faint part in the kernel. Shorter is better, and the kernel's part is mostly the network, which no choice between processes and threads removes.",
    draw: cpu::draw,
    in_words: |bar| format!("{} µs", micros(bar.figures.cpu_ns_per_request.point)),
};

const LATENCY: Kind = Kind {
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
};

const ANSWERED: Kind = Kind {
    name: "answered",
    title: "Who answered",
    how_to_read: "Each bar is all answers of a server, cut into the shares of its workers, busiest first; as ids differ from launch to launch, shares are averaged by rank. Jain's index is 1 where all workers answer alike and 1/N where one of N does everything.",
    draw: answered::draw,
    in_words: |bar| match bar.answered.fairness {
        Some(index) => format!("Jain's index {index:.3}"),
        None => "not known".to_owned(),
    },
};

const MEMORY: Kind = Kind {
    name: "memory",
    title: "Memory",
    how_to_read: "The proportional set size counts a page that several processes share once, split among them, so a bar is what the server as a whole takes from the machine. Processes pay for what they do not share; threads share nearly everything.",
    draw: memory::draw,
    in_words: |bar| match bar.figures.pss_bytes {
        Some(size) => format!("{} MiB", mebibytes(size.point)),
        None => "not shown by the kernel".to_owned(),
    },
};

const SCALING_THROUGHPUT: Kind = Kind {
    name: "scaling-throughput",
    title: "Throughput by number of cores",
    how_to_read: "Each mark is the mean over all launches of a server with a worker on each of so many cores, and the thin bar through it is its 95 % interval. A dashed line is what a server would serve if every worker added as much as its first: the closer to it, the better it scales.",
    draw: cores::throughput,
    in_words: THROUGHPUT.in_words,
};

const SCALING_EFFICIENCY: Kind = Kind {
    name: "scaling-efficiency",
    title: "Efficiency by number of cores",
    how_to_read: "Efficiency is throughput over that of one worker, over the number of workers: 1 where each worker adds as much as the first, 0.9 where ten do the work of nine. It is taken block by block, so what disturbed all alike falls out.",
    draw: cores::efficiency,
    in_words: |bar| match bar.scaling {
        Some(point) => format!("efficiency {}", ratio(&point.efficiency)),
        None => "not known".to_owned(),
    },
};

const SCALING_CPU: Kind = Kind {
    name: "scaling-cpu",
    title: "CPU time per request by number of cores",
    how_to_read: "The CPU time that the whole server spends on one request, with the 95 % interval of the mean. A line that rises is work that workers make for one another; one that falls is work that a lone worker has and many share.",
    draw: cores::cpu,
    in_words: CPU.in_words,
};

/// Which charts a group has.
fn kinds(panel: &Panel<'_>) -> &'static [Kind] {
    match (panel.experiment, panel.cores) {
        (_, Cores::Shared) => &[THROUGHPUT, CPU, LATENCY, ANSWERED, MEMORY],
        (experiment::SCALING, _) => &[SCALING_THROUGHPUT, SCALING_EFFICIENCY, SCALING_CPU],
        (experiment::FIDELITY, _) => &[],
        (_, Cores::Emulated) => &[SCALING_THROUGHPUT, CPU, ANSWERED],
        (_, Cores::Real) => &[SCALING_THROUGHPUT, CPU, LATENCY, ANSWERED, MEMORY],
    }
}

/// What to add to an explanation where cores are emulated.
const EMULATED: &str = "Cores are emulated: each worker has a share of a CPU to itself, by quota, and all that is compared ran at the same time.";

/// The charts of one group; none where nothing of it was measured.
pub(crate) fn charts(panel: &Panel<'_>) -> Vec<Chart> {
    if panel.bars.is_empty() {
        return Vec::new();
    }
    kinds(panel).iter().map(|kind| chart(kind, panel)).collect()
}

fn chart(kind: &Kind, panel: &Panel<'_>) -> Chart {
    let values: Vec<String> = panel
        .bars
        .iter()
        .map(|bar| format!("{}: {}", bar.label, (kind.in_words)(bar)))
        .collect();
    let (on, how_to_read) = match panel.cores {
        Cores::Emulated => (
            ", emulated cores",
            format!("{} {EMULATED}", kind.how_to_read),
        ),
        Cores::Real | Cores::Shared => ("", kind.how_to_read.to_owned()),
    };
    let label = format!("{}{on}. {}.", kind.title, values.join("; "));
    let draw = |format| (kind.draw)(panel, format);
    Chart {
        name: kind.name,
        title: kind.title,
        how_to_read,
        figure: html! {
            (draw(Format::Wide).into_figure("wide", &label))
            (draw(Format::Narrow).into_figure("narrow", &label))
        },
        document: draw(Format::Standalone).into_document(&label),
    }
}

/// A chart of something that is no group: `values` say to those who cannot see it what it shows.
fn alone(
    name: &'static str,
    title: &'static str,
    how_to_read: &str,
    values: &[String],
    draw: impl Fn(Format) -> Canvas,
) -> Chart {
    let label = format!("{title}. {}.", values.join("; "));
    Chart {
        name,
        title,
        how_to_read: how_to_read.to_owned(),
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
