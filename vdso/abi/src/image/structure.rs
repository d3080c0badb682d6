// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Structures that programs share with the image or with each other, told to Rust and to C from one
//! definition.
//!
//! # Invariants
//!
//! 1. The fields of a [`Structure`] are all of its fields, in the order of their offsets.

/// A field of a structure, for the C headers.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its type, as Rust has it.
    pub kind: &'static str,
    /// Bytes from the start of the structure.
    pub offset: usize,
    /// Its description.
    pub about: &'static str,
}

/// A structure, for the C headers.
#[derive(Clone, Copy, Debug)]
pub struct Structure {
    /// Its name in C.
    pub name: &'static str,
    /// Its name here.
    pub rust: &'static str,
    /// Its size in bytes.
    pub size: usize,
    /// Its alignment in bytes.
    pub align: usize,
    /// Its description.
    pub about: &'static str,
    /// Its fields, in order.
    pub fields: &'static [Field],
}

macro_rules! structures {
    ($($(#[doc = $about:literal])+ #[repr($($repr:tt)+)] $name:ident as $c:literal {
        $($(#[doc = $field_about:literal])+ $field:ident: $type:ty,)+
    })+) => {
        $(
            $(#[doc = $about])+
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
            #[repr($($repr)+)]
            pub struct $name {
                $($(#[doc = $field_about])+ pub $field: $type,)+
            }
        )+

        /// Every structure of this module, for the C headers.
        pub const STRUCTURES: &[$crate::image::structure::Structure] = &[$($crate::image::structure::Structure {
            name: $c,
            rust: stringify!($name),
            size: core::mem::size_of::<$name>(),
            align: core::mem::align_of::<$name>(),
            about: concat!($($about),+),
            fields: &[$($crate::image::structure::Field {
                name: stringify!($field),
                kind: stringify!($type),
                offset: core::mem::offset_of!($name, $field),
                about: concat!($($field_about),+),
            }),+],
        }),+];
    };
}

pub(crate) use structures;
