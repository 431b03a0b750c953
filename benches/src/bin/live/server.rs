//! lqd on generated files; ended by its process id.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddrV6;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lqd_benches::network::{self, LINKS, PD_POOL_LEN};
use lqd_benches::server_lines::{lines_of, listening};

use crate::LiveError;

/// Time limit for lqd to load the leases.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A server that is ready; killed when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddrV6,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either fails only if the child has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts lqd with one worker on this CPU.
    pub(crate) fn start(program: &Path, cpu: &str, config: &Path) -> Result<Self, LiveError> {
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "[::1]:0", "--workers", "1", "--cpus", cpu, "--kea-config"]);
        command.arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().map_err(LiveError::file(program))?;
        // The address is known only from the line that is waited for.
        let mut server = Self { address: SocketAddrV6::new([0; 16].into(), 0, 0, 0), child };
        let lines = lines_of(server.child.stderr.take().expect("it is piped"));
        let until = Instant::now() + READY_WITHIN;
        let mut said = String::new();
        while let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if let Some(address) = listening(&line) {
                server.address = address;
                return Ok(server);
            }
            // Lines before it explain a start that failed.
            said = said + &line + "\n";
        }
        Err(LiveError::NotReady(said))
    }

    /// CPU time used so far, user and system together.
    pub(crate) fn cpu_time(&self) -> Result<Duration, LiveError> {
        let path = PathBuf::from(format!("/proc/{}/stat", self.child.id()));
        let text = fs::read_to_string(&path).map_err(LiveError::file(&path))?;
        // Fields behind the program name; times in hundredths of a second (proc(5)).
        let fields = text.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
        Ok(Duration::from_millis(fields.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>() * 10))
    }
}

/// Kea's configuration for the network of the benches, with this lease file.
pub(crate) fn write_config(path: &Path, lease_file: &Path) -> Result<(), LiveError> {
    let mut subnets = String::new();
    for id in 1..=LINKS {
        // JSON allows no comma in front of the first item.
        let separator = if id == 1 { "" } else { "," };
        // Writing to a String does not fail.
        let _ = write!(
            subnets,
            r#"{separator}{{"id":{id},"subnet":"{}/64","pd-pools":[{{"prefix":"{}","prefix-len":{PD_POOL_LEN},"delegated-len":56}}]}}"#,
            network::subnet(id),
            network::pd_pool(id),
        );
    }
    let config = format!(
        r#"{{"Dhcp6":{{"lease-database":{{"type":"memfile","persist":true,"name":"{}"}},"server-id":{{"type":"EN","enterprise-id":32473,"identifier":"0102030405","persist":false}},"subnet6":[{subnets}]}}}}"#,
        lease_file.display()
    );
    fs::write(path, config).map_err(LiveError::file(path))
}
