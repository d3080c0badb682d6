//! What instructions the image may consist of.
//!
//! The image runs on whatever stack, with whatever registers and segment bases its caller has. iced-x86 decodes every
//! function; each rule is one thing that no instruction may do.
//!
//! # Invariants
//!
//! 1. Every rule looks at every function of the unstripped image's symbol table, at every slot, and at every replacement
//!    of an alternative; the rule `text-covered` refuses code that belongs to none of them.

use crate::demand;
use crate::function::{Function, decode};
use crate::rule::{Rule, Verdict, demand, none_of};
use crate::subject::Subject;
use crate::view::exceptions;
use iced_x86::{
    CpuidFeature, EncodingKind, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind,
    Register,
};
use liblinux_abi::image::export::SYSCALL;
use liblinux_abi::syscall::{Syscall, find};
use std::collections::BTreeSet;
use std::ops::Range;

/// The largest frame of one function, in bytes.
const FRAME_MAX: u64 = 512;

/// Functions whose name contains this may use vector registers; they save nothing across calls and wipe what they used.
const VECTOR_CODE: &str = "chacha";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "decodes",
        demands: &[demand::DECLARED_CALLS, demand::CODE_BOUNDS, demand::NO_ABSOLUTE_ADDRESSES],
        because: "what does not decode is data among code, or the end of a function in the middle of an instruction",
        remedy: "disassemble the place in vdso64.so.dbg with objdump -d, and move data to .rodata",
        check: decodes,
    },
    Rule {
        name: "text-covered",
        demands: &[demand::DECLARED_CALLS],
        because: "code that belongs to no function is seen by no other rule, and has no call-frame information",
        remedy: "give the code a symbol with .type @function and .size, or fill the gap with int3",
        check: text_covered,
    },
    Rule {
        name: "syscall-sites",
        demands: &[demand::DECLARED_CALLS],
        because: "sandboxes and compatibility layers tell calls by the place that they come from",
        remedy: "jump to the slot of the call instead of executing syscall in the function",
        check: syscall_sites,
    },
    Rule {
        name: "syscall-numbers",
        demands: &[demand::DECLARED_CALLS],
        because: "an entry that makes another call than its name says is the worst bug that this library can have",
        remedy: "load the number of the table's row, for a legacy call its successor's, with `mov eax, NUMBER` before the syscall",
        check: syscall_numbers,
    },
    Rule {
        name: "no-kernel-gates",
        demands: &[demand::DECLARED_CALLS],
        because: "int 0x80, sysenter and privileged instructions are no way into this kernel",
        remedy: "use syscall, in a slot",
        check: no_kernel_gates,
    },
    Rule {
        name: "no-hidden-calls",
        demands: &[demand::DECLARED_CALLS],
        because: "all of the image is executable: a jump into the midst of an instruction makes a call that no site declares",
        remedy: "see the place with objdump -d; put a nop between two instructions, or another register or constant in one",
        check: no_hidden_calls,
    },
    Rule {
        name: "no-flag-changes",
        demands: &[],
        because: "callers build on a clear direction flag, and single-stepping and alignment checks are theirs to set",
        remedy: "copy memory upwards, and keep flags in no register: remove std and popf from vdso/image",
        check: no_flag_changes,
    },
    Rule {
        name: "no-segments",
        demands: &[demand::CODE_BOUNDS],
        because: "the caller's fs and gs may point to another libc's data, or to nothing",
        remedy: "look for thread-local variables and the stack protector in vdso/image's build",
        check: no_segments,
    },
    Rule {
        name: "no-vectors",
        demands: &[demand::CODE_BOUNDS],
        because: "entries keep every register but rax, rcx, r10 and r11, and language runtimes build on that",
        remedy: "build for x86_64-unknown-none, or with soft floats and without vector features",
        check: no_vectors,
    },
    Rule {
        name: "baseline-instructions",
        demands: &[],
        because: "the image runs on every x86-64 processor; newer instructions come in through alternatives alone",
        remedy: "build vdso/image for x86-64-v1, or push an entry to .altinstructions",
        check: baseline_instructions,
    },
    Rule {
        name: "frame-bound",
        demands: &[demand::CODE_BOUNDS],
        because: "Go calls the vDSO on stacks of few kilobytes, with no guard page in reach",
        remedy: "move large locals of the function to memory of the caller, or split it",
        check: frame_bound,
    },
];

