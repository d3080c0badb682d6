// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Sockets: one call for all of them, messages, and options with times.

use super::control_message::{narrow_control, room, widen_control};
use super::time::{Time32, Time64};
use super::vector;
use crate::call::{Outcome, native};
use crate::frame::Frame;
use crate::memory::{self, Plain as _, place, structures, with_area};
use liblinux_abi::kernel::errno::{EINVAL, EMSGSIZE, ENOBUFS};

/// `socketcall`.
pub(crate) fn socketcall(frame: &Frame) -> Outcome {
    /// How many arguments each has.
    const COUNTS: [u32; 21] = [0, 3, 3, 3, 2, 3, 3, 3, 4, 4, 4, 6, 6, 2, 5, 5, 3, 3, 4, 5, 4];
    let call = frame.argument(0);
    let count = COUNTS.get(call as usize).copied().filter(|count| *count > 0).ok_or(EINVAL)?;
    let mut arguments = [0_u32; 6];
    for (index, argument) in (0..count).zip(&mut arguments) {
        *argument = memory::read(frame.argument(1).wrapping_add(index * 4))?;
    }
    let [a, b, c, d, e, f] = arguments;
    match call {
        1 => native!(socket, a, b, c),
        2 => native!(bind, a, b, c),
        3 => native!(connect, a, b, c),
        4 => native!(listen, a, b),
        5 => native!(accept, a, b, c),
        6 => native!(getsockname, a, b, c),
        7 => native!(getpeername, a, b, c),
        8 => native!(socketpair, a, b, c, d),
        9 => native!(sendto, a, b, c, d, 0, 0),
        10 => native!(recvfrom, a, b, c, d, 0, 0),
        11 => native!(sendto, a, b, c, d, e, f),
        12 => native!(recvfrom, a, b, c, d, e, f),
        13 => native!(shutdown, a, b),
        14 => set_option([a, b, c, d, e]),
        15 => get_option([a, b, c, d, e]),
        16 => send(a, b, c),
        17 => receive(a, b, c),
        18 => native!(accept4, a, b, c, d),
        19 => receive_many([a, b, c, d, e], super::time::Form::Narrow),
        _ => send_many(a, b, c, d),
    }
}

/// `setsockopt`.
pub(crate) fn setsockopt(frame: &Frame) -> Outcome {
    set_option([0, 1, 2, 3, 4].map(|index| frame.argument(index)))
}

/// `getsockopt`.
pub(crate) fn getsockopt(frame: &Frame) -> Outcome {
    get_option([0, 1, 2, 3, 4].map(|index| frame.argument(index)))
}

/// `sendmsg`.
pub(crate) fn sendmsg(frame: &Frame) -> Outcome {
    send(frame.argument(0), frame.argument(1), frame.argument(2))
}

/// `recvmsg`.
pub(crate) fn recvmsg(frame: &Frame) -> Outcome {
    receive(frame.argument(0), frame.argument(1), frame.argument(2))
}

/// `sendmmsg`.
pub(crate) fn sendmmsg(frame: &Frame) -> Outcome {
    let [file, list, count, flags] = [0, 1, 2, 3].map(|index| frame.argument(index));
    send_many(file, list, count, flags)
}

/// `recvmmsg` with 32 bits.
pub(crate) fn recvmmsg(frame: &Frame) -> Outcome {
    let arguments = [0, 1, 2, 3, 4].map(|index| frame.argument(index));
    receive_many(arguments, super::time::Form::Narrow)
}

/// `recvmmsg_time64`.
pub(crate) fn recvmmsg64(frame: &Frame) -> Outcome {
    let arguments = [0, 1, 2, 3, 4].map(|index| frame.argument(index));
    receive_many(arguments, super::time::Form::Wide)
}

/// `SOL_SOCKET`.
pub(super) const SOL_SOCKET: u32 = 1;
/// `SO_RCVTIMEO` and `SO_SNDTIMEO` with a `struct timeval`.
const TIMES: [u32; 2] = [20, 21];
/// `SO_ATTACH_FILTER` and `SO_ATTACH_REUSEPORT_CBPF`: a length, and the address of a program.
const PROGRAMS: [u32; 2] = [26, 51];

fn set_option([file, level, option, value, len]: [u32; 5]) -> Outcome {
    if level == SOL_SOCKET && TIMES.contains(&option) {
        // The kernel reads an `int` first, whatever the option.
        memory::read::<u32>(value)?;
        if (len as usize) < size_of::<Time32>() {
            return Err(EINVAL);
        }
        let mut time = memory::read::<Time32>(value)?.wide();
        return native!(setsockopt, file, level, option, place(&mut time), size_of::<Time64>());
    }
    if level == SOL_SOCKET && PROGRAMS.contains(&option) {
        if len as usize != 8 {
            return Err(EINVAL);
        }
        let [count, program] = memory::read::<[u32; 2]>(value)?;
        let mut program = [u64::from(count & 0xffff), u64::from(program)];
        return native!(setsockopt, file, level, option, place(&mut program), 16);
    }
    native!(setsockopt, file, level, option, value, len)
}

