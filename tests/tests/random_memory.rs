//! What `__vdso_getrandom` leaves behind, and what it does with memory that it cannot access.
//!
//! Nothing but the kernel of a process looks into an image's `__ex_table`, and only into that of
//! its own vDSO. So the test of bad pointers has a signal handler do what the kernel would.

#![expect(unsafe_code, reason = "looks at registers and the stack, handles faults")]

use iced_x86::{Decoder, DecoderOptions, Instruction, InstructionInfoFactory, OpAccess, Register};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::random::{PROBE, Parameters, State};
use liblinux_tests::image::Image;
use liblinux_tests::random::{BATCH_SIZE, Entry, GENERATION, STATE_SIZE, Setup, seeded};
use nix::libc;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use std::arch::asm;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ptr::{NonNull, null_mut};
use std::sync::OnceLock;

const EFAULT: isize = -14;

/// What a call left in the vector registers and below the stack pointer.
#[repr(C)]
struct Left {
    vectors: [[u8; 32]; 16],
    stack: [u8; 1024],
}

/// Calls with the vector registers zero and the stack below filled with a pattern.
#[target_feature(enable = "avx")]
fn observed(entry: Entry, buffer: *mut u8, len: usize, state: *mut State) -> (isize, Left) {
    let mut left = Left { vectors: [[0; 32]; 16], stack: [0; 1024] };
    let arguments = [buffer.expose_provenance(), len, state.expose_provenance(), entry as usize];
    let result;
    // SAFETY: calls a C function and stores into `left`; everything that is changed is declared.
    unsafe {
        asm!(
            "lea rdi, [rsp - 1024]",
            "mov ecx, 1024",
            "mov al, 0x5a",
            "rep stosb",
            "vzeroall",
            "mov rdi, [r12]",
            "mov rsi, [r12 + 8]",
            "xor edx, edx",
            "mov rcx, [r12 + 16]",
            "mov r8d, {state_size}",
            "call [r12 + 24]",
            "mov r8, rax",
            ".irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
            "vmovdqu [r13 + 32 * \\i], ymm\\i",
            ".endr",
            "lea rsi, [rsp - 1024]",
            "lea rdi, [r13 + 512]",
            "mov ecx, 1024",
            "rep movsb",
            state_size = const STATE_SIZE,
            in("r12") arguments.as_ptr(), // Registers that a function keeps.
            in("r13") &raw mut left,
            lateout("r8") result,
            clobber_abi("C"),
        );
    }
    (result, left)
}

#[test]
fn no_secret_is_left_in_registers_or_on_the_stack() {
    if !is_x86_feature_detected!("avx") {
        panic!("this test looks at registers that need AVX");
    }
    for setup in Setup::all() {
        for len in [1, 16, 64, 65, 128, 200, 256, 300, 383, 384, 385, 1024, 5000] {
            let before = seeded();
            setup.write(0, before);
            let mut buffer = vec![0; len];
            // SAFETY: AVX was detected.
            let (result, left) =
                unsafe { observed(setup.entry(), buffer.as_mut_ptr(), buffer.len(), setup.at(0)) };
            assert_eq!(result, len.cast_signed());
            assert!(
                left.vectors.iter().flatten().all(|byte| *byte == 0),
                "vector registers after {len} bytes"
            );
            let after = setup.read(0);
            let words = before.key.iter().chain(&after.key).map(|word| word.to_le_bytes());
            let batch = after.batch.as_chunks().0.iter().copied().filter(|bytes| *bytes != [0; 4]);
            for word in
                words.chain(batch).filter(|word| word.iter().filter(|byte| **byte == 0).count() < 2)
            {
                let found = left.stack.windows(4).position(|window| *window == word);
                assert_eq!(found, None, "{word:x?} below the stack after {len} bytes");
            }
        }
        // The observation can fail: the stack does hold what the function saved there.
        let mut buffer = [0; 1];
        // SAFETY: AVX was detected.
        let (_, left) =
            unsafe { observed(setup.entry(), buffer.as_mut_ptr(), buffer.len(), setup.at(0)) };
        assert!(left.stack.iter().any(|byte| *byte != 0x5a), "the stack was not looked at");
    }
}