/// Lists the instructions that `is_wrong`.
pub(super) fn no_instruction(
    subject: &Subject<'_>,
    what: &str,
    is_wrong: impl Fn(&Function<'_>, &Instruction) -> bool,
) -> Verdict {
    let mut wrong = Vec::new();
    for function in subject.functions()? {
        let found = function.instructions.iter().filter(|instruction| is_wrong(function, instruction));
        wrong.extend(found.map(|instruction| function.place(instruction)));
    }
    none_of(what, &wrong)
}

fn decodes(subject: &Subject<'_>) -> Verdict {
    no_instruction(subject, "bytes that are no instruction", |_, instruction| instruction.is_invalid())?;
    let text = subject.image.text()?;
    let outside = |function: &&Function<'_>| {
        !(function.is_replacement || text.start <= function.range.start && function.range.end <= text.end)
    };
    let outside: Vec<_> = subject.functions()?.iter().filter(outside).map(Function::name).collect();
    none_of("functions outside .text", &outside)
}

fn text_covered(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let text = image.text()?;
    let end = (text.end, text.end);
    let mut from = text.start;
    let ranges = subject.functions()?.iter().map(|function| (function.range.start, function.range.end));
    let mut gaps = Vec::new();
    for (start, end) in ranges.chain([end]) {
        let start = start.clamp(from, text.end.max(from));
        let is_code =
            |instruction: &Instruction| !matches!(instruction.mnemonic(), Mnemonic::Int3 | Mnemonic::Nop);
        if decode(image.at(from, start - from)?, from).iter().any(is_code) {
            gaps.push(format!("{from:#x}..{start:#x}"));
        }
        from = from.max(end.min(text.end));
    }
    none_of("gaps between functions that hold more than padding", &gaps)
}

/// Whether the function may execute `syscall`.
fn may_call(function: &Function<'_>) -> bool {
    function.slot_owner().is_some()
        || function.body_owner().is_some()
        || function.private_call().is_some()
        || function.names.contains(&SYSCALL)
}

fn syscall_sites(subject: &Subject<'_>) -> Verdict {
    let sites = subject.functions()?.iter().flat_map(|function| &function.instructions);
    demand!(
        sites.filter(|found| found.mnemonic() == Mnemonic::Syscall).count() > 0,
        "there is no syscall at all"
    );
    no_instruction(
        subject,
        "syscall outside the slots, their bodies, private calls and __vdso_syscall",
        |function, instruction| instruction.mnemonic() == Mnemonic::Syscall && !may_call(function),
    )
}

fn syscall_numbers(subject: &Subject<'_>) -> Verdict {
    let mut factory = InstructionInfoFactory::new();
    let mut wrong = Vec::new();
    for function in subject.functions()? {
        let Some(call) = function.slot_owner().or_else(|| function.body_owner()) else { continue };
        if !call.successors().is_empty() {
            wrong.extend(wrong_successors(function, call));
            continue;
        }
        let mut loaded = false;
        for instruction in &function.instructions {
            if instruction.mnemonic() == Mnemonic::Syscall {
                if !loaded {
                    wrong.push(format!("{} before the number is loaded", function.place(instruction)));
                }
            } else if writes_rax(&mut factory, instruction) {
                loaded = is_load_of(instruction, call.number);
                if !loaded {
                    wrong.push(format!("{}, not a load of {}", function.place(instruction), call.number));
                }
            }
        }
    }
    none_of("calls whose number is not that of their row", &wrong)
}

