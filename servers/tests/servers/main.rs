//! The servers as they are run: real processes, sockets and signals.
//!
//! Every wait is for an event: a line, an answer, an end of file. The only clock is the one that
//! gives up a test whose event never comes.

mod blocking;
mod cluster;
mod command_line;
mod crowd;
mod drain;
mod endpoint;
mod floor;
mod grid;
mod groups;
mod http;
mod last_words;
mod launch;
mod ledger;
mod messages;
mod policies;
mod process_limit;
mod production;
mod scaled_down;
mod slot;
mod spin;
mod stats;
mod threads;
mod unread;
mod workers;
