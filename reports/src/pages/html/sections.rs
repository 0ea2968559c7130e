//! Sections of words and tables.

use maud::{Markup, html};

use super::tables::typeset;
use crate::{
    charts::Chart,
    pages::sections::{Head, Part, Section, Table},
};

pub(super) fn section(section: &Section) -> Markup {
    html! {
        section aria-labelledby=(section.id) {
            h2 #(section.id) { (section.title) }
            (parts(&section.parts, section.title))
        }
    }
}

pub(super) fn parts(parts: &[Part], label: &str) -> Markup {
    html! {
        @for part in parts {
            @match part {
                Part::Text(text) => { p { (typeset(text)) } },
                Part::Aside(text) => { p.explain { (typeset(text)) } },
                Part::List(items) => {
                    @if !items.is_empty() { ul { @for item in items { li { (typeset(item)) } } } }
                },
                Part::Table(table) => { (self::table(table, label)) },
                Part::Link { text, href } => { p { a href=(href) { (text) } } },
                Part::Heading(text) => { h3 { (text) } },
                Part::Folded(title, parts) => {
                    details { summary { (title) } (self::parts(parts, title)) }
                },
                Part::Chart(chart) => { (figure(chart.name, chart)) },
            }
        }
    }
}

/// A chart with what it shows and how to read it.
pub(super) fn figure(id: &str, chart: &Chart) -> Markup {
    html! {
        figure.chart #(id) {
            figcaption {
                h3 { (chart.title) }
                p.explain { (chart.how_to_read) }
            }
            (chart.figure)
        }
    }
}

/// A figure, or the name of a row: what stands in brackets behind it is set below it.
fn with_remark(cell: &str) -> Markup {
    let remark = cell
        .strip_suffix(')')
        .and_then(|cell| cell.split_once(" ("));
    html! {
        @match remark {
            Some((what, remark)) => { (what) small { (remark) } },
            None => (cell),
        }
    }
}

pub(super) fn table(table: &Table, label: &str) -> Markup {
    let is_number = |column: usize| table.heads.get(column).is_some_and(Head::is_number);
    html! {
        div.scroll role="region" tabindex="0" aria-label=(label) {
            table.estimates {
                thead { tr {
                    @for (column, head) in table.heads.iter().enumerate() {
                        th scope="col" class=[is_number(column).then_some("number")] { (head.name()) }
                    }
                } }
                tbody {
                    @for row in &table.rows { tr {
                        @for (column, cell) in row.iter().enumerate() {
                            @if column == 0 { th scope="row" { (with_remark(&cell.replace(" %", "\u{a0}%"))) } }
                            @else if is_number(column) { td.number { (with_remark(&cell.replace(" %", "\u{a0}%"))) } }
                            @else { td { (typeset(cell)) } }
                        }
                    } }
                }
            }
        }
    }
}
