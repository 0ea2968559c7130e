//! The committed run is one worth showing.

use std::path::Path;

use reports::ReadError;

#[test]
fn the_example_reads_and_is_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("example");
    assert!(folder.join("report.png").is_file());
    let run = match reports::read_folder(&folder) {
        Ok(run) => run,
        // Measured before version 3: shown as it was, until it is measured anew.
        Err(ReadError::Version { found: 2, .. }) => return,
        Err(error) => panic!("{error}"),
    };
    let verdicts = reports::judge(&run);
    assert!(verdicts.valid, "{:?}", verdicts.caveats);
    assert_eq!(verdicts.estimates.len(), run.plan.cells.len());
}
