//! An unwinder: from one frame's registers to its caller's, by the `.eh_frame` of an image.
//!
//! It takes one step at a time and reads nothing but the section, the registers and the stack, as a
//! debugger does.
//!
//! # Invariants
//!
//! 1. The unwinder never guesses: an address without a row, a rule that cannot be evaluated and
//!    memory that cannot be read are errors.
//! 2. A return address below the stack pointer is an error, too, although it is still there: the
//!    child of a `vfork` may have written over it. Other registers may be there, where no signal
//!    handler writes: compilers do not say that an epilogue has taken them off the stack.

use gimli::{
    BaseAddresses, CfaRule, CieOrFde, EhFrame, Encoding, EndianSlice, EvaluationResult, Format,
    LittleEndian, Location, Register, RegisterRule, UnwindContext, UnwindExpression,
    UnwindSection as _, UnwindTableRow, Value,
};
use nix::libc::user_regs_struct;
use object::{Object as _, ObjectSection as _};
use std::ops::Range;

/// How many registers there are: 16 general ones, and the return address.
const REGISTERS: usize = 17;

/// DWARF number of `rsp`.
const RSP: usize = 7;

/// DWARF number of the return address.
const RETURN_ADDRESS: usize = 16;

/// The registers that a frame has, by their DWARF numbers (psABI, figure 3.36).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame(pub [u64; REGISTERS]);

impl Frame {
    /// The innermost frame of a thread that has stopped.
    pub fn innermost(at: &user_regs_struct) -> Self {
        Self([
            at.rax, at.rdx, at.rcx, at.rbx, at.rsi, at.rdi, at.rbp, at.rsp, at.r8, at.r9, at.r10,
            at.r11, at.r12, at.r13, at.r14, at.r15, at.rip,
        ])
    }

    /// Where it continues.
    pub fn address(&self) -> u64 {
        self.0[RETURN_ADDRESS]
    }

    /// Its stack pointer.
    pub fn stack(&self) -> u64 {
        self.0[RSP]
    }

    /// `rbx`, `rbp`, `r12` to `r15`: what a function returns as it was.
    pub fn preserved(&self) -> [u64; 6] {
        [3, 6, 12, 13, 14, 15].map(|register: usize| self.0[register])
    }
}

/// Reads 8 bytes of the process.
pub type Memory<'m> = dyn Fn(u64) -> Result<u64, String> + 'm;

type Bytes<'a> = EndianSlice<'a, LittleEndian>;

/// The call-frame information of an image.
#[derive(Debug)]
pub struct Unwinder<'a> {
    section: EhFrame<Bytes<'a>>,
    /// Ascending by address.
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    range: Range<u64>,
    rules: UnwindTableRow<usize>,
    is_signal: bool,
}

impl<'a> Unwinder<'a> {
    /// Reads all rows of the image in a file.
    pub fn new(file: &'a [u8]) -> Result<Self, String> {
        let elf = object::File::parse(file).map_err(|error| error.to_string())?;
        let found = elf.section_by_name(".eh_frame").ok_or("the image has no .eh_frame")?;
        let section = EhFrame::new(found.data().map_err(|error| error.to_string())?, LittleEndian);
        let bases = BaseAddresses::default().set_eh_frame(found.address());
        let rows = rows(&section, &bases).map_err(|error| error.to_string())?;
        if rows.is_empty() {
            Err("the .eh_frame is empty".into())
        } else {
            Ok(Self { section, rows })
        }
    }

    /// Whether the code at an offset of the image is a signal frame's.
    pub fn is_signal(&self, offset: u64) -> bool {
        self.row(offset).is_ok_and(|row| row.is_signal)
    }

