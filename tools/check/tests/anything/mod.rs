//! What must hold for any bytes: the checker answers with a report or an error, every format can
//! write the report, and it costs no more than the bounds.
//!
//! The test `anything` runs this, the example of that name on as many inputs as wanted, and
//! libFuzzer (`fuzz/check.rs`).

pub(crate) mod mutate;

use liblinux_check::image::Image;
use liblinux_check::output::{self, Format, Verdict};
use liblinux_check::profile::{self, PROFILES};
use liblinux_check::{against, check, check_as, source};

/// How bytes are judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// Selects a profile; the upper half of the numbers stands for the one that the bytes tell.
    pub(crate) profile: u8,
    /// Two bits for the format, and one each for: with a twin, every rule listed, drawn and
    /// compared with itself, not written.
    pub(crate) output: u8,
}

const FORMATS: [Format; 4] = [Format::Text, Format::Json, Format::Sarif, Format::Junit];

/// Looks for images in the bytes, and judges them in one way.
pub(crate) fn judge(bytes: &[u8], way: Way) {
    match source::images_in("any", bytes.to_vec(), None) {
        Ok(found) => found.iter().for_each(|found| judge_image(&found.bytes, way)),
        Err(why) => assert!(!why.is_empty()),
    }
}

fn judge_image(bytes: &[u8], way: Way) {
    let Ok(image) = Image::read(bytes) else {
        assert!(check(bytes, None, None).is_err(), "only some of the checker reads it");
        return;
    };
    let profile = match usize::from(way.profile) {
        told if told >= 128 => profile::detect(&image),
        chosen => &PROFILES[chosen % PROFILES.len()],
    };
    let has = |bit: u8| way.output & 1 << bit != 0;
    let report = check_as(profile, bytes, has(2).then_some(bytes), None).expect("it was read");
    let (held, all) = (report.held(), report.judgements.len());
    let findings: usize =
        report.findings().iter().map(|finding| 1 + finding.consequences.len()).sum();
    assert_eq!(held + findings + report.not_judged().count(), all, "a rule is lost");
    if has(4) {
        let _ = output::picture("any", &image);
        let _ = against::compare(&image, &image);
    }
    if has(5) {
        return;
    }
    let verdicts = [Verdict { name: "any".into(), report }];
    let text = output::write(FORMATS[usize::from(way.output % 4)], &verdicts, has(3));
    let is_raw = |letter: char| letter.is_control() && letter != '\n';
    assert!(!text.contains(is_raw), "control characters reach the terminal");
}
