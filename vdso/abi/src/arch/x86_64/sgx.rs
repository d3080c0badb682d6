// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Entering an SGX enclave: the structure that its caller and `__vdso_sgx_enter_enclave` share.
//!
//! Source: `arch/x86/include/uapi/asm/sgx.h` and `arch/x86/include/asm/enclu.h`.
//!
//! # Invariants
//!
//! 1. Offsets, sizes and numbers equal the kernel's (a test compares with the kernel tree).

use core::mem::{offset_of, size_of};

/// `EENTER`: the ENCLU function that enters an enclave.
pub const EENTER: u32 = 2;

/// `ERESUME`: the ENCLU function that resumes an enclave that an exception or interrupt had left.
pub const ERESUME: u32 = 3;

/// `EEXIT`: the ENCLU function by which an enclave returns.
pub const EEXIT: u32 = 4;

/// `struct sgx_enclave_run`: one run of an enclave.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct EnclaveRun {
    /// The thread control structure by which the enclave is entered.
    pub tcs: u64,
    /// The last ENCLU function: [`EEXIT`] if the enclave returned, else the one that raised the
    /// exception below.
    pub function: u32,
    /// Number of the exception.
    pub exception_vector: u16,
    /// Its error code.
    pub exception_error_code: u16,
    /// Address of the page fault.
    pub exception_addr: u64,
    /// `sgx_enclave_user_handler_t`: a function to call when the enclave was left, or 0.
    pub user_handler: u64,
    /// For the handler.
    pub user_data: u64,
    /// Zeros.
    pub reserved: [u8; 216],
}

const _: () = {
    assert!(offset_of!(EnclaveRun, reserved) == 40);
    assert!(size_of::<EnclaveRun>() == 256);
};
