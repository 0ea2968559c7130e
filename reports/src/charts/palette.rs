//! Colours and marker shapes.
//!
//! Series colours follow Okabe and Ito's palette ("Color Universal Design", 2008), which stays
//! apart for people with any of the common kinds of colour blindness; two are darkened to stand
//! out from white. No series is told by colour alone: each has a shape, and its name beside it.
//!
//! A chart is drawn once, in the light colours. A page turns them into the dark ones by
//! [`dark_rules`], so every colour here is a key and none may occur twice.

use std::fmt::Write as _;

use plotters::style::RGBColor;
use schema::{Plan, Worker};

use crate::groups::server;

/// A colour by what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    /// Text that is read.
    Ink,
    /// Text and lines that explain.
    Muted,
    /// Lines that only guide the eye.
    Grid,
    /// An area that stands apart from the rest.
    Band,
    /// Behind everything, and inside rings.
    Paper,
    /// One server.
    Series(Series),
}

/// One server's place in the palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Series(usize);

/// Shapes that stay apart at a few pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Circle,
    Square,
    TriangleUp,
    Diamond,
    TriangleDown,
    Cross,
}

struct Shade {
    light: (u8, u8, u8),
    dark: (u8, u8, u8),
}

const fn shade(light: (u8, u8, u8), dark: (u8, u8, u8)) -> Shade {
    Shade { light, dark }
}

const INK: Shade = shade((0x1b, 0x1f, 0x24), (0xe9, 0xec, 0xef));
const MUTED: Shade = shade((0x5b, 0x65, 0x70), (0xa7, 0xb0, 0xba));
const GRID: Shade = shade((0xdd, 0xe2, 0xe8), (0x37, 0x3f, 0x49));
const BAND: Shade = shade((0xf2, 0xf4, 0xf7), (0x20, 0x26, 0x2d));
const PAPER: Shade = shade((0xff, 0xff, 0xff), (0x14, 0x18, 0x1d));

const SERIES: [(Shade, Shape); 8] = [
    (shade((0x4a, 0x4f, 0x55), (0xc3, 0xc9, 0xd0)), Shape::Circle),
    (shade((0x00, 0x72, 0xb2), (0x5c, 0xad, 0xe8)), Shape::Square),
    (
        shade((0xd5, 0x5e, 0x00), (0xff, 0x8f, 0x45)),
        Shape::TriangleUp,
    ),
    (
        shade((0x00, 0x8a, 0x65), (0x35, 0xc9, 0x9e)),
        Shape::Diamond,
    ),
    (
        shade((0xa8, 0x4c, 0x86), (0xe0, 0x9a, 0xc6)),
        Shape::TriangleDown,
    ),
    (shade((0xb0, 0x79, 0x00), (0xf0, 0xbc, 0x42)), Shape::Cross),
    (shade((0x2b, 0x8d, 0xc4), (0x8f, 0xcf, 0xf5)), Shape::Circle),
    (shade((0x6b, 0x4f, 0xa0), (0xb5, 0x9f, 0xe6)), Shape::Square),
];

/// Servers that keep their colour in every chart of every run.
const KNOWN: [&str; 5] = [
    server::SINGLE,
    server::CLUSTER,
    server::THREADS,
    server::NODE_SINGLE,
    server::NODE_CLUSTER,
];

impl Series {
    /// A server's series. Others than the known ones take what is left, in the order of the plan.
    pub(super) fn of(server: &str, plan: &Plan) -> Self {
        if let Some(index) = KNOWN.iter().position(|&known| known == server) {
            return Self(index);
        }
        let mut others: Vec<&str> = Vec::new();
        for cell in &plan.cells {
            let name = cell.server.as_str();
            if !KNOWN.contains(&name) && !others.contains(&name) {
                others.push(name);
            }
        }
        let place = others
            .iter()
            .position(|&other| other == server)
            .unwrap_or(0);
        Self(KNOWN.len() + place % (SERIES.len() - KNOWN.len()))
    }

    /// Servers that stand for their kind of worker, in the colours of those that always do.
    pub(super) const fn of_worker(worker: Worker) -> Self {
        match worker {
            Worker::Process => Self(1),
            Worker::Thread => Self(2),
        }
    }

