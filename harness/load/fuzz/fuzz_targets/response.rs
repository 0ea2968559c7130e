//! The answer parser against any bytes, cut anywhere.
//!
//! The corpus holds answers as single, cluster, threads and floor, Node, nginx and Python's http.server
//! gave them (`node-…`, `nginx-…`, and so on), and hand-made ones, right and wrong. Each begins with the
//! digit `0`: no cuts.
#![no_main]

#[path = "../../tests/support/splits.rs"]
mod splits;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let (lengths, stream) = splits::lengths_and_stream(input);
    splits::assert_agreement(stream, &lengths);
});
