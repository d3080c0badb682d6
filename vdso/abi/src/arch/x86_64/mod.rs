//! Facts of x86-64: signal frames, alternatives, hypervisors' clock pages, the processor number, SGX.

pub mod alternative;
pub mod exception;
pub mod hypervisor;
pub mod segment;
pub mod sgx;
pub mod signal;
