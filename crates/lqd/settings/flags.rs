//! Flags and keys: what may be typed, with limits and manual.
//!
//! The documentation of a field is its text in `--help`, printed line by line as it stands here (70 columns
//! fit any terminal, and clap breaks no lines by itself). Its first paragraph is all that `-h` shows.
#![allow(rustdoc::broken_intra_doc_links, reason = "these are help texts: [::1] is an address")]

use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;

use super::access::{Queries, ReplyLen, TypedRow};
use super::admin::AdminAddress;
use super::choice::{CpuSteering, Deny, Io, LogFormat, Relayed, SandboxMode, Switch, WhenStale};
use super::config_help;
use super::cpus::CpuList;
use super::duid::ServerDuid;
use super::interface::InterfaceName;
use super::link_address::LinkAddress;
use super::listen::ListenAddress;
use super::network::Network;
use super::number::{Octets, PowerOfTwo, Within};
use super::query_log::LogTarget;
use super::sensitive::SensitiveOption;
use super::source::TypedSource;
use super::spelled::{choice, list, one};

/// What was typed: each field is a flag, and a key of the file of `--config`.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Flags {
    /// Configuration file (TOML) whose keys are the flags below.
    #[arg(long, value_name = "FILE", verbatim_doc_comment, long_help = config_help::text())]
    #[serde(skip)]
    pub(crate) config: Option<PathBuf>,

    /// Kea's configuration file, such as /etc/kea/kea-dhcp6.conf. Required.
    ///
    /// Links, the lease file, the server's DUID and option data come from
    /// it; it is never written. Without it lqd does not start.
    #[arg(long, value_name = "FILE", verbatim_doc_comment)]
    pub(super) kea_config: Option<PathBuf>,

    /// Kea's lease file, such as /var/lib/kea/kea-leases6.csv.
    ///
    /// Wins over lease-database in Kea's configuration: for a copy of the
    /// file, or a mount at another path. It is never written.
    /// Default: the file that Kea's configuration names.
    #[arg(long, value_name = "FILE", verbatim_doc_comment)]
    pub(super) kea_leases: Option<PathBuf>,

    /// DUID by which this server names itself (OPTION_SERVERID).
    ///
    /// 1 to 130 octets in hexadecimal, with colons, with dashes or with
    /// nothing between, such as 00:03:00:01:0a:00:27:00:00:01. Queries that
    /// name another server are discarded.
    /// Default: the DUID of the Kea server.
    #[arg(long, value_name = "HEX:HEX…", verbatim_doc_comment)]
    #[serde(deserialize_with = "one")]
    pub(super) server_duid: Option<ServerDuid>,

    /// Address and UDP port to listen on; may be repeated.
    ///
    /// IPv6 in brackets. A link-local address needs its interface, by name
    /// or number: [fe80::1%eth0]:547. Port 0 lets the kernel choose; the
    /// line "lqd ready" shows which. Replies leave from the address asked.
    /// Default: [::]:547, which is every address of the host.
    #[arg(long, value_name = "ADDR:PORT", verbatim_doc_comment)]
    #[serde(deserialize_with = "list")]
    pub(super) listen: Option<Vec<ListenAddress>>,

    /// Interface on which to hear multicast queries; may be repeated.
    ///
    /// Joins ff05::1:3 (all DHCP servers) and ff02::1:2 (all DHCP servers
    /// and relay agents) there, on the port of the first --listen.
    /// Its name, as in "ip link".
    /// Default: none, only unicast is heard.
    #[arg(long, value_name = "INTERFACE", verbatim_doc_comment)]
    #[serde(deserialize_with = "list")]
    pub(super) multicast: Option<Vec<InterfaceName>>,

    /// Network whose requestors are answered; may be repeated.
    ///
    /// IPv6 prefix, or one address. What counts is the source address of
    /// the packet, of the last relay for relayed queries. Others get what
    /// --deny says.
    /// Default: requesters of the lease_query hook in Kea's configuration;
    /// without those ::1/128, so that a forgotten setting lets no one in.
    #[arg(long, value_name = "CIDR", verbatim_doc_comment)]
    #[serde(deserialize_with = "list")]
    pub(super) allow: Option<Vec<Network>>,

    /// What all others get.
    ///
    /// Those whom --allow or a row does not let in, and those who ask for
    /// what their row does not allow.
    /// Default: not-allowed.
    #[arg(long, value_name = "WHAT", verbatim_doc_comment)]
    #[serde(deserialize_with = "choice")]
    pub(super) deny: Option<Deny>,

    /// What relayed queries get.
    ///
    /// Those that a relay agent passed on, inside RELAY-FORW.
    /// Default: answer.
    #[arg(long, value_name = "WHAT", verbatim_doc_comment)]
    #[serde(deserialize_with = "choice")]
    pub(super) relayed: Option<Relayed>,

    /// RELAY-FORW levels accepted around a query, 0..=33.
    ///
    /// Queries with more are discarded and counted. 0 accepts direct queries
    /// only. RFC 8415 allows 9 levels (hop-counts 0 to 8), RFC 3315 33.
    /// Default: 9.
    #[arg(long, value_name = "N", verbatim_doc_comment)]
    #[serde(deserialize_with = "one")]
    pub(super) max_relay_hops: Option<Within<u8, 0, 33>>,

    /// Address told for the link of a subnet; may be repeated.
    ///
    /// A requestor that asks for a client on several links is told an
    /// address of each link, and asks again with it (RFC 5007, section
    /// 4.1.2.5). It names the link from then on, whatever else contains it.
    /// Written SUBNET-ID=ADDRESS, with Kea's number for any subnet of the
    /// link, such as 7=2001:db8:7::1.
    /// Default: a relay address of the link, or an address of a subnet that
    /// leads to no other link.
    #[arg(long, value_name = "ID=ADDRESS", verbatim_doc_comment)]
    #[serde(deserialize_with = "list")]
    pub(super) link_address: Option<Vec<LinkAddress>>,

    /// Code of an option never returned, 3..=65535; may be repeated.
    ///
    /// Client data that requestors must not see, even if they ask for it
    /// (RFC 5007, section 4.4.2), such as 39, the client's host name. It is
    /// left out of relay data (47) as well, at every level: 79 hides the
    /// link-layer address in both places. Relay data still has addresses of
    /// relay agents and the client's link-local address; 47 hides it all.
    /// What replies are made of (1, 2, 5, 9, 13, 26, 45, 46, 48) is refused.
    /// Default: none.
    #[arg(long, value_name = "CODE", verbatim_doc_comment)]
    #[serde(deserialize_with = "list")]
    pub(super) sensitive_option: Option<Vec<SensitiveOption>>,

    /// Longest reply with bindings, in octets, 512..=65527.
    ///
    /// A client with very many leases has a reply of many times the query,
    /// which a forged source address turns on somebody else. RFC 5007 wants
    /// all bindings or none: where they are longer, the status UnspecFail is
    /// returned, and counted. A lease takes 28 octets, the rest some 100.
    /// Default: 65527, all that a datagram holds.
    #[arg(long, value_name = "BYTES", verbatim_doc_comment)]
    #[serde(deserialize_with = "one")]
    pub(super) max_reply: Option<ReplyLen>,

    /// Queries a second that one requestor address may ask, 0..=1000000.
    ///
    /// What comes above is discarded and counted. Each worker counts by
    /// itself: who asks from one port has one worker, and gets this rate;
    /// who asks from many may get it from each. Sources that are not let in
    /// share one such rate. 0 is no limit.
    /// Default: 0.
    #[arg(long, value_name = "N", verbatim_doc_comment)]
    #[serde(deserialize_with = "one")]
    pub(super) rate: Option<Queries<0>>,

    /// Queries at once after a pause, within --rate, 1..=1000000.
    ///
    /// An access concentrator that lost its state asks in floods: this many
    /// are answered as fast as they come.
    /// Default: one second of --rate.
    #[arg(long, value_name = "N", verbatim_doc_comment)]
    #[serde(deserialize_with = "one")]
    pub(super) burst: Option<Queries<1>>,

    /// Return a binding only to the relay agent that it came through.
    ///
    /// Known by the relay data that Kea stores with the lease, or by
    /// relay.ip-addresses of its subnet. For all else requestors get what
    /// --deny says, whether there is a binding or not; so do all who ask
    /// through relays. In the file: restricted-requestor = true.
    /// Default: off.
    #[arg(long, verbatim_doc_comment)]
    pub(super) restricted_requestor: bool,

    /// Lease sources of the file, in place of the flags for a single one.
    #[arg(skip)]
    pub(super) source: Option<Vec<TypedSource>>,

    /// Rows of the file, each for the requestors of one prefix.
    #[arg(skip)]
    pub(super) access: Option<Vec<TypedRow>>,

    /// Seconds after which leases that are not followed any more are stale.
    ///
    /// 1..=86400. Counted from when all that the lease file held was last
    /// known. A file to which nothing is added is followed, and not stale;
    /// one that is gone or cannot be read is not. Stale leases are still
    /// answered; for other queries see --when-stale. /readyz of --admin says
    /// 503 then.
    /// Default: 60.
    #[arg(long, value_name = "SECONDS", verbatim_doc_comment)]
    #[serde(deserialize_with = "one")]
    pub(super) max_feed_age: Option<Within<u32, 1, 86_400>>,

    /// What misses get when stale.
    ///
    /// Queries for which no lease is known, while leases are older than
    /// --max-feed-age, or known to be incomplete: the lease file is being
    /// written or loaded anew, or cannot be read, or its last line has no
    /// end. An access concentrator cuts a subscriber off when it is told
    /// that there is no lease; silence makes it ask again, or another
    /// server.
    /// Default: silent.
    #[arg(long, value_name = "WHAT", verbatim_doc_comment)]
    #[serde(deserialize_with = "choice")]
    pub(super) when_stale: Option<WhenStale>,

    /// Address of the admin port, for monitoring; may be repeated.
    ///
    /// ADDR:PORT, PORT alone for that port of ::1, or unix:/PATH for a Unix
    /// socket. HTTP, reading only: /metrics (Prometheus), /healthz, /readyz,
    /// /status (JSON), / (a page), and over a Unix socket /discards.pcap (see
    /// --keep-discards). Else, whoever reaches it sees requestors'
    /// addresses and counts, but no client; there is no password. lqd warns
    /// when others than this host may reach it. An address that is in use
    /// is waited for.
    /// Default: none, there is no admin port.
    #[arg(long, value_name = "ADDR", verbatim_doc_comment)]
    #[serde(deserialize_with = "list")]
    pub(super) admin: Option<Vec<AdminAddress>>,

    /// Log queries, one JSON object a line, to a file, journald or stderr.
    ///
    /// Time, requestor, what was asked about whom, what came of it. It says
    /// which client is where, so the file is for owner and group only. What
    /// workers hand over faster than it can be written is lost, and counted;
    /// no query waits for it. SIGHUP opens the file again (logrotate).
    /// Default: none, queries are not logged.
    #[arg(long, value_name = "WHERE", verbatim_doc_comment)]
    #[serde(deserialize_with = "one")]
    pub(super) query_log: Option<LogTarget>,

    /// Log one query of so many, 1..=1000000.
    ///
    /// Of each worker, and of those in --query-log-requestor.
    /// Default: 1, every query.
    #[arg(long, value_name = "N", verbatim_doc_comment)]
    #[serde(deserialize_with = "one")]
    pub(super) query_log_sample: Option<Queries<1>>,

    /// Log queries of requestors in this prefix, or of this address.
    ///
    /// Default: ::/0, all.
    #[arg(long, value_name = "CIDR", verbatim_doc_comment)]
    #[serde(deserialize_with = "one")]
    pub(super) query_log_requestor: Option<Network>,

    /// Discarded datagrams to keep for diagnosis, 0..=4096.
    ///
    /// The last so many of each worker, the first 256 octets of each. They
    /// may name clients: /discards.pcap of --admin gives them over a Unix
    /// socket only. Wireshark and tshark show why each was discarded.
    /// Default: 0.
    #[arg(long, value_name = "N", verbatim_doc_comment)]
    #[serde(deserialize_with = "one")]
    pub(super) keep_discards: Option<Within<usize, 0, 4096>>,

    /// Worker threads, 1..=256.
    ///
    /// Each has a socket of its own for each --listen; the kernel spreads
    /// requestors over them. More workers than CPUs cost, and win nothing.
    /// Default: one for each CPU of --cpus, or that the process may use.
    #[arg(long, value_name = "N", verbatim_doc_comment)]
    #[serde(deserialize_with = "one")]
    pub(super) workers: Option<Within<usize, 1, 256>>,

    /// CPUs to pin workers to, such as 0,2-5; numbers in 0..=1023.
    ///
    /// The first worker runs on the first CPU of the list, and so on. With
    /// more workers than CPUs none is pinned. Name those that serve the
    /// network card's queues.
    /// Default: those that the process may use.
    #[arg(long, value_name = "LIST", verbatim_doc_comment)]
    #[serde(deserialize_with = "one")]
    pub(super) cpus: Option<CpuList>,

    /// How workers talk to the kernel.
    ///
    /// Default: auto.
    #[arg(long, value_name = "HOW", verbatim_doc_comment)]
    #[serde(deserialize_with = "choice")]
    pub(super) io: Option<Io>,

    /// Coalesce datagrams (UDP_GRO, UDP_SEGMENT).
    ///
    /// A rebooting access concentrator sends queries of one size from one
    /// port: up to 64 of them, and of their replies, then make one trip.
    /// Nothing waits for company.
    /// Default: on.
    #[arg(long, value_name = "SWITCH", verbatim_doc_comment)]
    #[serde(deserialize_with = "choice")]
    pub(super) gro: Option<Switch>,

    /// Receive buffers of each worker, a power of two in 64..=32768.
    ///
    /// Lent to the kernel by io_uring, 64 KiB of memory each. When all are
    /// lent, datagrams wait in the socket's queue (--receive-buffer).
    /// Default: 256.
    #[arg(long, value_name = "N", verbatim_doc_comment)]
    #[serde(deserialize_with = "one")]
    pub(super) buffers: Option<PowerOfTwo<64, 32_768>>,

    /// Receive queue of each socket, in octets, 64KiB..=512MiB.
    ///
    /// What a flood may fill while the worker is busy; the kernel drops what
    /// comes after that. KiB or MiB may follow the number. The kernel gives
    /// no more than sysctl net.core.rmem_max allows, unless lqd has
    /// CAP_NET_ADMIN.
    /// Default: 8MiB.
    #[arg(long, value_name = "BYTES", verbatim_doc_comment)]
    #[serde(deserialize_with = "one")]
    pub(super) receive_buffer: Option<Octets<65_536, 536_870_912>>,

    /// Send queue of each socket, in octets, 64KiB..=512MiB.
    ///
    /// Replies that may wait for the network card; those that find no room
    /// are dropped and counted, as nobody waits. KiB or MiB may follow the
    /// number. The kernel gives no more than sysctl net.core.wmem_max
    /// allows, unless lqd has CAP_NET_ADMIN.
    /// Default: 4MiB.
    #[arg(long, value_name = "BYTES", verbatim_doc_comment)]
    #[serde(deserialize_with = "one")]
    pub(super) send_buffer: Option<Octets<65_536, 536_870_912>>,

    /// Which worker gets a datagram.
    ///
    /// By CPU, interrupt, look-up and reply stay on one CPU, if the network
    /// card has a queue for each of --cpus. What other CPUs receive is
    /// spread by their numbers. Before Linux 6.2 a server that takes over
    /// from another on the same port has datagrams spread by hash.
    /// Default: hash.
    #[arg(long, value_name = "HOW", verbatim_doc_comment)]
    #[serde(deserialize_with = "choice")]
    pub(super) steering: Option<CpuSteering>,

    /// Poll the network card before sleeping, microseconds, 0..=1000.
    ///
    /// Saves interrupt and wake-up in quiet times, at the cost of a CPU that
    /// is never idle for long; 0 sleeps at once. Goes with --gro off: what
    /// GRO collects waits until the polling ends. With io_uring Linux 6.9 or
    /// newer; with mmsg CAP_NET_ADMIN, and sysctl net.core.busy_poll above 0.
    /// Default: 0.
    #[arg(long, value_name = "MICROSECONDS", verbatim_doc_comment)]
    #[serde(deserialize_with = "one")]
    pub(super) busy_poll: Option<Within<u32, 0, 1_000>>,

    /// Give up rights not needed.
    ///
    /// Once ready, lqd reads only in the folders of Kea's files and of
    /// --config, writes only in those of --query-log and of $LOGS_DIRECTORY,
    /// has no capabilities, and makes only those system calls that it needs
    /// (landlock, seccomp). Files that a reload names must be in folders that
    /// the start has named.
    /// Default: auto.
    #[arg(long, value_name = "MODE", verbatim_doc_comment)]
    #[serde(deserialize_with = "choice")]
    pub(super) sandbox: Option<SandboxMode>,

    /// Form of log lines on standard error.
    ///
    /// Default: text.
    #[arg(long, value_name = "FORM", verbatim_doc_comment)]
    #[serde(deserialize_with = "choice")]
    pub(super) log_format: Option<LogFormat>,

    /// What is logged: error, warn, info, debug or trace, or more by module.
    ///
    /// By module in the language of tracing's EnvFilter, such as
    /// info,lqd_feed=debug. Datagrams are counted, never logged one by one.
    /// Default: info.
    #[arg(long, value_name = "FILTER", verbatim_doc_comment)]
    pub(super) log: Option<String>,

    /// Print a shell command that asks for one of the leases, once ready.
    ///
    /// Shows that the way from requestor to lease works. The line follows
    /// "lqd ready" on standard error. In the file: example-query = true.
    /// Default: off.
    #[arg(long, verbatim_doc_comment)]
    pub(super) example_query: bool,
}