/// What is wrong with the calls that the body of a legacy call makes: each is one of its successors, whose number is
/// loaded by the instruction right before, which nothing jumps over, and all of them are made.
fn wrong_successors(function: &Function<'_>, call: &Syscall) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut missing: Vec<&Syscall> = call.successors().iter().filter_map(|name| find(name)).collect();
    if function.slot_owner().is_some() {
        missing.clear(); // The slot only leads to the body.
    }
    let numbers: Vec<u32> = missing.iter().map(|newer| newer.number).collect();
    let before = std::iter::once(None).chain(function.instructions.iter().map(Some));
    for (before, instruction) in before.zip(&function.instructions) {
        if instruction.mnemonic() != Mnemonic::Syscall {
            continue;
        }
        let loaded = |number: &u32| before.is_some_and(|before| is_load_of(before, *number));
        match numbers.iter().find(|number| loaded(number)) {
            Some(made) => missing.retain(|newer| newer.number != *made),
            None => wrong.push(format!(
                "{}, not right behind a load of the number of {}",
                function.place(instruction),
                call.successors().join(" or ")
            )),
        }
        let leads_here = |branch: &&Instruction| branch.near_branch_target() == instruction.ip();
        if let Some(branch) = function.instructions.iter().find(leads_here) {
            wrong.push(format!("{} leads to the syscall itself", function.place(branch)));
        }
    }
    wrong.extend(missing.iter().map(|newer| format!("{} does not call {}", function.name(), newer.name)));
    wrong
}

fn writes_rax(factory: &mut InstructionInfoFactory, instruction: &Instruction) -> bool {
    factory.info(instruction).used_registers().iter().any(|used| {
        let writes = !matches!(
            used.access(),
            OpAccess::None | OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess
        );
        writes && used.register().full_register() == Register::RAX
    })
}

fn is_load_of(instruction: &Instruction, number: u32) -> bool {
    instruction.mnemonic() == Mnemonic::Mov
        && matches!(instruction.op0_register(), Register::EAX | Register::RAX)
        && matches!(instruction.op1_kind(), OpKind::Immediate32 | OpKind::Immediate32to64)
        && instruction.immediate(1) == u64::from(number)
}

fn no_kernel_gates(subject: &Subject<'_>) -> Verdict {
    no_instruction(
        subject,
        "instructions that enter the kernel in other ways, or only it may use",
        |_, instruction| {
            let gate = matches!(
                instruction.mnemonic(),
                Mnemonic::Int
                    | Mnemonic::Int1
                    | Mnemonic::Into
                    | Mnemonic::Sysenter
                    | Mnemonic::Sysret
                    | Mnemonic::Iretq
            );
            gate || instruction.is_privileged()
        },
    )
}

/// `syscall`, `sysenter` and `int 0x80`, as bytes.
const GATES: [[u8; 2]; 3] = [[0x0f, 0x05], [0x0f, 0x34], [0xcd, 0x80]];

fn no_hidden_calls(subject: &Subject<'_>) -> Verdict {
    let mut wrong = Vec::new();
    for function in subject.functions()? {
        let Range { start, end } = function.range;
        let bytes = subject.image.at(start, end - start)?;
        for (pair, place) in bytes.windows(2).zip(start..) {
            let Some(gate) = GATES.iter().position(|gate| gate == pair) else { continue };
            let after = function.instructions.partition_point(|instruction| instruction.ip() <= place);
            let Some(home) = function.instructions[..after].last() else { continue };
            // Two instructions that give the bytes of `int 0x80` or `sysenter` together are common, and lead to no call
            // of this architecture's.
            let is_hidden = place + 2 <= home.next_ip() || gate == 0;
            if is_hidden && home.mnemonic() != Mnemonic::Syscall {
                wrong.push(function.place(home));
            }
        }
    }
    none_of("instructions that hold the bytes of a system call", &wrong)
}

fn no_flag_changes(subject: &Subject<'_>) -> Verdict {
    no_instruction(subject, "instructions that set the direction flag, or all flags", |_, instruction| {
        matches!(instruction.mnemonic(), Mnemonic::Std | Mnemonic::Popf | Mnemonic::Popfd | Mnemonic::Popfq)
    })
}

