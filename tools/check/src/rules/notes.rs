//! The notes: the build-id, and nothing that readers of notes misread.
//!
//! # Invariants
//!
//! 1. Notes are read with 4-byte alignment, as every reader of a vDSO does.

use crate::demand;
use crate::rule::Rule;
use crate::subject::Subject;
use crate::verdict::{Verdict, demand};
use crate::view::notes::{BUILD_ID, GNU, Note, PROPERTY, layout, notes};
use goblin::elf::program_header::{PT_GNU_PROPERTY, PT_NOTE};

/// Bytes of a build-id, as many as GNU ld makes by default and tools print.
const BUILD_ID_SIZE: usize = 20;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "note-layout",
        demands: &[demand::NOTES],
        because: "readers step through notes by 4 bytes and misread everything behind one that is laid out otherwise",
        remedy: "keep nothing but .note.gnu.build-id and .note.layout in .note of linker/x86_64/vdso.lds",
        check: note_layout,
    },
    Rule {
        name: "build-id",
        demands: &[demand::NOTES],
        because: "debuggers, profilers and the boot tests know an image by its build-id",
        remedy: "link with --build-id, and keep .note.gnu.build-id and the PT_NOTE in linker/x86_64/vdso.lds",
        check: build_id,
    },
    Rule {
        name: "no-property-note",
        demands: &[demand::NOTES],
        because: "the property note is aligned to 8 bytes, which readers of 4-byte notes misread",
        remedy: "discard .note.gnu.property in linker/x86_64/vdso.lds",
        check: no_property_note,
    },
    Rule {
        name: "data-layout",
        demands: &[demand::DATA_LAYOUT],
        because: "the data pages differ from kernel to kernel, and code for other ones reads numbers that are not the time",
        remedy: "compare vdso/image/src/note.rs and vdso/abi/src/kernel/datapage, and build with `cargo xtask image`",
        check: data_layout,
    },
];

fn note_layout(subject: &Subject<'_>) -> Verdict {
    for segment in subject.image.segments_of(PT_NOTE)? {
        demand!(segment.p_align == 4, "the PT_NOTE is aligned to {}, not 4", segment.p_align);
        demand!(
            segment.p_offset.is_multiple_of(4),
            "the PT_NOTE is at {:#x}, no multiple of 4",
            segment.p_offset
        );
    }
    notes(&subject.image)?;
    Ok(())
}

fn build_id(subject: &Subject<'_>) -> Verdict {
    let found = notes(&subject.image)?;
    let ids: Vec<_> =
        found.iter().filter(|note| note.owner == GNU && note.kind == BUILD_ID).collect();
    demand!(ids.len() == 1, "there are {} build-ids, not one", ids.len());
    let id = ids[0].value;
    demand!(id.len() == BUILD_ID_SIZE, "the build-id has {} bytes, not {BUILD_ID_SIZE}", id.len());
    demand!(id.iter().any(|byte| *byte != 0), "the build-id is all zeros");
    Ok(())
}

fn no_property_note(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let property = |note: &Note<'_>| note.owner == GNU && note.kind == PROPERTY;
    demand!(
        image.find_section(".note.gnu.property")?.is_none(),
        "there is a section .note.gnu.property"
    );
    demand!(image.segments_of(PT_GNU_PROPERTY).is_err(), "there is a PT_GNU_PROPERTY");
    demand!(!notes(image)?.iter().any(property), "a PT_NOTE has a property note");
    Ok(())
}

fn data_layout(subject: &Subject<'_>) -> Verdict {
    layout(&subject.image)?;
    Ok(())
}