fn get_option([file, level, option, value, len_at]: [u32; 5]) -> Outcome {
    if level == SOL_SOCKET && TIMES.contains(&option) {
        let room = memory::read::<u32>(len_at)?;
        let mut time = Time64::ZERO;
        let mut len = size_of::<Time64>() as u32;
        native!(getsockopt, file, level, option, place(&mut time), place(&mut len))?;
        if (room as usize) < size_of::<Time32>() {
            return Err(EINVAL);
        }
        memory::write(value, time.narrow())?;
        memory::write(len_at, size_of::<Time32>() as u32)?;
        return Ok(0);
    }
    native!(getsockopt, file, level, option, value, len_at)
}

structures! {
    /// `struct msghdr` with 32 bits.
    #[repr(C)]
    struct Message32 {
        name: u32,
        name_len: u32,
        list: u32,
        count: u32,
        control: u32,
        control_len: u32,
        flags: u32,
    }
    /// The 64-bit `struct msghdr`.
    #[repr(C)]
    struct Message64 {
        name: u64,
        name_len: u64,
        list: u64,
        count: u64,
        control: u64,
        control_len: u64,
        flags: u64,
    }
}

/// Bytes of control messages that are taken at once.
const MOST_CONTROL: u32 = 0x1_0000;

fn with_message(message: &Message32, call: impl FnOnce(&mut Message64, u32) -> Outcome) -> Outcome {
    let Message32 { name, name_len, list, count, control, control_len, flags } = *message;
    if count > vector::MOST {
        return Err(EMSGSIZE);
    }
    if control_len > MOST_CONTROL {
        return Err(ENOBUFS);
    }
    let room = if control == 0 { 0 } else { room(control_len) };
    let lists = count * vector::ENTRY_64 as u32;
    with_area((lists + room) as usize, |area| {
        let area = area.expose_provenance() as u32;
        vector::widen(list, count, area)?;
        let mut wide = Message64 {
            name: name.into(),
            name_len: name_len.into(),
            list: area.into(),
            count: count.into(),
            control: if room == 0 { 0 } else { (area + lists).into() },
            control_len: room.into(),
            flags: flags.into(),
        };
        call(&mut wide, room)
    })
}

fn send(file: u32, address: u32, flags: u32) -> Outcome {
    let message = memory::read::<Message32>(address)?;
    with_message(&message, |wide, room| {
        if room != 0 {
            let area = wide.control as u32;
            let len = widen_control(message.control, message.control_len, area, room)?;
            wide.control_len = len.into();
        }
        native!(sendmsg, file, place(wide), flags)
    })
}

fn receive(file: u32, address: u32, flags: u32) -> Outcome {
    const MSG_CTRUNC: u32 = 8;
    let mut message = memory::read::<Message32>(address)?;
    with_message(&message.clone(), |wide, room| {
        let area = wide.control as u32;
        let result = native!(recvmsg, file, place(wide), flags)?;
        let (len, is_cut) = if room == 0 {
            (0, false)
        } else {
            let filled = wide.control_len as u32;
            narrow_control(area, filled, message.control, message.control_len)?
        };
        message.name_len = wide.name_len as u32;
        message.control_len = len;
        message.flags = wide.flags as u32 | if is_cut { MSG_CTRUNC } else { 0 };
        memory::write(address, message)?;
        Ok(result)
    })
}

/// Bytes of `struct mmsghdr` with 32 bits: a message, and its length.
const MANY_SIZE: u32 = size_of::<Message32>() as u32 + 4;

/// One message after the other; an error counts only for the first one.
fn many(list: u32, count: u32, mut one: impl FnMut(u32, u32) -> Outcome) -> Outcome {
    let mut done = 0;
    for index in 0..count.min(vector::MOST) {
        let at = list.wrapping_add(index * MANY_SIZE);
        match one(at, index) {
            Ok(len) => memory::write(at.wrapping_add(MANY_SIZE - 4), len as u32)?,
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
        done += 1;
    }
    Ok(done)
}

fn send_many(file: u32, list: u32, count: u32, flags: u32) -> Outcome {
    many(list, count, |at, _| send(file, at, flags))
}

/// The time limits only how long the first message is waited for; the kernel looks at it between
/// messages, of which all but the first are taken here only if they are there.
fn receive_many([file, list, count, flags, time]: [u32; 5], form: super::time::Form) -> Outcome {
    const MSG_DONTWAIT: u32 = 0x40;
    const MSG_WAITFORONE: u32 = 0x1_0000;
    let time = form.read(time)?;
    let once = flags & MSG_WAITFORONE != 0 || time.is_some();
    many(list, count, |at, index| {
        let wait = if index > 0 && once { MSG_DONTWAIT } else { 0 };
        receive(file, at, flags & !MSG_WAITFORONE | wait)
    })
}
