//! What must hold for any bytes: the checker answers with a report or an error, in every profile,
//! and every format can write the report.

use liblinux_check::against;
use liblinux_check::image::Image;
use liblinux_check::output::{self, Format, Verdict};
use liblinux_check::profile::{self, ANY, PROFILES};
use liblinux_check::{check, check_as};

/// Judges bytes in the profile that they tell and in the one that `choice` selects, and writes what
/// comes out in every format.
pub(crate) fn judge(bytes: &[u8], choice: usize) {
    let Ok(image) = Image::read(bytes) else {
        assert!(check(bytes, None, None).is_err(), "only some of the checker reads it");
        return;
    };
    let told = profile::detect(&image);
    let chosen = &PROFILES[choice % PROFILES.len()];
    for profile in [told, chosen] {
        let report = check_as(profile, bytes, Some(bytes), None).expect("an image was read");
        let (held, all) = (report.held(), report.judgements.len());
        let findings: usize =
            report.findings().iter().map(|finding| 1 + finding.consequences.len()).sum();
        assert_eq!(held + findings + report.not_judged().count(), all, "a rule is lost");
        let verdicts = [Verdict { name: "any".into(), report }];
        for format in [Format::Text, Format::Json, Format::Sarif, Format::Junit] {
            let text = output::write(format, &verdicts, true);
            let is_raw = |letter: char| letter.is_control() && letter != '\n';
            assert!(!text.contains(is_raw), "control characters reach the terminal");
        }
    }
    let _ = output::picture("any", &image);
    let _ = against::compare(&image, &image);
    assert!(PROFILES.contains(&ANY));
}
