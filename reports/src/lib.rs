//! Judges observations and shows them.
//!
//! The flow, one function per arrow:
//! run folder -> [`read_folder`] -> [`Run`] -> [`judge`] -> [`schema::Verdicts`] ->
//! [`write_pages`] -> files, [`summary`] -> text for a terminal, and [`export`] -> text for other
//! programs. Two runs -> [`compare_runs`], or one run of two servers -> [`compare_blocks`], ->
//! [`schema::CompareReport`] -> [`gate`], [`compare_text`], [`compare_markdown`].
//!
//! Everything between reading and writing is pure: no clock, no machine, no chance but the plan's
//! seed. So a report can be rebuilt from its folder without measuring again, and comes out the
//! same byte for byte.

mod charts;
mod compare;
mod export;
mod figures;
mod folder;
mod groups;
mod judge;
mod measurements;
mod pages;
mod trials;

pub use self::{
    compare::{
        compare_blocks, compare_markdown, compare_runs, compare_text, gate, throughput_in_turns,
    },
    export::{ExportFormat, export},
    folder::{Place, ReadError, Run, read_folder},
    judge::judge,
    pages::{PRIMITIVES_PAGE, WriteError, Written, summary, write_pages},
};
