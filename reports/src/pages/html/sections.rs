//! Sections of words and tables.

use maud::{Markup, html};

use super::tables::typeset;
use crate::pages::sections::{Head, Part, Section, Table};

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
            }
        }
    }
}

pub(super) fn table(table: &Table, label: &str) -> Markup {
    let number = |column: usize| {
        let head = table.heads.get(column);
        head.is_some_and(Head::is_number).then_some("number")
    };
    html! {
        div.scroll role="region" tabindex="0" aria-label=(label) {
            table.estimates {
                thead { tr {
                    @for (column, head) in table.heads.iter().enumerate() {
                        th scope="col" class=[number(column)] { (head.name()) }
                    }
                } }
                tbody {
                    @for row in &table.rows { tr {
                        @for (column, cell) in row.iter().enumerate() {
                            @if column == 0 { th scope="row" { (cell) } }
                            @else { td class=[number(column)] { (typeset(cell)) } }
                        }
                    } }
                }
            }
        }
    }
}
