//! The stack of a program that has not executed an instruction yet: its arguments, its environment,
//! and the auxiliary vector, in which `AT_SYSINFO_EHDR` says where the vDSO is.
//!
//! ```text
//! stack pointer ->  argc, argv[0] ... argv[argc-1], 0
//!                   envp[0] ..., 0
//!                   type, value, type, value, ..., AT_NULL, 0
//! ```
//!
//! A kernel without a vDSO (`vdso=0` on its command line) leaves the entry out. The vector has no
//! room for one more, but the memory below the stack pointer is free, and no code has an address of
//! anything here yet. So all of it moves down by an entry.
//!
//! # Invariants
//!
//! 1. The bytes read are an allegation: a stack that does not have this form is [`Malformed`] and
//!    never a panic.
//! 2. The stack pointer stays aligned to 16 bytes, as the psABI wants it at a program's start: an
//!    entry has 16.

use liblinux_abi::kernel::auxv::{AT_NULL, AT_SYSINFO_EHDR};

/// `AT_PHENT`: bytes of a program header.
const AT_PHENT: u64 = 4;

/// `sizeof(Elf64_Phdr)`.
const PROGRAM_HEADER_SIZE: u64 = 56;

/// Bytes of a word.
const WORD: usize = 8;

/// The bytes are not a program's stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// A stack that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stack {
    words: Vec<u64>,
    /// Index of the auxiliary vector's first word.
    auxv: usize,
    /// Index behind its last one.
    end: usize,
}

/// The bytes to write so that `AT_SYSINFO_EHDR` is another address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// How far the stack pointer moves down, in bytes.
    pub(crate) lower: u64,
    /// Where the bytes belong, from the new stack pointer on.
    pub(crate) offset: u64,
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
    /// Where the auxiliary vector is, from the new stack pointer on, and how many bytes it has.
    pub(crate) auxv: (u64, u64),
}

impl Stack {
    /// Reads a stack from its first bytes; `None` if they are too few.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let words: Vec<u64> =
            bytes.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
        let Some(&count) = words.first() else { return Ok(None) };
        let behind =
            usize::try_from(count).ok().and_then(|count| count.checked_add(1)).ok_or(Malformed)?;
        match words.get(behind) {
            None => return Ok(None),
            Some(0) => {}
            Some(_) => return Err(Malformed),
        }
        let environment = &words[behind + 1..];
        let Some(len) = environment.iter().position(|word| *word == 0) else { return Ok(None) };
        let auxv = behind + 1 + len + 1;
        let pairs = words[auxv..].as_chunks::<2>().0;
        let Some(null) = pairs.iter().position(|[kind, _]| *kind == AT_NULL) else {
            return Ok(None);
        };
        Ok(Some(Self { end: auxv + 2 * (null + 1), words, auxv }))
    }

    fn pairs(&self) -> &[[u64; 2]] {
        self.words[self.auxv..self.end].as_chunks().0
    }

    fn value(&self, wanted: u64) -> Option<u64> {
        self.pairs().iter().find(|[kind, _]| *kind == wanted).map(|[_, value]| *value)
    }

    /// Where the vDSO is, if there is one.
    pub(crate) fn vdso(&self) -> Option<u64> {
        self.value(AT_SYSINFO_EHDR).filter(|address| *address != 0)
    }

    /// Whether the program is a 64-bit one: x32 programs run in the same code segment.
    pub(crate) fn is_native(&self) -> bool {
        self.value(AT_PHENT) == Some(PROGRAM_HEADER_SIZE)
    }

    /// The edit after which the vDSO is at `address`.
    pub(crate) fn point_at(&self, address: u64) -> Edit {
        let bytes =
            |words: &[u64]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<u8>>();
        let place = |index: usize| (index * WORD) as u64;
        let auxv_size = place(self.end - self.auxv);
        match self.pairs().iter().position(|[kind, _]| *kind == AT_SYSINFO_EHDR) {
            Some(pair) => Edit {
                lower: 0,
                offset: place(self.auxv + 2 * pair + 1),
                bytes: bytes(&[address]),
                auxv: (place(self.auxv), auxv_size),
            },
            None => {
                let mut words = self.words[..self.end].to_vec();
                words.splice(self.auxv..self.auxv, [AT_SYSINFO_EHDR, address]);
                Edit {
                    lower: place(2),
                    offset: 0,
                    bytes: bytes(&words),
                    auxv: (place(self.auxv), auxv_size + place(2)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_PAGESZ: u64 = nix::libc::AT_PAGESZ;

    fn bytes(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    /// A program with two arguments and one variable, as the kernel lays it out, and the words
    /// behind it.
    fn stack(auxv: &[u64]) -> Vec<u8> {
        let mut words = vec![2, 0x7000, 0x7010, 0, 0x7020, 0];
        words.extend(auxv);
        words.extend([AT_NULL, 0, 0xdead, 0xbeef]);
        bytes(&words)
    }

    /// The stack after an edit, from the new stack pointer on.
    fn edited(before: &[u8], edit: &Edit) -> Vec<u8> {
        let mut after = vec![0; usize::try_from(edit.lower).unwrap()];
        after.extend(before);
        let start = usize::try_from(edit.offset).unwrap();
        after[start..start + edit.bytes.len()].copy_from_slice(&edit.bytes);
        after
    }

    #[test]
    fn replaces_the_entry() {
        let before = stack(&[AT_SYSINFO_EHDR, 0x1000, AT_PHENT, 56, AT_PAGESZ, 4096]);
        let read = Stack::read(&before).unwrap().unwrap();
        assert_eq!((read.vdso(), read.is_native()), (Some(0x1000), true));
        let edit = read.point_at(0x2000);
        assert_eq!((edit.lower, edit.auxv), (0, (48, 64)));
        let expected = stack(&[AT_SYSINFO_EHDR, 0x2000, AT_PHENT, 56, AT_PAGESZ, 4096]);
        assert_eq!(edited(&before, &edit), expected);
    }

    #[test]
    fn makes_room_for_an_entry() {
        let before = stack(&[AT_PAGESZ, 4096, AT_PHENT, 32]);
        let read = Stack::read(&before).unwrap().unwrap();
        assert_eq!((read.vdso(), read.is_native()), (None, false));
        let edit = read.point_at(0x2000);
        assert_eq!((edit.lower, edit.auxv), (16, (48, 64)));
        assert_eq!(
            edited(&before, &edit),
            stack(&[AT_SYSINFO_EHDR, 0x2000, AT_PAGESZ, 4096, AT_PHENT, 32])
        );
    }

    #[test]
    fn no_arguments_no_environment() {
        let before = bytes(&[0, 0, 0, AT_NULL, 0]);
        let read = Stack::read(&before).unwrap().unwrap();
        assert_eq!((read.auxv, read.end), (3, 5));
    }

    #[test]
    fn asks_for_more_until_all_is_there() {
        let whole = stack(&[AT_SYSINFO_EHDR, 0x1000]);
        let needed = whole.len() - 2 * WORD;
        for len in 0..needed {
            assert_eq!(Stack::read(&whole[..len]), Ok(None), "{len} bytes");
        }
        assert!(Stack::read(&whole[..needed]).unwrap().is_some());
    }

    #[test]
    fn nonsense_is_malformed() {
        assert_eq!(Stack::read(&bytes(&[1, 1, 1, 1, 1])), Err(Malformed));
        assert_eq!(Stack::read(&bytes(&[u64::MAX, 0])), Err(Malformed));
    }
}
