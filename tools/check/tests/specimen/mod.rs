//! The image under test, and edits of it.
//!
//! A fixture is the good image with one thing broken. The edits find their place through the
//! checker's own reader, so that fixtures stay right when the image changes.

#![allow(dead_code, reason = "each test file uses some of the edits")]

use liblinux_check::image::Image;
use liblinux_check::{Lock, Report, check};
use liblinux_workspace::{Workspace, line};
use std::path::PathBuf;

/// Fields of a program header, by offset.
pub(crate) mod segment {
    pub(crate) const TYPE: usize = 0;
    pub(crate) const FLAGS: usize = 4;
    pub(crate) const OFFSET: usize = 8;
    pub(crate) const VADDR: usize = 16;
    pub(crate) const PADDR: usize = 24;
    pub(crate) const FILESZ: usize = 32;
    pub(crate) const MEMSZ: usize = 40;
    pub(crate) const ALIGN: usize = 48;
}

/// Fields of a section header, by offset.
pub(crate) mod section {
    pub(crate) const NAME: usize = 0;
    pub(crate) const TYPE: usize = 4;
    pub(crate) const FLAGS: usize = 8;
    pub(crate) const ADDR: usize = 16;
    pub(crate) const OFFSET: usize = 24;
    pub(crate) const SIZE: usize = 32;
    pub(crate) const LINK: usize = 40;
    pub(crate) const ENTRY_SIZE: usize = 56;
}

/// Fields of a symbol, by offset.
pub(crate) mod symbol {
    pub(crate) const NAME: usize = 0;
    pub(crate) const INFO: usize = 4;
    pub(crate) const OTHER: usize = 5;
    pub(crate) const SECTION: usize = 6;
    pub(crate) const VALUE: usize = 8;
    pub(crate) const SIZE: usize = 16;
}

/// The path of the stripped image.
pub(crate) fn path() -> PathBuf {
    Workspace::current().image(line::DEFAULT)
}

fn file(path: PathBuf) -> File {
    let bytes = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run cargo xtask image", path.display()));
    File { bytes }
}

/// An ELF file being edited.
#[derive(Clone)]
pub(crate) struct File {
    pub(crate) bytes: Vec<u8>,
}

/// The image, its unstripped twin and its lock.
#[derive(Clone)]
pub(crate) struct Specimen {
    pub(crate) image: File,
    pub(crate) debug: File,
    pub(crate) lock: Lock,
}

impl Specimen {
    pub(crate) fn good() -> Self {
        let image = file(path());
        let debug = file(liblinux_check::cli::debug_beside(&path()));
        let lock = Lock::of(&image.view(), &debug.view()).expect("the image exports symbols");
        Self { image, debug, lock }
    }

    pub(crate) fn check(&self) -> Report {
        check(&self.image.bytes, Some(&self.debug.bytes), Some(&self.lock))
            .expect("fixtures are readable")
    }

    /// Makes `code` and then `nop`s of the whole function, in both files.
    pub(crate) fn code(&mut self, function: &str, code: &[u8]) {
        let (start, size) = self.debug.range(function);
        let mut body = code.to_vec();
        body.resize(size, 0x90);
        self.put(start, &body);
    }

    /// Writes at an address, in both files.
    pub(crate) fn put(&mut self, address: usize, bytes: &[u8]) {
        self.image.put(address, bytes);
        self.debug.put(address, bytes);
    }
}

