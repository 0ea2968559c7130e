//! The one line a server of ours says to a program.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::Model;

/// Printed on stdout, as one line of JSON, once every worker accepts connections.
///
/// Every other line on stdout is for people. The line is told from them by being a JSON object
/// with the key `schema_version`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// [`crate::SCHEMA_VERSION`] of the server.
    pub schema_version: u32,
    /// The process that takes signals for the whole server.
    pub pid: u32,
    /// Where it listens; the port is the real one even where 0 was asked for.
    pub address: SocketAddr,
    /// Its cell of the grid.
    pub model: Model,
    /// How many workers serve.
    pub workers: u32,
}
