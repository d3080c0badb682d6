//! What a program finds on its stack: arguments, environment, and the auxiliary vector.

use crate::memory;

/// Builds a stack from its end downwards.
#[derive(Debug)]
pub(crate) struct Words {
    top: u32,
}

/// What is put on a stack.
#[derive(Debug)]
pub(crate) struct Content<'a> {
    /// The words of the command line.
    pub(crate) arguments: &'a [Vec<u8>],
    /// The words of the environment.
    pub(crate) environment: &'a [Vec<u8>],
    /// The path of the program's file.
    pub(crate) program: &'a [u8],
    /// 16 bytes from the kernel.
    pub(crate) random: [u8; 16],
    /// Types and values of the auxiliary vector, but for addresses of strings.
    pub(crate) vector: &'a [(u32, u32)],
}

/// `AT_PLATFORM`.
const PLATFORM: u32 = 15;
/// `AT_RANDOM`.
const RANDOM: u32 = 25;
/// `AT_EXECFN`.
const FILE: u32 = 31;

impl Words {
    /// A stack that ends at `end`.
    pub(crate) fn new(end: u32) -> Self {
        Self { top: end - 8 }
    }

    fn bytes(&mut self, bytes: &[u8]) -> u32 {
        self.top -= bytes.len() as u32;
        memory::put(self.top, bytes);
        self.top
    }

    fn string(&mut self, text: &[u8]) -> u32 {
        self.top -= 1;
        memory::put(self.top, &[0]);
        self.bytes(text)
    }

    /// Puts all of it there; the stack pointer of the program's first instruction.
    pub(crate) fn put(mut self, content: &Content<'_>) -> u32 {
        let file = self.string(content.program);
        let mut strings =
            |all: &[Vec<u8>]| all.iter().map(|text| self.string(text)).collect::<Vec<u32>>();
        let environment = strings(content.environment);
        let arguments = strings(content.arguments);
        let platform = self.string(b"i686");
        let random = self.bytes(&content.random);
        let mut words = vec![arguments.len() as u32];
        words.extend(arguments);
        words.push(0);
        words.extend(environment);
        words.push(0);
        let strings = [(PLATFORM, platform), (RANDOM, random), (FILE, file), (0, 0)];
        words.extend(
            content.vector.iter().chain(&strings).flat_map(|(kind, value)| [*kind, *value]),
        );
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.top = (self.top - bytes.len() as u32) & !15;
        memory::put(self.top, &bytes);
        self.top
    }
}
