//! Images from everywhere: standard input, processes, folders, kernels, packages. Kernels and
//! packages are made here, small, round the image, and packed by the programs that kernels are
//! packed with.

#[path = "specimen/mod.rs"]
mod specimen;

use liblinux_check::source::Source;
use specimen::Specimen;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The image behind some megabytes of other things, as in `vmlinux`, and the image.
fn kernel() -> (Vec<u8>, Vec<u8>) {
    let image = Specimen::good().image.bytes;
    // It packs to some half, as kernels do: what packs to next to nothing is refused, and so is a
    // payload that unpacks to less than itself.
    let words = (0..1u64 << 17).flat_map(|word| (word * word).to_le_bytes().repeat(3));
    let mut kernel: Vec<u8> = words.collect();
    let noise = std::iter::successors(Some(1u64), |word| {
        Some(word.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1))
    });
    kernel.extend(noise.take(1 << 18).flat_map(u64::to_le_bytes));
    kernel.resize(kernel.len().next_multiple_of(4096), 0);
    kernel.extend(&image);
    kernel.extend([0x5a; 10_000]);
    (kernel, image)
}

/// The one image of a file with these bytes.
fn found_in(name: &str, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join(name);
    fs::write(&path, bytes).expect("write the file");
    let mut found = Source::Path(path).images()?;
    assert_eq!(found.len(), 1, "{name}");
    Ok(found.remove(0).bytes)
}

/// What a program makes of its input; none if it is not installed.
fn packed(program: &str, arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let directory = tempfile::tempdir().expect("a directory");
    let (from, to) = (directory.path().join("in"), directory.path().join("out"));
    fs::write(&from, input).expect("write the input");
    let status = Command::new(program)
        .args(arguments)
        .stdin(File::open(&from).expect("the input"))
        .stdout(File::create(&to).expect("the output"))
        .stderr(Stdio::null())
        .status();
    if !status.is_ok_and(|status| status.success()) {
        println!("skipped: {program} is not installed");
        return None;
    }
    fs::read(to).ok()
}

/// QEMU's programs for Linux hold their images so.
#[test]
fn an_image_that_begins_at_no_page_is_taken_without_what_follows() {
    let (kernel, image) = kernel();
    let mut program = vec![0; 0x60];
    program.extend(kernel);
    let found = found_in("qemu-x86_64", &program).expect("an image");
    assert!(image.starts_with(&found), "not the image");
    // Its padding to a page is not taken to be its own.
    assert!(image[found.len()..].iter().all(|byte| [0, 0xcc].contains(byte)), "{}", found.len());
}

#[test]
fn kernels_of_every_compression_hold_the_image() {
    let (kernel, image) = kernel();
    assert!(found_in("vmlinux", &kernel).as_ref() == Ok(&image), "vmlinux");
    let mut tried = 0;
    for (program, arguments) in [
        ("gzip", &["-c"][..]),
        ("xz", &["--check=crc32", "-0", "-c"]),
        ("lzma", &["-0", "-c"]),
        ("zstd", &["-q", "-c"]),
        ("lz4", &["-l", "-c"]),
    ] {
        let Some(payload) = packed(program, arguments, &kernel) else { continue };
        tried += 1;
        assert!(found_in("vmlinuz", &payload).as_ref() == Ok(&image), "{program}");
        // x86's boot protocol tells where the payload is; behind it is its unpacked size.
        let mut boot = vec![0; 0x1000];
        boot[0x1f1] = 1;
        boot[0x202..0x206].copy_from_slice(b"HdrS");
        boot[0x248..0x24c].copy_from_slice(&0xc00u32.to_le_bytes());
        boot[0x24c..0x250].copy_from_slice(&(payload.len() as u32 + 4).to_le_bytes());
        boot.extend(&payload);
        boot.extend((kernel.len() as u32).to_le_bytes());
        boot.extend([0; 4096]);
        assert!(found_in("bzImage", &boot).as_ref() == Ok(&image), "bzImage of {program}");
        // EFI zboot, of arm64 and riscv64.
        let mut zboot = vec![0; 64];
        zboot[..2].copy_from_slice(b"MZ");
        zboot[4..8].copy_from_slice(b"zimg");
        zboot[8..12].copy_from_slice(&64u32.to_le_bytes());
        zboot[12..16].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        zboot.extend(&payload);
        assert!(found_in("Image.efi", &zboot).as_ref() == Ok(&image), "zboot of {program}");
    }
    assert!(tried > 0, "none of the programs is installed");
}

