//! Kea's DHCPv6 server with its lease_query hook, as the server to compare with.

use std::fs;
use std::io;
use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::load::Leases;
use crate::programs::{CompareError, POLL_EVERY, SERVER_CPU};

/// A LEASEQUERY by address for `::1`, which no link has (RFC 5007 §4.1.1): OPTION_CLIENTID with a DUID-EN for
/// documentation, OPTION_LQ_QUERY with query-type 1, link-address `::` and an OPTION_IAADDR.
const PROBE: &[u8] = &[
    14, 1, 2, 3, //
    0, 1, 0, 7, 0, 2, 0, 0, 0x7e, 0xd9, 1, //
    0, 44, 0, 45, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
    0, 5, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0,
];

/// Kea 2.7 or newer, with which the hook comes.
pub(crate) struct Kea {
    pub(crate) program: PathBuf,
    hook: PathBuf,
}

impl Kea {
    /// Finds `libdhcp_lease_query.so` where Kea is installed with `program`, at PREFIX/sbin/kea-dhcp6.
    pub(crate) fn find(program: &Path) -> Result<Self, CompareError> {
        let lib = program.parent().and_then(Path::parent).unwrap_or(Path::new("/")).join("lib");
        // Debian has a folder for each architecture in between.
        let nested = fs::read_dir(&lib).into_iter().flatten().flatten().map(|entry| entry.path());
        let hook = std::iter::once(lib.clone())
            .chain(nested)
            .map(|folder| folder.join("kea/hooks/libdhcp_lease_query.so"))
            .find(|hook| hook.is_file());
        match hook {
            Some(hook) if program.is_file() => Ok(Self { program: program.to_owned(), hook }),
            _ => Err(CompareError::NoKea { program: program.to_owned(), lib }),
        }
    }

    /// Returns the command that serves the leases on `::1`, with one thread, as lqd has one worker.
    pub(crate) fn command(&self, leases: &Leases, port: u16) -> Result<Command, CompareError> {
        // Folders that Kea writes to are those of the test.
        let (config, folder) = (self.config(leases)?, leases.folder());
        let mut command = Command::new("taskset");
        command.args(["-c", SERVER_CPU]).arg(&self.program);
        // -X: the files are where Kea does not allow them by default.
        command.args(["-X", "-p", &port.to_string(), "-c"]).arg(config);
        for variable in ["KEA_PIDFILE_DIR", "KEA_DHCP_DATA_DIR", "KEA_CONTROL_SOCKET_DIR"] {
            command.env(variable, folder);
        }
        // Lock files would need a folder of the system.
        command.env("KEA_LOCKFILE_DIR", "none");
        Ok(command)
    }

    /// Writes the configuration: that of the leases, with a socket, the hook, and logs of warnings alone.
    fn config(&self, leases: &Leases) -> Result<PathBuf, CompareError> {
        let path = leases.kea_config();
        let file_error = |source| CompareError::File { path: path.clone(), source };
        let text = fs::read_to_string(&path).map_err(file_error)?;
        let hook =
            serde_json::to_string(&self.hook.to_string_lossy()).map_err(|error| file_error(error.into()))?;
        let serving = format!(
            r#""interfaces-config": {{ "interfaces": [ "lo/::1" ] }},
    "multi-threading": {{ "enable-multi-threading": false }},
    "hooks-libraries": [ {{ "library": {hook}, "parameters": {{ "requesters": [ "::1" ] }} }} ],
    "loggers": [ {{ "name": "kea-dhcp6", "severity": "WARN", "output-options": [ {{ "output": "stderr" }} ] }} ],"#
        );
        // The rest of the configuration stays as lqload made it.
        let text = text.replace(r#""interfaces-config": { "interfaces": [ ] },"#, &serving);
        let path = leases.folder().join("kea-serving.conf");
        // Beside the original, so that other servers keep theirs.
        fs::write(&path, text).map_err(|source| CompareError::File { path: path.clone(), source })?;
        Ok(path)
    }
}

/// Returns a UDP port of `::1` that no socket has.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(UdpSocket::bind((Ipv6Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Whether a server replies at this address.
pub(crate) fn replies(address: SocketAddrV6) -> io::Result<bool> {
    let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0))?;
    // A short wait: the caller asks again.
    socket.set_read_timeout(Some(10 * POLL_EVERY))?;
    socket.connect(address)?;
    // Until the server is bound, the kernel refuses the query.
    Ok(socket.send(PROBE).and_then(|_| socket.recv(&mut [0; 1500])).is_ok())
}
