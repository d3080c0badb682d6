//! What a single instruction does, as far as rules ask.
//!
//! # Invariants
//!
//! 1. Each function answers for one instruction alone; what is known on a path is in
//!    [`effect`](super::effect).

use iced_x86::{
    CpuidFeature, EncodingKind, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind,
    Register,
};

/// The bytes of `syscall`.
pub(crate) const SYSCALL_GATE: [u8; 2] = [0x0f, 0x05];

/// `syscall`, `sysenter` and `int 0x80`, as bytes.
pub(crate) const GATES: [[u8; 2]; 3] = [SYSCALL_GATE, [0x0f, 0x34], [0xcd, 0x80]];

/// Whether the instruction enters or leaves the kernel by another way than `syscall`.
pub(crate) fn is_gate(instruction: &Instruction) -> bool {
    matches!(
        instruction.mnemonic(),
        Mnemonic::Int
            | Mnemonic::Int1
            | Mnemonic::Into
            | Mnemonic::Sysenter
            | Mnemonic::Sysret
            | Mnemonic::Iretq
    )
}

/// Whether the instruction writes the register in which a call's number is, `rax`.
pub(crate) fn writes_number(
    factory: &mut InstructionInfoFactory,
    instruction: &Instruction,
) -> bool {
    factory.info(instruction).used_registers().iter().any(|used| {
        let writes = !matches!(
            used.access(),
            OpAccess::None | OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess
        );
        writes && used.register().full_register() == Register::RAX
    })
}

/// Whether the instruction puts that number in that register.
pub(crate) fn loads_number(instruction: &Instruction, number: u32) -> bool {
    instruction.mnemonic() == Mnemonic::Mov
        && matches!(instruction.op0_register(), Register::EAX | Register::RAX)
        && matches!(instruction.op1_kind(), OpKind::Immediate32 | OpKind::Immediate32to64)
        && instruction.immediate(1) == u64::from(number)
}

/// Whether the instruction sets the direction flag, or all flags.
pub(crate) fn changes_flags(instruction: &Instruction) -> bool {
    matches!(
        instruction.mnemonic(),
        Mnemonic::Std | Mnemonic::Popf | Mnemonic::Popfd | Mnemonic::Popfq
    )
}

/// Whether the instruction uses `fs` or `gs`, or sets a segment register.
pub(crate) fn uses_segments(instruction: &Instruction) -> bool {
    matches!(instruction.segment_prefix(), Register::FS | Register::GS)
        || matches!(
            instruction.mnemonic(),
            Mnemonic::Rdfsbase | Mnemonic::Rdgsbase | Mnemonic::Wrfsbase | Mnemonic::Wrgsbase
        )
        || instruction.op0_register().is_segment_register()
        || (0..instruction.op_count())
            .any(|operand| matches!(instruction.op_register(operand), Register::FS | Register::GS))
}

/// Whether the instruction is one of the floating-point unit or of vectors.
pub(crate) fn uses_vectors(instruction: &Instruction) -> bool {
    let of_registers = (0..instruction.op_count()).any(|operand| {
        let register = instruction.op_register(operand);
        register.is_vector_register() || register.is_mm() || register.is_st() || register.is_k()
    });
    let of_unit = instruction.cpuid_features().iter().any(|feature| {
        use CpuidFeature::{FPU, FPU287, FPU287XL_ONLY, FPU387, FPU387SL_ONLY, MMX};
        matches!(feature, FPU | FPU287 | FPU287XL_ONLY | FPU387 | FPU387SL_ONLY | MMX)
    });
    let of_state = matches!(instruction.mnemonic(), Mnemonic::Ldmxcsr | Mnemonic::Stmxcsr);
    of_registers || of_unit || of_state || instruction.encoding() != EncodingKind::Legacy
}

/// Whether every x86-64 processor executes the instruction, or takes it for a `nop`.
pub(crate) fn is_baseline(instruction: &Instruction) -> bool {
    instruction.cpuid_features().iter().all(|feature| {
        use CpuidFeature::{
            CET_IBT, CLFSH, CMOV, CX8, INTEL186, INTEL286, INTEL386, INTEL486, INTEL8086,
            MULTIBYTENOP, PAUSE, SSE, SSE2, SYSCALL, TSC, X64,
        };
        matches!(feature, INTEL8086 | INTEL186 | INTEL286 | INTEL386 | INTEL486 | X64)
            || matches!(
                feature,
                CLFSH | CMOV | CX8 | MULTIBYTENOP | PAUSE | SSE | SSE2 | SYSCALL | TSC | CET_IBT
            )
    })
}

/// By how many bytes the instruction makes the frame grow; none if that is not a constant.
///
/// The sum over a function bounds its frame from above: what is taken twice on different paths
/// counts twice.
pub(crate) fn growth(instruction: &Instruction) -> Option<u64> {
    let on_stack = instruction.op0_kind() == OpKind::Register
        && instruction.op0_register().full_register() == Register::RSP;
    let immediate = || {
        matches!(instruction.op1_kind(), OpKind::Register | OpKind::Memory).then_some(()).is_none()
    };
    match instruction.mnemonic() {
        Mnemonic::Push | Mnemonic::Pushfq => Some(8),
        Mnemonic::Enter => None,
        Mnemonic::Sub if on_stack => immediate().then(|| shrink(instruction.immediate(1))),
        Mnemonic::Add if on_stack => {
            immediate().then(|| shrink(instruction.immediate(1).wrapping_neg()))
        }
        Mnemonic::And if on_stack => immediate().then(|| instruction.immediate(1).wrapping_neg()),
        Mnemonic::Lea if on_stack => {
            let fixed = matches!(instruction.memory_base(), Register::RSP | Register::RBP)
                && instruction.memory_index() == Register::None;
            fixed.then(|| shrink(instruction.memory_displacement64().wrapping_neg()))
        }
        Mnemonic::Mov if on_stack => (instruction.op1_register() == Register::RBP).then_some(0),
        _ => Some(0),
    }
}

/// A two's complement distance downwards; none upwards.
fn shrink(distance: u64) -> u64 {
    if distance.cast_signed() > 0 { distance } else { 0 }
}

/// Whether the access may write.
pub(crate) fn is_write(access: OpAccess) -> bool {
    matches!(
        access,
        OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
    )
}

/// Whether the access may read.
pub(crate) fn is_read(access: OpAccess) -> bool {
    matches!(
        access,
        OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite
    )
}
