// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Facts of x86-64: signal frames, the pages of the client's signal handler, alternatives,
//! hypervisors' clock pages, the processor number, SGX.

pub mod alternative;
pub mod exception;
pub mod handler;
pub mod hypervisor;
pub mod segment;
pub mod sgx;
pub mod signal;
