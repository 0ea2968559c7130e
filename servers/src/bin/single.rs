//! One process, one worker. See [`servers::single`].

use std::process::ExitCode;

use servers::{
    options::{SingleOptions, typed},
    say, single,
};

fn main() -> ExitCode {
    match typed::<SingleOptions>() {
        Ok(options) => say::outcome("single", single::run(&options)),
        Err(code) => code,
    }
}