impl File {
    pub(crate) fn view(&self) -> Image<'_> {
        Image::read(&self.bytes).expect("the file is readable")
    }

    pub(crate) fn put(&mut self, offset: usize, bytes: &[u8]) {
        self.bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    pub(crate) fn word(&self, offset: usize) -> u32 {
        u32::from_le_bytes(self.bytes[offset..offset + 4].try_into().expect("four bytes"))
    }

    pub(crate) fn put16(&mut self, offset: usize, value: u16) {
        self.put(offset, &value.to_le_bytes());
    }

    pub(crate) fn put32(&mut self, offset: usize, value: u32) {
        self.put(offset, &value.to_le_bytes());
    }

    pub(crate) fn put64(&mut self, offset: usize, value: u64) {
        self.put(offset, &value.to_le_bytes());
    }

    /// Where the program header of that type is.
    pub(crate) fn segment(&self, kind: u32) -> usize {
        let view = self.view();
        let index = view
            .segments()
            .expect("segments")
            .iter()
            .position(|one| one.p_type == kind)
            .expect("the segment");
        view.header.e_phoff as usize + 56 * index
    }

    /// Where the section header of that name is.
    pub(crate) fn section(&self, name: &str) -> usize {
        let view = self.view();
        let index =
            view.sections().expect("sections").iter().position(|one| one.name == name).expect(name);
        view.header.e_shoff as usize + 64 * index
    }

    /// Where the section's bytes are.
    pub(crate) fn contents(&self, name: &str) -> usize {
        self.view().section(name).expect("the section").header.sh_offset as usize
    }

    /// Gives a section, and all that share its name's bytes, a shorter name.
    pub(crate) fn rename_section(&mut self, name: &str, new: &str) {
        let at =
            self.contents(".shstrtab") + self.word(self.section(name) + section::NAME) as usize;
        assert!(new.len() <= name.len());
        self.put(at, format!("{new}\0").as_bytes());
    }

    /// Where the dynamic entry is.
    pub(crate) fn tag(&self, tag: u64) -> usize {
        let view = self.view();
        let index = view
            .dynamic()
            .expect("dynamic")
            .iter()
            .position(|one| one.d_tag == tag)
            .expect("the tag");
        self.contents(".dynamic") + 16 * index
    }

    /// Puts one more entry over the first of the spare end marks.
    pub(crate) fn add_tag(&mut self, tag: u64, value: u64) {
        let end = self.contents(".dynamic") + 16 * self.view().dynamic().expect("dynamic").len();
        self.put64(end, tag);
        self.put64(end + 8, value);
    }

    /// Where the dynamic symbol is.
    pub(crate) fn export(&self, name: &str) -> usize {
        let view = self.view();
        let index =
            view.dynsym().expect("dynsym").iter().position(|one| one.name == name).expect(name);
        self.contents(".dynsym") + 24 * index
    }

    /// The position of the dynamic symbol in its table.
    pub(crate) fn export_index(&self, name: &str) -> usize {
        (self.export(name) - self.contents(".dynsym")) / 24
    }

    /// Where the symbol is in `.symtab`.
    pub(crate) fn local(&self, name: &str) -> usize {
        let view = self.view();
        let index =
            view.symtab().expect("symtab").iter().position(|one| one.name == name).expect(name);
        self.contents(".symtab") + 24 * index
    }

    /// The longest name of a compiled function that is not exported.
    pub(crate) fn compiled(&self) -> String {
        let view = self.view();
        let symbols = view.symtab().expect("symtab").iter().map(|one| one.name);
        let mangled = symbols.filter(|name| name.starts_with("_R"));
        mangled.max_by_key(|name| name.len()).expect("a mangled symbol").to_owned()
    }

    /// Gives a symbol of `.symtab` a shorter name.
    pub(crate) fn rename_local(&mut self, name: &str, new: &str) {
        let at = self.contents(".strtab") + self.word(self.local(name) + symbol::NAME) as usize;
        assert!(new.len() <= name.len());
        self.put(at, format!("{new}\0").as_bytes());
    }

    /// Address and size of a function.
    pub(crate) fn range(&self, name: &str) -> (usize, usize) {
        let view = self.view();
        let found = view.symtab().expect("symtab").iter().find(|one| one.name == name).expect(name);
        (found.value as usize, found.size as usize)
    }

    /// Where the call-frame entry for the code at `address` is, and its row in the search table.
    pub(crate) fn frame(&self, address: usize) -> (usize, usize) {
        let table = self.contents(".eh_frame_hdr");
        let rows = self.word(table + 8) as usize;
        let row = (0..rows).map(|row| table + 12 + 8 * row);
        let place = |at: usize| table.wrapping_add_signed(self.word(at).cast_signed() as isize);
        let found =
            row.into_iter().find(|row| place(*row) == address).expect("a row of the search table");
        (place(found + 4), found)
    }

    /// Puts a copy of a section's bytes behind the file, a page further, and returns where it is.
    pub(crate) fn second_table(&mut self, name: &str) -> usize {
        let copy = self
            .view()
            .section(name)
            .and_then(|section| self.view().contents(section).map(<[u8]>::to_vec));
        let at = self.bytes.len();
        self.bytes.extend(copy.expect("the section's bytes"));
        self.bytes.resize(self.bytes.len().next_multiple_of(4096), 0);
        at
    }

    /// The same, loaded with the image.
    pub(crate) fn loaded_copy(&mut self, name: &str) -> u64 {
        let copy = self.second_table(name) as u64;
        let (at, len) = (self.segment(1), self.bytes.len() as u64);
        self.put64(at + segment::FILESZ, len);
        self.put64(at + segment::MEMSZ, len);
        copy
    }

    /// The position of a section.
    pub(crate) fn section_index(&self, name: &str) -> u32 {
        ((self.section(name) - self.view().header.e_shoff as usize) / 64) as u32
    }

    /// Makes a section say that it is a table.
    pub(crate) fn pretend(
        &mut self,
        name: &str,
        kind: u32,
        address: u64,
        size: u64,
        link: u32,
        entry: u64,
    ) {
        let at = self.section(name);
        self.put32(at + section::TYPE, kind);
        self.put32(at + section::LINK, link);
        for (field, value) in [
            (section::FLAGS, 2),
            (section::ADDR, address),
            (section::OFFSET, address),
            (section::SIZE, size),
            (section::ENTRY_SIZE, entry),
        ] {
            self.put64(at + field, value);
        }
    }

    /// Exchanges the places of two exports.
    pub(crate) fn exchange_values(&mut self, one: &str, other: &str) {
        let places = [one, other].map(|name| self.export(name) + symbol::VALUE);
        let values = places.map(|at| u64::from(self.word(at)));
        self.put64(places[0], values[1]);
        self.put64(places[1], values[0]);
    }

    /// Where the buckets of `DT_GNU_HASH` are.
    pub(crate) fn gnu_buckets(&self) -> usize {
        let at = self.contents(".gnu.hash");
        at + 16 + 8 * self.word(at + 8) as usize
    }

    /// The instruction of an entry of the image's own fixups.
    pub(crate) fn fixup(&self, index: usize) -> usize {
        let at = self.contents(".fixups") + 16 * index;
        at.wrapping_add_signed(self.word(at).cast_signed() as isize)
    }

    /// Where the instruction behind the one at an address begins.
    pub(crate) fn after(&self, address: usize) -> usize {
        let code = &self.bytes[address..address + 16];
        liblinux_check::function::decode(code, address as u64)[0].next_ip() as usize
    }

    /// Where the bytes are, between `from` and the end of the section.
    pub(crate) fn find(&self, section: &str, needle: &[u8]) -> usize {
        let from = self.contents(section);
        from + self.bytes[from..]
            .windows(needle.len())
            .position(|bytes| bytes == needle)
            .expect("the bytes")
    }
}
