//! Each rule of code that judges arm64 has the smallest image that breaks it.
//!
//! The image is made here, word by word: code, the symbols that name it, and the call-frame
//! information of its first function. It has nothing else, so only rules of code are asked.

use liblinux_check::profile::ANY;
use liblinux_check::{Fault, check_as};

/// `ret`.
const RET: u32 = 0xd65f_03c0;

/// `sub sp, sp, #16`.
const OPEN: u32 = 0xd100_43ff;

/// `add sp, sp, #16`.
const CLOSE: u32 = 0x9100_43ff;

/// A function with a frame, which calls the one that begins 12 bytes in front of it.
const CALLER: [u32; 5] = [
    0xa9bf_7bfd, // stp x29, x30, [sp, #-16]!
    0x9100_03fd, // mov x29, sp
    0x97ff_fffb, // bl .-20
    0xa8c1_7bfd, // ldp x29, x30, [sp], #16
    RET,
];

/// The rules that judge arm64's code.
const RULES: [&str; 8] = [
    "decodes",
    "text-covered",
    "no-jump-tables",
    "branch-targets",
    "stack-balance",
    "saved-registers",
    "function-ends",
    "unwind-rows",
];

/// Rows that say where the frame of `OPEN, CLOSE, RET` is: the stack pointer and 0, 16, 0 bytes.
const ROWS: [u8; 6] = [0x41, 0x0e, 16, 0x41, 0x0e, 0];

/// Rows that say nothing.
const NO_ROWS: [u8; 6] = [0; 6];

/// The code of an image: functions that symbols name, and words behind them that none names.
struct Code {
    functions: Vec<Vec<u32>>,
    nameless: Vec<u32>,
    rows: [u8; 6],
}

impl Code {
    fn good() -> Self {
        let functions = vec![vec![OPEN, CLOSE, RET], CALLER.to_vec()];
        Self { functions, nameless: Vec::new(), rows: ROWS }
    }

    /// The good one with another function behind.
    fn with(words: &[u32]) -> Self {
        let mut code = Self::good();
        code.functions.push(words.to_vec());
        code
    }

    /// The image.
    fn image(&self) -> Vec<u8> {
        let mut file = vec![0; 64 + 56];
        let text = file.len();
        let mut symbols = vec![0; 24];
        for words in &self.functions {
            // The name, a global function of the first section, its place, its size.
            symbols.extend([1, 0, 0, 0, 0x12, 0, 1, 0]);
            symbols.extend((file.len() as u64).to_le_bytes());
            symbols.extend((4 * words.len() as u64).to_le_bytes());
            file.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        }
        file.extend(self.nameless.iter().flat_map(|word| word.to_le_bytes()));
        let code = file.len() - text;
        let first = 4 * self.functions[0].len();
        let header = file.len();
        file.extend(frames(&self.rows, header as i32 - text as i32, first as u32));
        let header_len = file.len() - header;
        let names = b"\0f\0.text\0.symtab\0.strtab\0";
        let (symtab, strtab) = (file.len(), file.len() + symbols.len());
        file.extend(&symbols);
        file.extend(names);
        let sections = file.len();
        for (name, kind, place, len, link, entry) in [
            (0, 0, 0, 0, 0, 0),
            (3, 1, text, code, 0, 0),
            (9, 2, symtab, symbols.len(), 3, 24),
            (17, 3, strtab, names.len(), 0, 0),
        ] {
            for word in [name, kind] {
                file.extend(u32::to_le_bytes(word));
            }
            for word in [6, place as u64, place as u64, len as u64] {
                file.extend(word.to_le_bytes());
            }
            for word in [link, 0] {
                file.extend(u32::to_le_bytes(word));
            }
            for word in [4, entry] {
                file.extend(u64::to_le_bytes(word));
            }
        }
        file[..16].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        // The type, the machine, the version; program headers, section headers, their sizes.
        for (at, bytes) in [(16, [3, 0, 183, 0]), (20, [1, 0, 0, 0]), (52, [64, 0, 56, 0])] {
            file[at..at + 4].copy_from_slice(&bytes);
        }
        file[32..40].copy_from_slice(&64u64.to_le_bytes());
        file[40..48].copy_from_slice(&(sections as u64).to_le_bytes());
        file[56..64].copy_from_slice(&[1, 0, 64, 0, 4, 0, 3, 0]);
        file[64..68].copy_from_slice(&0x6474_e550_u32.to_le_bytes());
        for (field, word) in [(8, header), (16, header), (24, header), (32, header_len)] {
            file[64 + field..72 + field].copy_from_slice(&(word as u64).to_le_bytes());
        }
        for (field, word) in [(40, header_len), (48, 4)] {
            file[64 + field..72 + field].copy_from_slice(&(word as u64).to_le_bytes());
        }
        file
    }
}