    /// One worker alone.
    pub(super) const fn alone() -> Self {
        Self(0)
    }

    /// The series of a place in a list, which repeat where there are more than colours: what is drawn
    /// in them needs a name besides.
    pub(super) const fn of_place(place: usize) -> Self {
        Self(place % SERIES.len())
    }

    pub(super) fn shape(self) -> Shape {
        SERIES[self.0].1
    }

    /// A CSS class for text and marks outside charts.
    pub(super) fn class(self) -> String {
        format!("series-{}", self.0)
    }
}

impl Paint {
    fn shade(self) -> &'static Shade {
        match self {
            Self::Ink => &INK,
            Self::Muted => &MUTED,
            Self::Grid => &GRID,
            Self::Band => &BAND,
            Self::Paper => &PAPER,
            Self::Series(Series(index)) => &SERIES[index].0,
        }
    }

    pub(super) fn colour(self) -> RGBColor {
        let (r, g, b) = self.shade().light;
        RGBColor(r, g, b)
    }
}

fn every_paint() -> impl Iterator<Item = Paint> {
    let series = (0..SERIES.len()).map(|index| Paint::Series(Series(index)));
    [
        Paint::Ink,
        Paint::Muted,
        Paint::Grid,
        Paint::Band,
        Paint::Paper,
    ]
    .into_iter()
    .chain(series)
}

fn hex((r, g, b): (u8, u8, u8)) -> String {
    format!("#{r:02X}{g:02X}{b:02X}")
}

/// CSS rules that give charts their dark colours.
pub(crate) fn dark_rules() -> String {
    let mut rules = String::new();
    for paint in every_paint() {
        let (light, dark) = (hex(paint.shade().light), hex(paint.shade().dark));
        for property in ["fill", "stroke"] {
            // Writing to a string cannot fail.
            let _ = write!(
                rules,
                ".chart [{property}=\"{light}\"]{{{property}:{dark}}}"
            );
        }
    }
    rules
}

/// CSS rules that give marks outside charts the colours of their series.
pub(crate) fn class_rules(dark: bool) -> String {
    SERIES
        .iter()
        .enumerate()
        .fold(String::new(), |mut rules, (index, (shade, _))| {
            let colour = hex(if dark { shade.dark } else { shade.light });
            let _ = write!(rules, ".{}{{color:{colour}}}", Series(index).class());
            rules
        })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_colour_stands_for_two_things() {
        let light: BTreeSet<_> = every_paint().map(|paint| paint.shade().light).collect();
        assert_eq!(light.len(), every_paint().count());
    }

    #[test]
    fn kinds_of_workers_have_the_colours_of_the_servers_that_are_them() {
        let kinds = [
            Series::alone(),
            Series::of_worker(Worker::Process),
            Series::of_worker(Worker::Thread),
        ];
        let names = [server::SINGLE, server::CLUSTER, server::THREADS];
        for (series, name) in kinds.into_iter().zip(names) {
            assert_eq!(KNOWN[series.0], name);
        }
    }

    #[test]
    fn known_servers_differ_in_shape_as_well_as_in_colour() {
        let shapes: Vec<Shape> = SERIES[..KNOWN.len()]
            .iter()
            .map(|(_, shape)| *shape)
            .collect();
        for (index, shape) in shapes.iter().enumerate() {
            assert!(!shapes[..index].contains(shape));
        }
    }

    #[test]
    fn every_series_stands_out_from_paper_in_light_and_in_dark() {
        // WCAG 2.2, success criterion 1.4.11: graphics need a contrast of 3 to 1.
        let luminance = |(r, g, b): (u8, u8, u8)| {
            let linear = |c: u8| (f64::from(c) / 255.0).powf(2.2);
            0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
        };
        let contrast = |a, b| {
            let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
            if a > b { a / b } else { b / a }
        };
        for (shade, _) in &SERIES {
            assert!(
                contrast(shade.light, PAPER.light) >= 3.0,
                "{:?}",
                shade.light
            );
            assert!(contrast(shade.dark, PAPER.dark) >= 3.0, "{:?}", shade.dark);
        }
    }
}
