//! The limit: a hand-written event loop with a ready-made answer. See [`servers::floor`].

use std::process::ExitCode;

use servers::{
    floor,
    options::{FloorOptions, typed},
    say,
};

fn main() -> ExitCode {
    match typed::<FloorOptions>() {
        Ok(options) => say::outcome("floor", floor::run(&options)),
        Err(code) => code,
    }
}
