// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! System V IPC: the calls, and the one call that used to be all of them.
//!
//! Structures that describe a set, a queue or a segment (`IPC_STAT`, `IPC_SET`, `IPC_INFO` and
//! their like) are not converted: these commands are `EINVAL`.

use super::control_message::copy_bytes;
use super::time::Form;
use crate::call::{Outcome, native};
use crate::frame::Frame;
use crate::memory::{self, place_if, with_area};
use liblinux_abi::kernel::errno::{EINVAL, ENOSYS};

/// `IPC_64`, which says that a structure has the newer layout.
const IPC_64: u32 = 0x100;
/// `IPC_RMID`.
const REMOVE: u32 = 0;

/// `ipc`.
pub(crate) fn ipc(frame: &Frame) -> Outcome {
    let [call, first, second, third, pointer, fifth] =
        [0, 1, 2, 3, 4, 5].map(|index| frame.argument(index));
    match call & 0xffff {
        1 => native!(semop, first, pointer, second),
        2 => native!(semget, first, second, third),
        3 => semaphores(first, second, third, memory::read(pointer)?),
        4 => {
            let mut time = Form::Narrow.read(fifth)?;
            native!(semtimedop, first, pointer, second, place_if(&mut time))
        }
        11 => send(first, pointer, second, third),
        12 if call >> 16 == 0 => {
            let [message, kind] = memory::read::<[u32; 2]>(pointer)?;
            receive(first, message, second, kind, third)
        }
        12 => receive(first, pointer, second, fifth, third),
        13 => native!(msgget, first, second),
        14 => queue(first, second),
        21 if call >> 16 == 1 => Err(EINVAL),
        21 => {
            let address = native!(shmat, first, pointer, second)?;
            memory::write(third, address as u32)?;
            Ok(0)
        }
        22 => native!(shmdt, pointer),
        23 => native!(shmget, first, second, third),
        24 => segment(first, second),
        _ => Err(ENOSYS),
    }
}

/// `semctl`.
pub(crate) fn semctl(frame: &Frame) -> Outcome {
    let [set, index, command, value] = [0, 1, 2, 3].map(|index| frame.argument(index));
    semaphores(set, index, command, value)
}

/// `semtimedop_time64`.
pub(crate) fn semtimedop64(frame: &Frame) -> Outcome {
    let mut time = Form::Wide.read(frame.argument(3))?;
    native!(semtimedop, frame.long(0), frame.long(1), frame.long(2), place_if(&mut time))
}

/// `msgctl`.
pub(crate) fn msgctl(frame: &Frame) -> Outcome {
    queue(frame.argument(0), frame.argument(1))
}

/// `shmctl`.
pub(crate) fn shmctl(frame: &Frame) -> Outcome {
    segment(frame.argument(0), frame.argument(1))
}

/// `msgsnd`.
pub(crate) fn msgsnd(frame: &Frame) -> Outcome {
    let [queue, message, size, flags] = [0, 1, 2, 3].map(|index| frame.argument(index));
    send(queue, message, size, flags)
}

/// `msgrcv`.
pub(crate) fn msgrcv(frame: &Frame) -> Outcome {
    let [queue, message, size, kind, flags] = [0, 1, 2, 3, 4].map(|index| frame.argument(index));
    receive(queue, message, size, kind, flags)
}

/// Values, waiters, the last process, all values, removal.
fn semaphores(set: u32, index: u32, command: u32, value: u32) -> Outcome {
    match command & !IPC_64 {
        REMOVE | 11..=17 => native!(semctl, set, index, command & !IPC_64, value),
        _ => Err(EINVAL),
    }
}

fn queue(queue: u32, command: u32) -> Outcome {
    match command & !IPC_64 {
        REMOVE => native!(msgctl, queue, REMOVE, 0),
        _ => Err(EINVAL),
    }
}

/// Removal, locking.
fn segment(segment: u32, command: u32) -> Outcome {
    match command & !IPC_64 {
        REMOVE | 11 | 12 => native!(shmctl, segment, command & !IPC_64, 0),
        _ => Err(EINVAL),
    }
}

/// The largest message of a queue is set in `/proc/sys/kernel/msgmax`; this is what is taken here.
const MOST: u32 = 0x1_0000;

/// A message begins with its kind, a `long`.
fn send(queue: u32, message: u32, size: u32, flags: u32) -> Outcome {
    if size > MOST {
        return Err(EINVAL);
    }
    let kind = i64::from(memory::read::<i32>(message)?);
    with_area(size as usize + 8, |area| {
        let area = area.expose_provenance() as u32;
        memory::write(area, kind)?;
        copy_bytes(area + 8, message.wrapping_add(4), size)?;
        native!(msgsnd, queue, area, size, flags)
    })
}

fn receive(queue: u32, message: u32, size: u32, kind: u32, flags: u32) -> Outcome {
    if size.cast_signed() < 0 {
        return Err(EINVAL);
    }
    let size = size.min(MOST);
    with_area(size as usize + 8, |area| {
        let area = area.expose_provenance() as u32;
        let kind = crate::frame::extend(kind);
        let len = native!(msgrcv, queue, area, size, kind, flags)?;
        memory::write(message, memory::read::<u64>(area)? as u32)?;
        copy_bytes(message.wrapping_add(4), area + 8, len as u32)?;
        Ok(len)
    })
}
