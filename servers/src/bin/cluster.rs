//! A primary process that forks workers. See [`servers::cluster`].

use std::process::ExitCode;

use servers::{
    cluster,
    options::{ClusterOptions, typed},
    say,
};

fn main() -> ExitCode {
    match typed::<ClusterOptions>() {
        Ok(options) => say::outcome("cluster", cluster::run(&options)),
        Err(code) => code,
    }
}
