//! The committed run is one worth showing.

use std::path::Path;

#[test]
fn the_example_reads_and_is_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("example");
    assert!(folder.join("report.png").is_file());
    let run = reports::read_folder(&folder).unwrap();
    let verdicts = reports::judge(&run);
    assert!(verdicts.valid, "{:?}", verdicts.caveats);
    assert_eq!(verdicts.estimates.len(), run.plan.cells.len());
}
