//! rustix IMAGE: its own source file, with what that file uses of the rest of the crate.

mod backend {
    #[allow(dead_code, unused_imports, unreachable_pub)]
    #[path = "vdso.rs"]
    pub mod vdso;

    mod c {
        pub use std::ffi::c_void;
        #[allow(non_camel_case_types)]
        pub type size_t = usize;
    }

    mod param {
        pub mod auxv {
            use linux_raw_sys::elf::Elf_Ehdr;
            use std::sync::OnceLock;

            extern "C" {
                /// `../readers/place.c`.
                fn place_image(path: *const std::ffi::c_char) -> usize;
            }

            pub fn sysinfo_ehdr() -> *const Elf_Ehdr {
                static PLACE: OnceLock<usize> = OnceLock::new();
                let place = || {
                    let path = std::env::args().nth(1).expect("an image");
                    let path = std::ffi::CString::new(path).expect("a path");
                    unsafe { place_image(path.as_ptr()) }
                };
                *PLACE.get_or_init(place) as *const Elf_Ehdr
            }
        }
    }

    pub fn resolve() {
        let Some(vdso) = vdso::Vdso::new() else { return };
        let base = param::auxv::sysinfo_ehdr() as usize;
        for name in [c"__vdso_clock_gettime", c"__vdso_getcpu"] {
            let place = vdso.sym(c"LINUX_2.6", name) as usize;
            if place != 0 {
                println!("{} {:x}", name.to_str().unwrap(), place.wrapping_sub(base));
            }
        }
    }
}

mod ffi {
    pub use std::ffi::CStr;
}

mod utils {
    use std::ffi::c_void;
    use std::ptr::NonNull;

    /// As in the crate: neither null, nor without alignment, nor at an address that wraps.
    pub fn check_raw_pointer<T>(value: *mut c_void) -> Option<NonNull<T>> {
        if (value as usize).checked_add(size_of::<T>()).is_none()
            || (value as usize) % align_of::<T>() != 0
        {
            return None;
        }
        NonNull::new(value.cast())
    }
}

fn main() {
    backend::resolve();
}
