//! The plugin of `vdso/client/examples/plugin`: a library in C that registers its fixups when it is
//! loaded.
//!
//! # Invariants
//!
//! 1. Its functions are called only while it is loaded.

#![expect(unsafe_code, reason = "loads a library, and calls its functions by address")]

use anyhow::{Result, ensure};
use nix::libc::{RTLD_NOW, dlclose, dlopen, dlsym};
use std::ffi::{CStr, CString, c_int, c_void};
use std::mem::transmute;
use std::path::Path;

/// The plugin, loaded. It stays so until it is unloaded explicitly.
#[derive(Debug)]
pub struct Plugin {
    library: *mut c_void,
    area: extern "C" fn() -> u64,
    peek: extern "C" fn(*const u8) -> c_int,
}

impl Plugin {
    /// Loads `plugin.so` of a folder.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = CString::new(folder.join("plugin.so").into_os_string().into_encoded_bytes())?;
        // SAFETY: the path is a C string; the plugin's constructor registers it.
        let library = unsafe { dlopen(path.as_ptr(), RTLD_NOW) };
        ensure!(!library.is_null(), "{path:?} cannot be loaded");
        let symbol = |name: &CStr| {
            // SAFETY: the library is loaded, and the name is a C string.
            let address = unsafe { dlsym(library, name.as_ptr()) };
            ensure!(!address.is_null(), "the plugin has no {name:?}");
            Ok(address)
        };
        // SAFETY: `uint64_t plugin_area(void)`.
        let area =
            unsafe { transmute::<*mut c_void, extern "C" fn() -> u64>(symbol(c"plugin_area")?) };
        // SAFETY: `int plugin_peek(const void *)`.
        let peek = unsafe {
            transmute::<*mut c_void, extern "C" fn(*const u8) -> c_int>(symbol(c"plugin_peek")?)
        };
        Ok(Self { library, area, peek })
    }

    /// The area in which it is registered.
    pub fn area(&self) -> u64 {
        (self.area)()
    }

    /// Whether it survives to read where nothing is.
    pub fn catches_its_fault(&self) -> bool {
        (self.peek)(std::ptr::without_provenance(8)) == -1
    }

    /// Unloads it; its destructor unregisters it.
    pub fn unload(self) -> Result<()> {
        // SAFETY: nothing of it is used any more: `self` is gone.
        ensure!(unsafe { dlclose(self.library) } == 0, "the plugin cannot be unloaded");
        Ok(())
    }
}
