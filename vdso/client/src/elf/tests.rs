//! The image that `cargo xtask image` builds, whole, cut and damaged.

use super::*;
use liblinux_abi::image::export::{self, Export};
use liblinux_abi::kernel::datapage::LAYOUT;
use liblinux_tests::image::Image;
use object::{Object as _, ObjectSegment as _, ObjectSymbol as _};

/// What the image of the default kernel line has.
fn exports() -> impl Iterator<Item = Export> {
    export::exports().filter(|export| export.is_in(LAYOUT.line))
}

/// Looks everything up that an image may have, by either hash table; how many were found.
fn find_all(image: &[u8]) -> usize {
    let Ok(tables) = extent(&image[..image.len().min(PAGE_SIZE)]).and_then(|_| Tables::read(image))
    else {
        return 0;
    };
    let sysv = Tables { gnu_hash: None, ..tables };
    exports().filter(|export| tables.find(export.name.as_bytes()).is_some()).count()
        + exports().filter(|export| sysv.find(export.name.as_bytes()).is_some()).count()
}

#[test]
fn both_hash_tables_find_what_an_independent_reader_finds() {
    let image = Image::read();
    let tables = Tables::read(&image).unwrap();
    let elf = object::File::parse(image.as_slice()).unwrap();
    // The section headers, behind what is loaded, may take another page.
    let loaded = elf.segments().next().unwrap().size() as usize;
    assert_eq!(extent(&image[..PAGE_SIZE]), Ok(loaded.next_multiple_of(PAGE_SIZE)));
    let mut found = 0;
    for symbol in elf.dynamic_symbols().filter(|symbol| symbol.is_definition() && symbol.size() > 0)
    {
        let name = symbol.name_bytes().unwrap();
        let offset = Some(symbol.address());
        assert_eq!(tables.find(name), offset, "GNU: {}", name.escape_ascii());
        assert_eq!(
            Tables { gnu_hash: None, ..tables }.find(name),
            offset,
            "SysV: {}",
            name.escape_ascii()
        );
        found += 1;
    }
    assert_eq!(found, exports().count());
    for name in [b"".as_slice(), b"__vdso_rea", b"__vdso_nonesuch", b"LINUX_2.6"] {
        assert_eq!(tables.find(name), None);
        assert_eq!(Tables { gnu_hash: None, ..tables }.find(name), None);
    }
}

/// Where an image at `base` leads a name whose symbol has this value.
fn led(base: usize, value: u64) -> Option<usize> {
    const NAME: &str = "__vdso_clock_gettime";
    let mut image = Image::read();
    let elf = object::File::parse(image.as_slice()).unwrap();
    let index = elf.dynamic_symbols().find(|symbol| symbol.name() == Ok(NAME)).unwrap().index().0;
    let (start, _) =
        object::ObjectSection::file_range(&elf.section_by_name(".dynsym").unwrap()).unwrap();
    let place = start as usize + 24 * index + 8;
    image[place..place + 8].copy_from_slice(&value.to_le_bytes());
    let tables = Tables::read(&image).unwrap();
    let offset = tables.find(NAME.as_bytes());
    assert_eq!(Tables { gnu_hash: None, ..tables }.find(NAME.as_bytes()), offset);
    address_at(base, offset?)
}

/// Out of the image to either side, as a tool may lead to the kernel's functions, but not to where
/// there can be none.
#[test]
fn a_symbol_leads_where_a_function_can_be() {
    const BASE: usize = 0x7fff_0000_0000;
    let to = |address: usize| led(BASE, address.wrapping_sub(BASE) as u64);
    for address in
        [BASE + 0x1000, BASE - 0x2000, BASE + 0x10_0000_0000, PAGE_SIZE, isize::MAX as usize]
    {
        assert_eq!(to(address), Some(address), "{address:#x}");
    }
    for address in [0, 1, PAGE_SIZE - 1, isize::MAX as usize + 1, usize::MAX, BASE] {
        assert_eq!(to(address), None, "{address:#x}");
    }
}

#[test]
fn says_what_is_wrong_with_a_header() {
    let image = Image::read();
    for (at, byte, what) in [
        (0, 0, "does not begin"),
        (4, 1, "does not begin"), // 32 bits.
        (16, 2, "not a shared object"),
        (18, 3, "another processor"), // EM_386.
        (33, 0xff, "program headers"),
        (54, 32, "program headers"),
    ] {
        let mut broken = image.clone();
        broken[at] = byte;
        let error = extent(&broken[..PAGE_SIZE]).unwrap_err().to_string();
        assert!(error.contains(what), "byte {at}: {error}");
    }
    assert!(Tables::read(&image[..PAGE_SIZE]).is_err(), "the tables are behind the first page");
}

/// The first bytes of the headers and of each table, changed in several ways: reading ends, and
/// never outside.
#[test]
fn survives_every_changed_byte() {
    let image = Image::read();
    let elf = object::File::parse(image.as_slice()).unwrap();
    let sections =
        [".dynamic", ".hash", ".gnu.hash", ".gnu.version", ".gnu.version_d", ".dynsym", ".dynstr"];
    let headers = 0..0x400;
    let tables = sections.map(|name| {
        let (start, size) =
            object::ObjectSection::file_range(&elf.section_by_name(name).unwrap()).unwrap();
        start as usize..(start + size.min(150)) as usize
    });
    let whole = find_all(&image);
    assert_eq!(whole, 2 * exports().count());
    let mut damaged = image.clone();
    let mut harmful = 0;
    for at in headers.chain(tables.into_iter().flatten()) {
        for value in [!image[at], image[at] ^ 1, 0xff] {
            damaged[at] = value;
            harmful += usize::from(find_all(&damaged) != whole);
        }
        damaged[at] = image[at];
    }
    assert!(harmful > 100, "damage goes unnoticed: {harmful}");
}

#[test]
fn survives_every_length() {
    let image = Image::read();
    for length in (0..image.len()).step_by(61) {
        find_all(&image[..length]);
    }
}

/// A chain of the SysV table that leads back to itself.
#[test]
fn a_circle_ends() {
    let mut image = Image::read();
    let elf = object::File::parse(image.as_slice()).unwrap();
    let (start, size) =
        object::ObjectSection::file_range(&elf.section_by_name(".hash").unwrap()).unwrap();
    for at in (start as usize + 8..(start + size) as usize).step_by(4) {
        image[at..at + 4].copy_from_slice(&1_u32.to_le_bytes());
    }
    let tables = Tables::read(&image).unwrap();
    assert_eq!(Tables { gnu_hash: None, ..tables }.find(b"__vdso_nonesuch"), None);
}