/// The search table and the call-frame information of one function, which lies `before` bytes in
/// front of them and has `len` bytes of code.
fn frames(rows: &[u8; 6], before: i32, len: u32) -> Vec<u8> {
    let mut bytes = vec![1, 0x1b, 0x03, 0x3b];
    // Behind the table, which has 20 bytes, is the common entry, and behind that the function's.
    for word in [20 - 4, 1, -before, 20 + 20] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(16u32.to_le_bytes());
    bytes.extend([0, 0, 0, 0, 1, b'z', b'R', 0, 4, 0x78, 30, 1, 0x1b]);
    // The frame is at the stack pointer.
    bytes.extend([0x0c, 31, 0]);
    bytes.extend(20u32.to_le_bytes());
    bytes.extend(24u32.to_le_bytes());
    bytes.extend((-before - bytes.len() as i32).to_le_bytes());
    bytes.extend(len.to_le_bytes());
    bytes.push(0);
    bytes.extend(rows);
    bytes.extend([0; 1 + 4]);
    bytes
}

/// What a rule says of the code.
fn verdict(code: &Code, rule: &str) -> Result<(), Fault> {
    let report = check_as(&ANY, &code.image(), None, None).expect("an ELF file");
    let judgement = report.judgements.into_iter().find(|judgement| judgement.rule.name == rule);
    judgement.expect(rule).verdict
}

#[test]
fn sound_code_is_judged_and_not_accused() {
    for rule in RULES {
        assert_eq!(verdict(&Code::good(), rule), Ok(()), "{rule}");
    }
}

#[test]
fn each_rule_has_code_that_breaks_it() {
    let broken = [
        // udf #1
        ("decodes", Code::with(&[0x0000_0001, RET])),
        ("text-covered", Code { nameless: vec![OPEN, CLOSE, RET], ..Code::good() }),
        // br x16
        ("no-jump-tables", Code::with(&[0xd61f_0200])),
        // b .+64
        ("branch-targets", Code::with(&[0x1400_0010])),
        ("stack-balance", Code::with(&[OPEN, RET])),
        // mov x19, #0
        ("saved-registers", Code::with(&[0xd280_0013, RET])),
        // ret x1; then code that falls out of its function, and a signed address that is not
        // checked: paciasp
        ("function-ends", Code::with(&[0xd65f_0020])),
        ("function-ends", Code::with(&[OPEN, CLOSE])),
        ("function-ends", Code::with(&[0xd503_233f, RET])),
        ("unwind-rows", Code { rows: NO_ROWS, ..Code::good() }),
    ];
    for (rule, code) in &broken {
        assert!(matches!(verdict(code, rule), Err(Fault::Wrong(_))), "{rule}");
    }
    for rule in RULES {
        assert!(broken.iter().any(|(broken, _)| *broken == rule), "{rule} has no broken code");
    }
}

/// Rules that are not broken say nothing of code that breaks another.
#[test]
fn a_lost_register_is_nothing_but_that() {
    let code = Code::with(&[0xd280_0013, RET]);
    for rule in RULES.into_iter().filter(|rule| *rule != "saved-registers") {
        assert_eq!(verdict(&code, rule), Ok(()), "{rule}");
    }
}
