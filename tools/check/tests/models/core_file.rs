//! A core file of a process that has the image for its vDSO: what gdb needs of one.

/// Where the image lies in the process.
pub(crate) const PLACE: u64 = 0x2000_0000_0000;

/// Bytes of the ELF header and of a program header.
const HEADER: usize = 64;
const SEGMENT: usize = 56;

/// The core file.
pub(crate) fn of(image: &[u8]) -> Vec<u8> {
    let notes = notes();
    let notes_at = HEADER + 2 * SEGMENT;
    let image_at = (notes_at + notes.len()).next_multiple_of(4096);
    let size = image.len().next_multiple_of(4096);
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let half = |file: &mut Vec<u8>, number: u16| file.extend(number.to_le_bytes());
    let word = |file: &mut Vec<u8>, number: u32| file.extend(number.to_le_bytes());
    let long = |file: &mut Vec<u8>, number: usize| file.extend((number as u64).to_le_bytes());
    // ET_CORE, EM_X86_64, EV_CURRENT, no entry; the program headers follow.
    half(&mut file, 4);
    half(&mut file, 62);
    word(&mut file, 1);
    [0, HEADER, 0].iter().for_each(|number| long(&mut file, *number));
    word(&mut file, 0);
    [HEADER, SEGMENT, 2, 64, 0, 0].iter().for_each(|number| half(&mut file, *number as u16));
    // PT_NOTE and PT_LOAD: type, flags, offset, addresses, sizes, alignment.
    for (kind, flags, offset, address, size, alignment) in
        [(4, 0, notes_at, 0, notes.len(), 4), (1, 5, image_at, PLACE as usize, size, 4096)]
    {
        word(&mut file, kind);
        word(&mut file, flags);
        [offset, address, 0, size, size, alignment]
            .iter()
            .for_each(|number| long(&mut file, *number));
    }
    file.extend(&notes);
    file.resize(image_at, 0);
    file.extend(image);
    file.resize(image_at + size, 0);
    file
}

/// Registers of one thread, all zero, and the auxiliary vector.
fn notes() -> Vec<u8> {
    const NT_PRSTATUS: u32 = 1;
    const NT_AUXV: u32 = 6;
    const AT_SYSINFO_EHDR: u64 = 33;
    let mut registers = vec![0; 336];
    registers[32] = 1; // The thread's number.
    let vector: Vec<u8> =
        [AT_SYSINFO_EHDR, PLACE, 0, 0].iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut notes = Vec::new();
    for (kind, bytes) in [(NT_PRSTATUS, registers), (NT_AUXV, vector)] {
        for word in [5, bytes.len() as u32, kind] {
            notes.extend(word.to_le_bytes());
        }
        notes.extend(b"CORE\0\0\0\0");
        notes.extend(bytes);
        notes.resize(notes.len().next_multiple_of(4), 0);
    }
    notes
}
