//! Poller of several ports at once.
//!
//! It is an epoll set, in which silent ports cost nothing. The wait itself is a `ppoll` on the set:
//! `epoll_wait` counts in milliseconds, too coarse for a timetable, and `epoll_pwait2` needs a newer kernel.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::io::Errno;

/// Most ports that one poll reports; the next poll reports the others.
const READY_MAX: usize = 64;

/// A set of ports, identified by their index.
pub(super) struct PortPoller {
    set: OwnedFd,
    /// Indexes of the ports that the last wait found ready.
    ready: Vec<usize>,
}

impl PortPoller {
    /// Makes a poller of these ports; the index of each is its position.
    pub(super) fn new<'a>(ports: impl Iterator<Item = &'a (impl AsFd + 'a)>) -> io::Result<Self> {
        let set = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (place, port) in ports.enumerate() {
            // The index is the event's data, so no table is needed to find the port.
            epoll::add(&set, port, epoll::EventData::new_u64(place as u64), epoll::EventFlags::IN)?;
        }
        Ok(Self { set, ready: Vec::with_capacity(READY_MAX) })
    }

    /// Waits until a port is readable or has an error, at most `at_most`; a signal may end the wait, too.
    pub(super) fn wait(&mut self, at_most: Duration) -> io::Result<()> {
        // Often something is there already, which saves the system call of the wait.
        if self.look()? > 0 || at_most.is_zero() {
            return Ok(());
        }
        let at_most = Timespec::try_from(at_most).ok();
        match poll(&mut [PollFd::new(&self.set, PollFlags::IN)], at_most.as_ref()) {
            // A signal ends the wait, and the caller looks again.
            Err(Errno::INTR) => Ok(()),
            waited => waited.map(drop),
        }?;
        // Ready ports are found by a look of its own, since the wait tells only that there are some.
        self.look().map(drop)
    }

    /// Finds the ready ports without waiting.
    fn look(&mut self) -> io::Result<usize> {
        self.ready.clear();
        // A timeout of 0 returns at once.
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        // Uninitialised: the kernel writes as many as it reports.
        let mut events = [const { MaybeUninit::uninit() }; READY_MAX];
        match epoll::wait(&self.set, &mut events[..], Some(&at_once)) {
            Err(Errno::INTR) => {}
            found => self.ready.extend(found?.0.iter().map(|event| event.data.u64() as usize)),
        }
        Ok(self.ready.len())
    }

    /// Indexes of the ports that the last wait found ready.
    pub(super) fn ready(&self) -> impl Iterator<Item = usize> {
        self.ready.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn ready(watch: &mut PortPoller, wait: Duration) -> Vec<usize> {
        watch.wait(wait).unwrap();
        let mut ready: Vec<usize> = watch.ready().collect();
        ready.sort_unstable();
        ready
    }

    #[test]
    fn readable_ports_are_ready_until_they_are_read() {
        let ports = [(); 4].map(|()| UdpSocket::bind("[::1]:0").unwrap());
        let mut watch = PortPoller::new(ports.iter()).unwrap();
        // A short wait, as nothing may be ready.
        assert_eq!(ready(&mut watch, Duration::from_micros(1)), [0; 0]);
        for place in [2, 0] {
            ports[3].send_to(b"!", ports[place].local_addr().unwrap()).unwrap();
        }
        assert_eq!(ready(&mut watch, PATIENCE), [0, 2]);
        // Reading nothing leaves a port ready.
        assert_eq!(ready(&mut watch, Duration::ZERO), [0, 2]);
        ports[0].recv(&mut [0]).unwrap();
        assert_eq!(ready(&mut watch, Duration::ZERO), [2]);
    }

    #[test]
    fn a_wait_ends_when_a_datagram_arrives() {
        let ports = [(); 2].map(|()| UdpSocket::bind("[::1]:0").unwrap());
        let mut watch = PortPoller::new(ports.iter()).unwrap();
        let (from, to) = (ports[0].try_clone().unwrap(), ports[1].local_addr().unwrap());
        let sender = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(5));
            from.send_to(b"!", to).unwrap()
        });
        assert_eq!(ready(&mut watch, PATIENCE), [1]);
        sender.join().unwrap();
    }
}