/// The pairs of the image's `__ex_table`: the addresses of an instruction and of its landing.
fn exceptions(elf: &object::File<'_>) -> BTreeMap<u64, u64> {
    let table = elf.section_by_name("__ex_table").expect("a table");
    let offset =
        |bytes: &[u8]| i64::from(i32::from_le_bytes(*bytes.first_chunk().expect("four bytes")));
    let place = |bytes: &[u8]| table.address().wrapping_add_signed(offset(bytes));
    let entries = table.data().expect("the table's bytes").as_chunks::<8>().0;
    entries.iter().map(|entry| (place(entry), place(&entry[4..]))).collect()
}

/// The instructions of the functions whose names contain one of `words`.
fn decoded(elf: &object::File<'_>, words: &[&str]) -> Vec<(String, Instruction)> {
    let text = elf.section_by_name(".text").expect("text");
    let code = text.data().expect("the text's bytes");
    let functions = elf.symbols().filter(|symbol| {
        let name = symbol.name().expect("a name");
        symbol.kind() == object::SymbolKind::Text
            && text.address() <= symbol.address()
            && symbol.size() > 0
            && words.iter().any(|word| name.contains(word))
    });
    let instructions = functions.flat_map(|symbol| {
        let start = usize::try_from(symbol.address() - text.address()).expect("a place");
        let bytes = &code[start..start + usize::try_from(symbol.size()).expect("a size")];
        let decoder = Decoder::with_ip(64, bytes, symbol.address(), DecoderOptions::NONE);
        let name = symbol.name().expect("a name").to_owned();
        decoder.into_iter().map(|found| (name.clone(), found)).collect::<Vec<_>>()
    });
    instructions.collect()
}

/// Whether an instruction accesses memory that is neither the image's, nor a data page, nor the
/// stack.
fn accesses_user(instruction: &Instruction, is_access: impl Fn(OpAccess) -> bool) -> bool {
    let mut factory = InstructionInfoFactory::new();
    let used = factory.info(instruction).used_memory().to_vec();
    used.iter().any(|memory| {
        !matches!(memory.base(), Register::RIP | Register::RSP | Register::None)
            && is_access(memory.access())
    })
}

#[test]
fn every_access_to_the_callers_memory_is_in_the_exception_table() {
    let file = Image::read_debug();
    let elf = object::File::parse(file.as_slice()).expect("an ELF image");
    let guarded = exceptions(&elf);
    let reads_or_writes = |access| !matches!(access, OpAccess::None | OpAccess::NoMemAccess);
    let writes =
        |access| reads_or_writes(access) && !matches!(access, OpAccess::Read | OpAccess::CondRead);
    // Compiled code also reads the data page through a register, so there only what writes is the
    // caller's for sure.
    let chacha = decoded(&elf, &["chacha_generate"]);
    let chacha = chacha.iter().filter(|(_, found)| accesses_user(found, reads_or_writes));
    let random = decoded(&elf, &["__vdso_getrandom", "liblinux_image6random"]);
    let random = random
        .iter()
        .filter(|(name, found)| !name.ends_with(".fallback") && accesses_user(found, writes));
    let accesses: Vec<_> = chacha.chain(random).collect();
    assert!(accesses.len() > 50, "only {} accesses were seen", accesses.len());
    for (name, instruction) in accesses {
        assert!(
            guarded.contains_key(&instruction.ip()),
            "{name}: {instruction} at {:#x}",
            instruction.ip()
        );
    }
}

/// Instructions and landings of the images of the test below, where they are in memory.
static LANDINGS: OnceLock<BTreeMap<u64, u64>> = OnceLock::new();

/// What the kernel's `fixup_vdso_exception` does before there is a signal.
extern "C" fn land(signal: libc::c_int, _: *const libc::siginfo_t, context: *mut libc::ucontext_t) {
    // SAFETY: the kernel gave it to this handler.
    let registers = unsafe { &mut (*context).uc_mcontext.gregs };
    let mut set = |register: libc::c_int, value| registers[register as usize] = value;
    let (trap, error, address) = (14, 6, 0x7777);
    set(libc::REG_RDI, trap);
    set(libc::REG_RSI, error);
    set(libc::REG_RDX, address);
    let ip = &mut registers[libc::REG_RIP as usize];
    match LANDINGS.get().and_then(|landings| landings.get(&ip.cast_unsigned())) {
        Some(landing) => *ip = landing.cast_signed(),
        // SAFETY: the fault happens again, and ends the process.
        None => unsafe {
            libc::signal(signal, libc::SIG_DFL);
        },
    }
}