fn no_segments(subject: &Subject<'_>) -> Verdict {
    no_instruction(subject, "instructions that use fs or gs, or set a segment register", |_, instruction| {
        matches!(instruction.segment_prefix(), Register::FS | Register::GS)
            || matches!(
                instruction.mnemonic(),
                Mnemonic::Rdfsbase | Mnemonic::Rdgsbase | Mnemonic::Wrfsbase | Mnemonic::Wrgsbase
            )
            || instruction.op0_register().is_segment_register()
            || (0..instruction.op_count())
                .any(|operand| matches!(instruction.op_register(operand), Register::FS | Register::GS))
    })
}

fn no_vectors(subject: &Subject<'_>) -> Verdict {
    // Without names: a function that has no entry and calls nothing, as only such code is.
    no_instruction(subject, "floating-point and vector instructions", |function, instruction| {
        let has_name =
            function.names.is_empty() || function.names.iter().any(|name| name.contains(VECTOR_CODE));
        let calls = |instruction: &Instruction| instruction.flow_control() == FlowControl::Call;
        let is_vector_code =
            has_name && function.body_of.is_none() && !function.instructions.iter().any(calls);
        uses_vectors(instruction) && !is_vector_code
    })
}

fn uses_vectors(instruction: &Instruction) -> bool {
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
fn is_baseline(instruction: &Instruction) -> bool {
    instruction.cpuid_features().iter().all(|feature| {
        use CpuidFeature::{
            CET_IBT, CLFSH, CMOV, CX8, INTEL186, INTEL286, INTEL386, INTEL486, INTEL8086, MULTIBYTENOP,
            PAUSE, SSE, SSE2, SYSCALL, TSC, X64,
        };
        matches!(feature, INTEL8086 | INTEL186 | INTEL286 | INTEL386 | INTEL486 | X64)
            || matches!(
                feature,
                CLFSH | CMOV | CX8 | MULTIBYTENOP | PAUSE | SSE | SSE2 | SYSCALL | TSC | CET_IBT
            )
    })
}

fn baseline_instructions(subject: &Subject<'_>) -> Verdict {
    let own = exceptions::own(&subject.image)?.unwrap_or_default();
    let guarded: BTreeSet<u64> = own.into_iter().map(|entry| entry.instruction).collect();
    no_instruction(subject, "instructions that not every x86-64 processor has", |function, instruction| {
        // Vectors have a rule of their own, and so has what does not decode.
        let other = uses_vectors(instruction) || instruction.is_invalid();
        // Without SGX, `enclu` raises an exception that the function reports.
        let handled = function.enters_enclaves() && instruction.mnemonic() == Mnemonic::Enclu;
        // An access that is in the exception table reports that exception, too.
        let handled =
            handled || instruction.mnemonic() == Mnemonic::Cmpxchg16b && guarded.contains(&instruction.ip());
        !function.is_replacement && !other && !handled && !is_baseline(instruction)
    })
}

fn frame_bound(subject: &Subject<'_>) -> Verdict {
    let mut wrong = Vec::new();
    for function in subject.functions()? {
        let mut frame: u64 = 0;
        for instruction in &function.instructions {
            match growth(instruction) {
                Some(bytes) => frame = frame.saturating_add(bytes),
                None => wrong.push(format!("{} has no fixed size", function.place(instruction))),
            }
        }
        if frame > FRAME_MAX {
            wrong.push(format!("{} takes {frame} bytes", function.name()));
        }
    }
    none_of("frames over 512 bytes or of no fixed size", &wrong)
}

/// By how many bytes the instruction makes the frame grow; none if that is not a constant.
///
/// The sum over a function bounds its frame from above: what is taken twice on different paths counts twice.
fn growth(instruction: &Instruction) -> Option<u64> {
    let on_stack = instruction.op0_kind() == OpKind::Register
        && instruction.op0_register().full_register() == Register::RSP;
    let immediate =
        || matches!(instruction.op1_kind(), OpKind::Register | OpKind::Memory).then_some(()).is_none();
    match instruction.mnemonic() {
        Mnemonic::Push | Mnemonic::Pushfq => Some(8),
        Mnemonic::Enter => None,
        Mnemonic::Sub if on_stack => immediate().then(|| shrink(instruction.immediate(1))),
        Mnemonic::Add if on_stack => immediate().then(|| shrink(instruction.immediate(1).wrapping_neg())),
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
