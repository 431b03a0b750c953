//! Socket options that `socket2` does not know.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Sets the integer option `name` of `level`.
pub(crate) fn set(socket: &impl AsFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    let len = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the kernel reads `len` octets of a live integer; the descriptor is open.
    match unsafe { libc::setsockopt(socket.as_fd().as_raw_fd(), level, name, (&raw const value).cast(), len) }
    {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Reads the option `name` of `level` into `value`, of which the kernel may leave a tail untouched.
pub(crate) fn get<const N: usize>(
    socket: &impl AsFd,
    level: i32,
    name: i32,
    value: &mut [u32; N],
) -> io::Result<()> {
    let mut len = size_of_val(value) as libc::socklen_t;
    let start = value.as_mut_ptr().cast();
    // SAFETY: the kernel writes at most `len` octets, the size of the borrowed array; the descriptor is open.
    match unsafe { libc::getsockopt(socket.as_fd().as_raw_fd(), level, name, start, &raw mut len) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Asks for a receive buffer of so many octets, past the sysctl limit if we may, and up to it if not; 0
/// leaves the system's default.
pub(crate) fn enlarge_receive_buffer(socket: &impl AsFd, octets: usize) -> io::Result<()> {
    enlarge(socket, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, octets)
}

/// As [`enlarge_receive_buffer`], for the send buffer.
pub(crate) fn enlarge_send_buffer(socket: &impl AsFd, octets: usize) -> io::Result<()> {
    enlarge(socket, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, octets)
}

fn enlarge(socket: &impl AsFd, force: i32, plain: i32, octets: usize) -> io::Result<()> {
    if octets == 0 {
        return Ok(());
    }
    let octets = i32::try_from(octets).unwrap_or(i32::MAX / 2).min(i32::MAX / 2); // the kernel doubles it
    set(socket, libc::SOL_SOCKET, force, octets).or_else(|_| set(socket, libc::SOL_SOCKET, plain, octets))
}
