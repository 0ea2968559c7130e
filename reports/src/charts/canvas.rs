//! A drawing in pixels that ends as SVG text.
//!
//! Plotters writes the SVG and escapes every label. Writing into a string cannot fail, so neither
//! can drawing.

use maud::{Markup, PreEscaped, html};
use plotters::{
    coord::Shift,
    element::DashedPathElement,
    prelude::{
        Circle, DrawingArea, IntoDrawingArea, IntoFont, PathElement, Polygon, Rectangle, SVGBackend,
    },
    style::{
        Color, FontStyle, ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::palette::{Paint, Series, Shape};

/// Pixels, x then y, from the upper left.
pub(super) type Point = (i32, i32);

/// Text that explains, axis labels and keys.
pub(super) const SMALL: u32 = 12;
/// Text that names what is drawn.
pub(super) const NORMAL: u32 = 13;

/// What a drawing is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// In a page on a wide screen, and in print.
    Wide,
    /// In a page on a phone. Text keeps its size, so the drawing is laid out anew.
    Narrow,
    /// A file of its own, on white.
    Standalone,
}

impl Format {
    pub(super) const fn width(self) -> i32 {
        match self {
            Self::Wide | Self::Standalone => 760,
            Self::Narrow => 352,
        }
    }

    pub(super) const fn is_narrow(self) -> bool {
        matches!(self, Self::Narrow)
    }
}

/// Where text stands beside its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// The point is its left end.
    Start,
    /// The point is its middle.
    Middle,
    /// The point is its right end.
    End,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stroke {
    pub(super) paint: Paint,
    pub(super) opacity: f64,
    pub(super) width: u32,
}

impl Stroke {
    pub(super) const fn new(paint: Paint, width: u32) -> Self {
        Self {
            paint,
            opacity: 1.0,
            width,
        }
    }

    pub(super) const fn faint(self, opacity: f64) -> Self {
        Self { opacity, ..self }
    }

    fn style(self) -> ShapeStyle {
        let colour = self.paint.colour().mix(self.opacity);
        colour.stroke_width(self.width)
    }
}

/// A drawing under way.
pub(super) struct Canvas {
    svg: String,
    size: (u32, u32),
}

impl Canvas {
    pub(super) fn new(format: Format, height: i32) -> Self {
        let size = (format.width().unsigned_abs(), height.unsigned_abs());
        let mut canvas = Self {
            svg: String::new(),
            size,
        };
        if format == Format::Standalone {
            canvas.rect((0, 0), (format.width(), height), Paint::Paper, 1.0);
        }
        canvas
    }

    /// Draws one element. Each goes through a backend of its own, whose frame is left out.
    fn draw(&mut self, element: impl FnOnce(&DrawingArea<SVGBackend<'_>, Shift>)) {
        let mut framed = String::new();
        {
            let area = SVGBackend::with_string(&mut framed, self.size).into_drawing_area();
            element(&area);
            area.present().unwrap_or(());
        }
        let inside = framed
            .split_once('\n')
            .and_then(|(_, rest)| rest.rsplit_once("</svg>"));
        self.svg.push_str(inside.map_or("", |(inside, _)| inside));
    }

    pub(super) fn line(&mut self, points: &[Point], stroke: Stroke) {
        let element = PathElement::new(points.to_vec(), stroke.style());
        self.draw(|area| drawn(area.draw(&element)));
    }

    pub(super) fn dashed(&mut self, points: &[Point], stroke: Stroke) {
        let element = DashedPathElement::new(points.to_vec(), 3, 4, stroke.style());
        self.draw(|area| drawn(area.draw(&element)));
    }

    pub(super) fn rect(&mut self, from: Point, to: Point, paint: Paint, opacity: f64) {
        let element = Rectangle::new([from, to], paint.colour().mix(opacity).filled());
        self.draw(|area| drawn(area.draw(&element)));
    }

    pub(super) fn dot(&mut self, at: Point, radius: i32, paint: Paint) {
        let element = Circle::new(at, radius, paint.colour().filled());
        self.draw(|area| drawn(area.draw(&element)));
    }

    fn polygon(&mut self, points: Vec<Point>, paint: Paint) {
        let element = Polygon::new(points, paint.colour().filled());
        self.draw(|area| drawn(area.draw(&element)));
    }

    /// The shape of a series.
    pub(super) fn marker(&mut self, (x, y): Point, series: Series) {
        let paint = Paint::Series(series);
        let around = |offsets: &[Point]| offsets.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
        match series.shape() {
            Shape::Circle => self.dot((x, y), 5, paint),
            Shape::Square => self.rect((x - 5, y - 5), (x + 5, y + 5), paint, 1.0),
            Shape::TriangleUp => self.polygon(around(&[(-6, 5), (6, 5), (0, -6)]), paint),
            Shape::TriangleDown => self.polygon(around(&[(-6, -5), (6, -5), (0, 6)]), paint),
            Shape::Diamond => self.polygon(around(&[(-7, 0), (0, -7), (7, 0), (0, 7)]), paint),
            Shape::Cross => {
                let stroke = Stroke::new(paint, 3);
                self.line(&[(x - 5, y - 5), (x + 5, y + 5)], stroke);
                self.line(&[(x - 5, y + 5), (x + 5, y - 5)], stroke);
            }
        }
    }

    /// Text in one line, its middle at the height of the point.
    pub(super) fn text(&mut self, at: Point, anchor: Anchor, size: u32, paint: Paint, text: &str) {
        self.write(at, anchor, size, paint, FontStyle::Normal, text);
    }

    /// Text that is read first.
    pub(super) fn strong(&mut self, at: Point, anchor: Anchor, paint: Paint, text: &str) {
        self.write(at, anchor, NORMAL, paint, FontStyle::Bold, text);
    }

    fn write(
        &mut self,
        at: Point,
        anchor: Anchor,
        size: u32,
        paint: Paint,
        weight: FontStyle,
        text: &str,
    ) {
        let horizontal = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        // The backend divides sizes by 1.24 when it writes them.
        let font = ("system-ui, sans-serif", f64::from(size) * 1.24)
            .into_font()
            .style(weight);
        let colour = paint.colour();
        let style = TextStyle::from(font)
            .color(&colour)
            .pos(Pos::new(horizontal, VPos::Center));
        self.draw(|area| drawn(area.draw_text(text, &style, at)));
    }

    /// For a page: scales with its column, and says to those who cannot see it what it shows.
    pub(super) fn into_figure(self, class: &str, label: &str) -> Markup {
        let (width, height) = self.size;
        html! {
            svg class=(class) role="img" aria-label=(label) viewBox={"0 0 " (width) " " (height)} {
                (PreEscaped(compact(&self.svg)))
            }
        }
    }

    /// For a file.
    pub(super) fn into_document(self, title: &str) -> String {
        let (width, height) = self.size;
        html! {
            svg xmlns="http://www.w3.org/2000/svg" role="img" width=(width) height=(height)
                viewBox={"0 0 " (width) " " (height)} {
                title { (title) }
                (PreEscaped("\n"))
                (PreEscaped(self.svg))
            }
            (PreEscaped("\n"))
        }
        .into_string()
    }
}

/// A drawing without what a page says already, in its style or by default: many small elements would
/// else make half of it.
fn compact(svg: &str) -> String {
    svg.replace(" font-family=\"system-ui, sans-serif\"", "")
        .replace(" opacity=\"1\"", "")
        .replace(" stroke=\"none\"", "")
        // The backend's own division leaves it.
        .replace("13.000000000000002", "13")
        .replace(">\n", ">")
        .replace("\n</text>", "</text>")
}

fn drawn<E>(result: Result<(), E>) {
    debug_assert!(result.is_ok(), "writing into a string cannot fail");
    drop(result);
}

/// About how wide text comes out. Fonts differ, so this errs on the wide side.
pub(super) fn text_width(text: &str, size: u32) -> i32 {
    let characters = i32::try_from(text.chars().count()).unwrap_or(i32::MAX / 64);
    characters * i32::try_from(size).unwrap_or(0) * 54 / 100
}

/// As much of a text as fits.
pub(super) fn fitted(text: &str, size: u32, width: i32) -> String {
    let mut kept: String = text.to_owned();
    while text_width(&kept, size) > width && kept.chars().count() > 2 {
        kept = kept.chars().take(kept.chars().count() - 2).collect();
        kept.push('…');
    }
    kept
}
