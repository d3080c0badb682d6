//! What the host of a boot and its guest both say: each word once.
//!
//! The host writes files into the initramfs ([`case`], [`session`]), the guest answers through
//! virtio ports ([`port`]) by a report in KTAP, whose words and keys are in [`report`]. The host's
//! reader (`tools/boot`) is strict, the guest's (`qemu/guest`) takes what the kernel's selftests
//! write, so each has its own; what they agree on is here.

#![forbid(unsafe_code)]

pub mod case;
pub mod port;
pub mod report;
pub mod session;
