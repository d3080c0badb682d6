//! The parts that differ between architectures: registers, how a system call is made in another process, and a jump.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{
    JUMP_SIZE, Registers, SHORT_JUMP_SIZE, SYSTEM_CALL, instruction_pointer, is_in_call, is_native, jump,
    place, prepare_call, result, set_stack_pointer, short_jump, stack_pointer,
};