/// Has faults in these images land as on a kernel that has them for its own.
fn handle_faults(setups: &[Setup]) {
    let file = Image::read_debug();
    let table = exceptions(&object::File::parse(file.as_slice()).expect("an ELF image"));
    let landings = setups.iter().flat_map(|setup| {
        let base = setup.image.base() as u64;
        table.iter().map(move |(instruction, landing)| (base + instruction, base + landing))
    });
    LANDINGS.set(landings.collect()).expect("one test at work");
    // SAFETY: all zeros is a valid value of the C struct.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = (land as extern "C" fn(_, _, _)) as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: the handler changes registers alone, and only for faults in the images of this
        // test.
        assert_eq!(unsafe { libc::sigaction(signal, &raw const action, null_mut()) }, 0);
    }
}

#[test]
fn bad_pointers_are_answered_with_efault() {
    let setups = Setup::all();
    handle_faults(&setups);
    let (size, access) = (
        NonZeroUsize::new(2 * PAGE_SIZE).expect("not zero"),
        ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
    );
    // SAFETY: a new mapping, at a place that the kernel chooses.
    let pages = unsafe { mmap_anonymous(None, size, access, MapFlags::MAP_PRIVATE) }
        .expect("two pages")
        .cast::<u8>();
    let edge = pages.as_ptr().wrapping_add(PAGE_SIZE);
    let nowhere =
        [0, 1 << 63, 0x0000_8000_0000_0000, 0xffff_8880_0000_0000, edge.expose_provenance()];
    for setup in &setups {
        for protection in [ProtFlags::PROT_NONE, ProtFlags::PROT_READ] {
            // SAFETY: no other code uses the page.
            unsafe { mprotect(NonNull::new(edge).expect("a page").cast(), PAGE_SIZE, protection) }
                .expect("a page");
            let ends = [1, 2, 3, 7, 8, 15, 63, 64, 65, 191, 192, 193, 385]
                .map(|left| edge.wrapping_sub(left));
            let bad = nowhere.map(std::ptr::with_exposed_provenance_mut);
            for (buffer, len) in bad.into_iter().chain(ends).flat_map(|buffer| {
                [1, 2, 3, 4, 8, 9, 17, 50, 96, 97, 160, 200, 300, 1000].map(|len| (buffer, len))
            }) {
                if buffer.addr() < edge.addr()
                    && buffer.addr() + len > pages.addr().get()
                    && buffer.addr() + len <= edge.addr()
                {
                    continue; // A good one.
                }
                for pos in [0, 30, BATCH_SIZE] {
                    setup.write(0, State { pos: pos as u8, ..seeded() });
                    // SAFETY: AVX is asked for in the test of the registers.
                    let (result, left) =
                        unsafe { observed(setup.entry(), buffer, len, setup.at(0)) };
                    let place = format!("{len} bytes at {buffer:?}, batch from {pos}");
                    assert_eq!(result, EFAULT, "{place}");
                    assert!(
                        left.vectors.iter().flatten().all(|byte| *byte == 0),
                        "vector registers after {place}"
                    );
                    let after = setup.read(0);
                    assert_eq!(
                        (after.in_use, after.generation, after.key),
                        (0, 0, [0; 8]),
                        "{place}"
                    );
                }
            }
            // The state is usable, with another key.
            assert_eq!(setup.call(100, 0).0, 100);
            assert_eq!(setup.read(0).generation, GENERATION);

            let mut buffer = [0_u8; 1000];
            for state in nowhere.map(std::ptr::with_exposed_provenance_mut) {
                for len in [1, 16, 96, 97, 1000] {
                    let result = (setup.entry())(buffer.as_mut_ptr(), len, 0, state, STATE_SIZE);
                    assert_eq!(result, EFAULT, "{len} bytes from a state at {state:?}");
                }
                assert_eq!(
                    (setup.entry())(null_mut(), 0, 0, state, PROBE),
                    EFAULT,
                    "the probe with {state:?}"
                );
            }
            let across = edge.wrapping_sub(size_of::<Parameters>() - 8).cast();
            assert_eq!(
                (setup.entry())(null_mut(), 0, 0, across, PROBE),
                EFAULT,
                "the probe across pages"
            );
        }
    }
}
