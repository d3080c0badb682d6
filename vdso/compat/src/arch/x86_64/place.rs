// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Places in the shim's code that signals have to tell apart.

#![expect(unsafe_code, reason = "takes addresses of code")]

/// Defines functions that return the address of a label.
macro_rules! labels {
    ($($name:ident = $label:ident;)*) => {
        $(
            #[doc = concat!("The address of `", stringify!($label), "`.")]
            pub(crate) fn $name() -> u64 {
                let address: u64;
                // SAFETY: computes an address.
                unsafe {
                    core::arch::asm!(
                        concat!("lea {}, [rip + ", stringify!($label), "]"),
                        out(reg) address,
                        options(nomem, nostack, preserves_flags, pure),
                    );
                }
                address
            }
        )*
    };
}

labels! {
    enter = compat_enter;
    enter_flags = compat_enter_flags;
    enter_end = compat_enter_end;
    leave = compat_leave;
    leave_far = compat_leave_far;
    leave_end = compat_leave_end;
    copy = compat_copy_begin;
    copy_end = compat_copy_end;
    copy_fault = compat_copy_fault;
    handler = compat_handler;
    facts = compat_facts;
}
