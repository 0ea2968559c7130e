//! In which order a page tells what was measured.
//!
//! The main question first, then the grid, where nothing else differs; then what every number of
//! workers gives, and questions beside the main one; last what is about the instrument.

use super::{GroupPages, sections::Section};
use crate::groups::experiment;

/// What has a heading of its own.
pub(super) enum Block<'p, 'a> {
    Group(&'p GroupPages<'a>),
    Section(&'p Section),
}

impl Block<'_, '_> {
    fn rank(&self) -> u8 {
        match self {
            Self::Group(group) if group.group.experiment == experiment::HEADLINE => 0,
            Self::Section(section) if section.id == experiment::GRID => 1,
            Self::Group(group) if group.group.experiment == experiment::FIDELITY => 4,
            Self::Group(_) => 2,
            Self::Section(_) => 3,
        }
    }
}

pub(super) fn in_order<'p, 'a>(
    groups: &'p [GroupPages<'a>],
    alone: &'p [Section],
) -> Vec<Block<'p, 'a>> {
    let groups = groups.iter().map(Block::Group);
    let mut blocks: Vec<Block<'p, 'a>> = groups.chain(alone.iter().map(Block::Section)).collect();
    blocks.sort_by_key(Block::rank);
    blocks
}