#[test]
fn packages_hold_images_or_a_kernel() {
    let (kernel, image) = kernel();
    let directory = tempfile::tempdir().expect("a directory");
    for (path, bytes) in [("usr/lib/modules/6/vdso/vdso64.so", &image), ("boot/vmlinuz-6", &kernel)]
    {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, path, bytes.as_slice()).expect("a member");
        let tar = tar.into_inner().expect("an archive");
        let mut package = b"!<arch>\n".to_vec();
        for (name, bytes) in [("debian-binary", &b"2.0\n"[..]), ("data.tar", &tar)] {
            let size = bytes.len();
            writeln!(package, "{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`", 0, 0, 0, 100_644)
                .expect("memory");
            package.extend(bytes);
        }
        let file = directory.path().join("kernel.deb");
        fs::write(&file, package).expect("write the package");
        let found = Source::Path(file).images().expect("an image");
        assert!(found.len() == 1 && found[0].bytes == image, "{path}");
    }
}

#[test]
fn folders_hold_images_with_their_twins() {
    let good = Specimen::good();
    let directory = tempfile::tempdir().expect("a directory");
    let home = directory.path().join("arch/x86/entry/vdso");
    fs::create_dir_all(&home).expect("folders");
    fs::write(home.join("vdso64.so"), &good.image.bytes).expect("write the image");
    fs::write(home.join("vdso64.so.dbg"), &good.debug.bytes).expect("write its twin");
    fs::write(home.join("other.so"), &good.image.bytes).expect("write another file");
    let found = Source::Path(directory.path().to_owned()).images().expect("an image");
    assert_eq!(found.len(), 1);
    assert!(found[0].debug.as_ref() == Some(&good.debug.bytes));
}

#[test]
fn this_process_and_its_number_are_one_source() {
    let own = Source::Own.images();
    let by_number = Source::Process(std::process::id()).images();
    match (own, by_number) {
        (Ok(own), Ok(by_number)) => assert!(own[0].bytes == by_number[0].bytes),
        (Err(own), Err(_)) => println!("skipped: {own}"),
        (own, by_number) => panic!("{} but {}", own.is_ok(), by_number.is_ok()),
    }
}

#[test]
fn standard_input_is_a_source() {
    let image = Specimen::good().image.bytes;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("image");
    fs::write(&path, image).expect("write the image");
    let output = Command::new(env!("CARGO_BIN_EXE_liblinux-check"))
        .arg("-")
        .stdin(File::open(path).expect("the image"))
        .output()
        .expect("the checker runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.starts_with("standard input:"), "{text}");
}

#[test]
fn what_holds_no_image_says_so() {
    let empty = tempfile::tempdir().expect("a directory");
    assert!(Source::Path(empty.path().into()).images().is_err());
    let payload = packed("gzip", &["-c"], &vec![7; 3 << 20]).expect("gzip is essential in Debian");
    for (name, bytes) in [
        ("a.gz", payload),
        ("truncated.deb", b"!<arch>\ndebian".to_vec()),
        ("MZ", vec![b'M', b'Z']),
    ] {
        let error = found_in(name, &bytes).expect_err(name);
        assert!(error.contains(name), "{error}");
    }
    assert!(Source::Path(Path::new("/no/such/file").into()).images().is_err());
}
