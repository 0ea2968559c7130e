//! What holds in every cell of the grid, whoever its workers are and however connections find them.

mod abuse;
mod answers;
mod deaths;
mod drain;
mod identity;
mod refusals;
