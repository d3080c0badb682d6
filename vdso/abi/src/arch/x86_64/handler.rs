// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The pages of the client's signal handler: its code on the first one, its data on the second.
//!
//! Libraries of different age, in Rust and in C, share one handler. So the layout is part of the
//! handler's signature: to change it is to change the signature in
//! `vdso/client/src/signal/x86_64/handler.s`.
//!
//! # Invariants
//!
//! 1. A signature stands for one layout, for good: pages of a handler outlive the library that made
//!    them.

use crate::arch::x86_64::signal::Action;
use crate::image::structure::structures;

/// Bytes of the signature, at the start of the first page. The handler begins behind it.
pub const SIGNATURE_SIZE: usize = 16;

structures! {
    /// The data of a signal handler's pages, one page behind the signature.
    #[repr(C)]
    Data as "liblinux_handler_data" {
        /// Address of the area that the handler consults; changed by compare-and-exchange.
        area: u64,
        /// Addresses of the image's entries that the handler calls, by their names.
        dispatch: u64,
        /// See dispatch.
        rt_sigaction: u64,
        /// See dispatch.
        rt_sigprocmask: u64,
        /// See dispatch.
        rt_tgsigqueueinfo: u64,
        /// See dispatch.
        getpid: u64,
        /// See dispatch.
        gettid: u64,
        /// Zero.
        reserved: u64,
        /// The actions that the handler replaced, by signal number. That of signal 0 is SIG_DFL.
        previous: [Action; 32],
    }
}

// Other targets have other sizes of `usize`, and no handler.
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
const _: () = {
    use crate::image::layout::PAGE_SIZE;
    use core::mem::size_of;
    assert!(size_of::<Data>() <= PAGE_SIZE && size_of::<Action>() == 32);
};

/// Assembles the handler, whose source follows, with the names of the data's fields, of the signal
/// frame's and of flags.
#[macro_export]
macro_rules! signal_handler {
    ($($source:tt)+) => {
        ::core::arch::global_asm!(
            ".equ liblinux_data, {data}",
            ".equ liblinux_area, {area}",
            ".equ liblinux_dispatch, {dispatch}",
            ".equ liblinux_rt_sigaction, {rt_sigaction}",
            ".equ liblinux_rt_sigprocmask, {rt_sigprocmask}",
            ".equ liblinux_rt_tgsigqueueinfo, {rt_tgsigqueueinfo}",
            ".equ liblinux_getpid, {getpid}",
            ".equ liblinux_gettid, {gettid}",
            ".equ liblinux_previous, {previous}",
            ".equ liblinux_flags, {flags}",
            ".equ liblinux_mask, {mask}",
            ".equ liblinux_SA_ONSTACK, {onstack}",
            ".equ liblinux_SA_NODEFER, {nodefer}",
            ".equ liblinux_SA_RESETHAND, {resethand}",
            ".equ liblinux_code, {code}",
            ".equ liblinux_SI_KERNEL, {si_kernel}",
            ".equ liblinux_stack_start, {stack_start}",
            ".equ liblinux_stack_flags, {stack_flags}",
            ".equ liblinux_stack_size, {stack_size}",
            ".equ liblinux_sp, {sp}",
            ".equ liblinux_ip, {ip}",
            ".equ liblinux_fpstate, {fpstate}",
            ".equ liblinux_fpstate_size, {fpstate_size}",
            ".equ liblinux_magic, {magic_at}",
            ".equ liblinux_FP_XSTATE_MAGIC1, {magic}",
            ".equ liblinux_extended_size, {size_at}",
            ".equ liblinux_red_zone, {red_zone}",
            $($source)+,
            data = const $crate::image::layout::PAGE_SIZE,
            area = const ::core::mem::offset_of!($crate::arch::x86_64::handler::Data, area),
            dispatch = const ::core::mem::offset_of!($crate::arch::x86_64::handler::Data, dispatch),
            rt_sigaction = const ::core::mem::offset_of!($crate::arch::x86_64::handler::Data, rt_sigaction),
            rt_sigprocmask = const ::core::mem::offset_of!($crate::arch::x86_64::handler::Data, rt_sigprocmask),
            rt_tgsigqueueinfo = const ::core::mem::offset_of!($crate::arch::x86_64::handler::Data, rt_tgsigqueueinfo),
            getpid = const ::core::mem::offset_of!($crate::arch::x86_64::handler::Data, getpid),
            gettid = const ::core::mem::offset_of!($crate::arch::x86_64::handler::Data, gettid),
            previous = const ::core::mem::offset_of!($crate::arch::x86_64::handler::Data, previous),
            flags = const ::core::mem::offset_of!($crate::arch::x86_64::signal::Action, flags),
            mask = const ::core::mem::offset_of!($crate::arch::x86_64::signal::Action, mask),
            onstack = const $crate::arch::x86_64::signal::SA_ONSTACK,
            nodefer = const $crate::arch::x86_64::signal::SA_NODEFER,
            resethand = const $crate::arch::x86_64::signal::SA_RESETHAND,
            code = const $crate::arch::x86_64::signal::SI_CODE,
            si_kernel = const $crate::arch::x86_64::exception::SI_KERNEL,
            stack_start = const $crate::arch::x86_64::signal::STACK_START,
            stack_flags = const $crate::arch::x86_64::signal::STACK_FLAGS,
            stack_size = const $crate::arch::x86_64::signal::STACK_SIZE,
            sp = const $crate::arch::x86_64::signal::RSP,
            ip = const $crate::arch::x86_64::signal::RIP,
            fpstate = const $crate::arch::x86_64::signal::FPSTATE,
            fpstate_size = const $crate::arch::x86_64::signal::FPSTATE_SIZE,
            magic_at = const $crate::arch::x86_64::signal::FPSTATE_MAGIC_AT,
            magic = const $crate::arch::x86_64::signal::FPSTATE_MAGIC,
            size_at = const $crate::arch::x86_64::signal::FPSTATE_SIZE_AT,
            red_zone = const $crate::arch::x86_64::signal::RED_ZONE,
        );
    };
}
