//! The parts that differ between architectures: registers, how a system call is made in another
//! process, a jump, and the decoding of a text.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{
    JUMP_SIZE, Reference, Registers, SHORT_JUMP_SIZE, SYSTEM_CALL, instruction_pointer, is_in_call,
    is_native, jump, place, prepare_call, references, result, set_stack_pointer, short_jump,
    stack_pointer,
};