impl Flags {
    /// These, and where one is not given, that of `file`.
    pub(super) fn over(self, file: Self) -> Self {
        Self {
            config: self.config,
            kea_config: self.kea_config.or(file.kea_config),
            kea_leases: self.kea_leases.or(file.kea_leases),
            server_duid: self.server_duid.or(file.server_duid),
            listen: self.listen.or(file.listen),
            multicast: self.multicast.or(file.multicast),
            allow: self.allow.or(file.allow),
            deny: self.deny.or(file.deny),
            relayed: self.relayed.or(file.relayed),
            max_relay_hops: self.max_relay_hops.or(file.max_relay_hops),
            link_address: self.link_address.or(file.link_address),
            sensitive_option: self.sensitive_option.or(file.sensitive_option),
            max_reply: self.max_reply.or(file.max_reply),
            rate: self.rate.or(file.rate),
            burst: self.burst.or(file.burst),
            restricted_requestor: self.restricted_requestor || file.restricted_requestor,
            source: file.source,
            access: file.access,
            max_feed_age: self.max_feed_age.or(file.max_feed_age),
            when_stale: self.when_stale.or(file.when_stale),
            admin: self.admin.or(file.admin),
            query_log: self.query_log.or(file.query_log),
            query_log_sample: self.query_log_sample.or(file.query_log_sample),
            query_log_requestor: self.query_log_requestor.or(file.query_log_requestor),
            keep_discards: self.keep_discards.or(file.keep_discards),
            workers: self.workers.or(file.workers),
            cpus: self.cpus.or(file.cpus),
            io: self.io.or(file.io),
            gro: self.gro.or(file.gro),
            buffers: self.buffers.or(file.buffers),
            receive_buffer: self.receive_buffer.or(file.receive_buffer),
            send_buffer: self.send_buffer.or(file.send_buffer),
            steering: self.steering.or(file.steering),
            busy_poll: self.busy_poll.or(file.busy_poll),
            sandbox: self.sandbox.or(file.sandbox),
            log_format: self.log_format.or(file.log_format),
            log: self.log.or(file.log),
            example_query: self.example_query || file.example_query,
        }
    }
}