    /// The caller of `frame`, whose code is at `offset` of the image.
    pub fn caller(&self, offset: u64, frame: &Frame, memory: &Memory<'_>) -> Result<Frame, String> {
        let rules = &self.row(offset)?.rules;
        let cfa = match rules.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                frame.0[index(*register)?].wrapping_add_signed(*offset)
            }
            CfaRule::Expression(expression) => self.evaluate(expression, None, frame, memory)?,
        };
        let mut caller = *frame;
        caller.0[RSP] = cfa;
        for &(register, ref rule) in rules.registers() {
            caller.0[index(register)?] = match *rule {
                RegisterRule::SameValue => frame.0[index(register)?],
                RegisterRule::Offset(offset) => memory(cfa.wrapping_add_signed(offset))?,
                RegisterRule::ValOffset(offset) => cfa.wrapping_add_signed(offset),
                RegisterRule::Register(other) => frame.0[index(other)?],
                RegisterRule::Expression(ref expression) => {
                    memory(self.evaluate(expression, Some(cfa), frame, memory)?)?
                }
                RegisterRule::ValExpression(ref expression) => {
                    self.evaluate(expression, Some(cfa), frame, memory)?
                }
                ref other => {
                    return Err(format!("{offset:#x}: {other:?} for register {}", register.0));
                }
            };
        }
        match rules.register(Register(RETURN_ADDRESS as u16)) {
            None => Err(format!("{offset:#x}: no rule for the return address")),
            Some(RegisterRule::Offset(below)) if cfa.wrapping_add_signed(below) < frame.stack() => {
                Err(format!(
                    "{offset:#x}: the return address is looked for below the stack pointer"
                ))
            }
            Some(_) => Ok(caller),
        }
    }

    fn row(&self, offset: u64) -> Result<&Row, String> {
        let behind = self.rows.partition_point(|row| row.range.start <= offset);
        let row = self.rows[..behind].last().filter(|row| row.range.contains(&offset));
        row.ok_or_else(|| format!("{offset:#x}: no call-frame information"))
    }

    fn evaluate(
        &self,
        expression: &UnwindExpression<usize>,
        initial: Option<u64>,
        frame: &Frame,
        memory: &Memory<'_>,
    ) -> Result<u64, String> {
        let broken = |error: gimli::Error| error.to_string();
        let encoding = Encoding { address_size: 8, format: Format::Dwarf32, version: 1 };
        let mut evaluation = expression.get(&self.section).map_err(broken)?.evaluation(encoding);
        if let Some(initial) = initial {
            evaluation.set_initial_value(initial);
        }
        let mut state = evaluation.evaluate().map_err(broken)?;
        loop {
            state = match state {
                EvaluationResult::Complete => break,
                EvaluationResult::RequiresMemory { address, .. } => {
                    evaluation.resume_with_memory(Value::Generic(memory(address)?))
                }
                EvaluationResult::RequiresRegister { register, .. } => {
                    evaluation.resume_with_register(Value::Generic(frame.0[index(register)?]))
                }
                other => return Err(format!("the expression wants {other:?}")),
            }
            .map_err(broken)?;
        }
        match evaluation.result().as_slice() {
            [gimli::Piece { location: Location::Address { address }, .. }] => Ok(*address),
            other => Err(format!("the expression gives {other:?}")),
        }
    }
}

fn index(register: Register) -> Result<usize, String> {
    let index = usize::from(register.0);
    if index < REGISTERS { Ok(index) } else { Err(format!("register {index} does not exist")) }
}

fn rows(section: &EhFrame<Bytes<'_>>, bases: &BaseAddresses) -> gimli::Result<Vec<Row>> {
    let mut found = Vec::new();
    let mut context = UnwindContext::new();
    let mut entries = section.entries(bases);
    while let Some(entry) = entries.next()? {
        let CieOrFde::Fde(partial) = entry else { continue };
        let entry = partial.parse(EhFrame::cie_from_offset)?;
        let mut rows = entry.rows(section, bases, &mut context)?;
        while let Some(row) = rows.next_row()? {
            found.push(Row {
                range: row.start_address()..row.end_address(),
                rules: row.clone(),
                is_signal: entry.is_signal_trampoline(),
            });
        }
    }
    found.sort_by_key(|row| row.range.start);
    Ok(found)
}
