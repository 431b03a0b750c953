//! Socket options missing from `socket2`.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Sets the integer option `name` of `level`.
pub(crate) fn set(socket: &impl AsFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    let len = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the kernel reads `len` octets of a live integer; the descriptor is open.
    match unsafe { libc::setsockopt(socket.as_fd().as_raw_fd(), level, name, (&raw const value).cast(), len) }
    {
        0 => Ok(()),
        // The error of the calling thread must be read before any other call.
        _ => Err(io::Error::last_os_error()),
    }
}

/// Reads the option `name` of `level` into `value`; the kernel may leave a tail unchanged.
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

/// Requests a receive buffer of `bytes`, beyond the sysctl limit if permitted, else up to it; 0 leaves the
/// system's default.
pub(crate) fn enlarge_receive_buffer(socket: &impl AsFd, bytes: usize) -> io::Result<()> {
    enlarge(socket, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, bytes)
}

/// Requests a send buffer, as [`enlarge_receive_buffer`] does.
pub(crate) fn enlarge_send_buffer(socket: &impl AsFd, bytes: usize) -> io::Result<()> {
    enlarge(socket, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, bytes)
}

fn enlarge(socket: &impl AsFd, force: i32, plain: i32, bytes: usize) -> io::Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    // The kernel doubles the value in an int.
    let bytes = i32::try_from(bytes).unwrap_or(i32::MAX / 2).min(i32::MAX / 2); // the kernel doubles it
    // Forcing needs CAP_NET_ADMIN; without it the sysctl limit applies.
    set(socket, libc::SOL_SOCKET, force, bytes).or_else(|_| set(socket, libc::SOL_SOCKET, plain, bytes))
}
