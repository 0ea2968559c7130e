//! One process with worker threads. See [`servers::threads`].

use std::process::ExitCode;

use servers::{
    options::{ThreadsOptions, typed},
    say, threads,
};

fn main() -> ExitCode {
    match typed::<ThreadsOptions>() {
        Ok(options) => say::outcome("threads", threads::run(&options)),
        Err(code) => code,
    }
}
