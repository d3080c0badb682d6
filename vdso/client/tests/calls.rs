//! The typed calls, on liblinux's image, on the kernel's own, and without any.

#![expect(unsafe_code, reason = "makes system calls")]

use liblinux::{Call, Errno, Unfit, Vdso};
use liblinux_tests::image::Image;
use object::{Object as _, ObjectSegment as _};
use std::os::fd::AsRawFd as _;

/// Liblinux's image in this process, and the calls by it.
fn ours() -> (Image, Vdso) {
    let image = Image::load();
    // SAFETY: mapped for good, as its headers say.
    let vdso = unsafe { Vdso::at(image.base()) }.expect("our image is fit");
    (image, vdso)
}

#[test]
fn every_exported_call_has_its_entry() {
    let (image, vdso) = ours();
    let mut entries = 0;
    for call in Call::all() {
        assert_eq!(vdso.entry(call), image.entry(call.row().symbol), "{call:?}");
        entries += usize::from(vdso.entry(call).is_some());
    }
    assert_eq!(entries, Call::all().filter(|call| call.row().is_exported()).count());
    assert_eq!(vdso.missing().count(), 0);
    assert_eq!(vdso.base(), image.base());
    let elf = object::File::parse(image.file()).unwrap();
    let loaded = elf.segments().next().unwrap().size() as usize;
    assert_eq!(vdso.size(), loaded.next_multiple_of(liblinux_abi::image::layout::PAGE_SIZE));
    assert_eq!(vdso.symbol("__vdso_syscall"), image.entry("__vdso_syscall"));
    assert_eq!(vdso.symbol("__vdso_nonesuch"), None);
    println!("{entries} entries");
}

/// Opens, reads and closes a file, and fails to open another.
#[track_caller]
fn use_files(vdso: &Vdso) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, b"liblinux").unwrap();
    let path = std::ffi::CString::new(file.path().to_str().unwrap()).unwrap();
    // SAFETY: the path is a C string, and the descriptor is new.
    let descriptor = unsafe { vdso.openat(-100, path.as_ptr(), 0, 0) }.unwrap();
    let mut bytes = [0_u8; 16];
    // SAFETY: the buffer has this size.
    let read = unsafe { vdso.read(descriptor, bytes.as_mut_ptr().cast(), bytes.len()) };
    assert_eq!((read, &bytes[..8]), (Ok(8), b"liblinux".as_slice()));
    // SAFETY: no other code has the descriptor.
    assert_eq!(unsafe { vdso.close(descriptor) }, Ok(0));
    // SAFETY: as for the first path.
    let error = unsafe { vdso.openat(-100, c"/nonesuch".as_ptr(), 0, 0) }.unwrap_err();
    assert_eq!(error, Errno::ENOENT);
    // SAFETY: the kernel looks at the pointer before it writes.
    let error = unsafe { vdso.fstat(file.as_raw_fd(), 8 as *mut _) }.unwrap_err();
    assert_eq!(error, Errno::EFAULT);
}

#[test]
fn calls_by_our_image() {
    let (_image, vdso) = ours();
    use_files(&vdso);
    // SAFETY: changes nothing.
    assert_eq!(unsafe { vdso.getpid() }, Ok(std::process::id().cast_signed()));
    // The slot of a legacy call, and one with six parameters.
    let page = liblinux_abi::image::layout::PAGE_SIZE;
    // SAFETY: a new private mapping at a place that the kernel chooses (PROT_READ, MAP_PRIVATE |
    // MAP_ANONYMOUS).
    let mapping = unsafe { vdso.mmap(0, page as u64, 1, 0x22, -1, 0) }.unwrap();
    assert!(mapping.is_multiple_of(page));
    // SAFETY: no code uses the mapping.
    assert_eq!(unsafe { vdso.munmap(mapping as u64, page) }, Ok(0));
}

#[test]
fn the_kernels_own_image_has_the_standard_functions_alone() {
    let vdso = Vdso::find().expect("this kernel has a vDSO");
    if vdso.missing().count() == 0 {
        // This kernel has our image.
        return use_files(&vdso);
    }
    let mut time = [0_i64; 2];
    // SAFETY: the kernel's timespec is two words.
    assert_eq!(unsafe { vdso.clock_gettime(1, time.as_mut_ptr().cast()) }, Ok(0));
    assert!(time[0] > 0);
    // SAFETY: changes nothing.
    assert_eq!(unsafe { vdso.getpid() }, Err(Errno::NO_ENTRY));
    assert_eq!(vdso.pin_origin(), Err(Errno::NO_ENTRY));
    assert!(vdso.missing().any(|call| call == Call::getpid));
    let vdso = vdso.or_syscall();
    use_files(&vdso);
    assert_eq!(
        vdso.pin_origin(),
        Err(Errno::NO_ENTRY),
        "pinned, its calls by the bare instruction would kill it"
    );
}

#[test]
fn no_image_is_an_error_that_says_so() {
    // SAFETY: 0 is allowed.
    let error = unsafe { Vdso::at(0) }.unwrap_err();
    assert_eq!(error, Unfit::Missing);
    assert!(error.to_string().contains("AT_SYSINFO_EHDR"));
    // SAFETY: changes nothing.
    assert_eq!(unsafe { Vdso::none().getpid() }, Err(Errno::NO_ENTRY));
    use_files(&Vdso::none().or_syscall());
    // An image of another kind: this page has no ELF header.
    let page = Image::map(vec![0; 4096]);
    // SAFETY: mapped and readable.
    let error = unsafe { Vdso::at(page.base()) }.unwrap_err();
    assert!(error.to_string().contains("does not begin"), "{error}");
    // SAFETY: not read, as it is not the start of a page.
    let error = unsafe { Vdso::at(page.base() + 16) }.unwrap_err();
    assert!(error.to_string().contains("page"), "{error}");
}

#[test]
fn the_initial_stack_leads_to_the_image() {
    let image = Image::load();
    // One argument, one variable, and the vector.
    let stack = [1, 0x1000, 0, 0x2000, 0, liblinux::auxv::AT_SYSINFO_EHDR, image.base(), 0, 0];
    // SAFETY: laid out as an initial stack.
    let vdso = unsafe { Vdso::from_stack(stack.as_ptr()) }.unwrap();
    assert_eq!(vdso.base(), image.base());
}
