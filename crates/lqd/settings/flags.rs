//! The table of settings: one row for each flag and key, with its help, limits, default and the way it is
//! applied.
//!
//! The documentation of a row is its text in `--help`, printed line by line as it stands here (70 columns fit
//! any terminal). The first paragraph is all that `-h` shows.
#![allow(rustdoc::broken_intra_doc_links, reason = "these are help texts: [::1] is an address")]

use std::net::SocketAddrV6;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::Ipv6Net;

use super::access::{self, AccessRule, Queries, ReplyLen, Rights, TypedRule};
use super::active::{self, HistorySize, Timer};
use super::admin::{self, AdminAddress};
use super::choice::{
    ActiveTransport, BulkTls, CpuSteering, Deny, Io, LogFormat, Relayed, SandboxMode, Switch, WhenStale,
};
use super::config_help;
use super::cpus::{self, CpuList};
use super::duid::ServerDuid;
use super::interface::{self, Interface, InterfaceName};
use super::link_address::LinkAddress;
use super::listen::{self, ListenAddress};
use super::network::Network;
use super::number::{Bytes, PowerOfTwo, Within};
use super::query_log::{self, LogTarget, QueryLog};
use super::sensitive::SensitiveOption;
use super::source::{self, SourceSettings, TypedSource};
use super::spelled::{choice, list, one, plain};
use super::table::settings;
use super::tls::{self, TlsFiles};

settings! { |typed|
    /// Configuration file (TOML) whose keys are the flags below.
    #[serde(skip)]
    [long, value_name = "FILE", long_help = config_help::text()] "plain" config: Option<PathBuf>;

    /// Kea's configuration file, such as /etc/kea/kea-dhcp6.conf. Required.
    ///
    /// Links, the lease file, the server's DUID and option data come from
    /// it; it is never written. Without it lqd does not start.
    [long, value_name = "FILE"] "plain" kea_config: Option<PathBuf>
        => reload sources: Vec<SourceSettings> = source::sources(typed)?;

    /// Kea's lease file, such as /var/lib/kea/kea-leases6.csv.
    ///
    /// Overrides lease-database of Kea's configuration, for a copy of the
    /// file or a mount at another path. It is never written.
    /// Default: the file that Kea's configuration names.
    [long, value_name = "FILE"] "plain" kea_leases: Option<PathBuf>;

    /// DUID of this server (OPTION_SERVERID).
    ///
    /// 1 to 130 octets in hexadecimal, separated by colons, by dashes or
    /// not at all, such as 00:03:00:01:0a:00:27:00:00:01. Queries to
    /// another server's DUID are discarded.
    /// Default: the DUID of the Kea server.
    [long, value_name = "HEX:HEX…"] "one" server_duid: Option<ServerDuid>
        => reload server_duid: Option<Vec<u8>> = typed.server_duid.clone().map(|duid| duid.0);

    /// Address and UDP port to listen on; may be repeated.
    ///
    /// IPv6 in brackets; the port is 547 unless given. A link-local address
    /// needs its interface, by name or number: [fe80::1%eth0]:547. Port 0
    /// lets the kernel choose; the line "lqd ready" shows which. Replies
    /// leave from the address asked.
    /// Default: [::]:547, which is every address of the host.
    [long, value_name = "ADDR:PORT"] "list" listen: Option<Vec<ListenAddress>>
        => restart listen: Vec<SocketAddrV6> = listen::resolve(typed.listen.as_deref())?;

    /// Interface on which to receive multicast queries; may be repeated.
    ///
    /// Joins ff05::1:3 (all DHCP servers) and ff02::1:2 (all DHCP servers
    /// and relay agents) there, on the port of the first --listen. Its
    /// name, as in "ip link".
    /// Default: none, only unicast is received.
    [long, value_name = "INTERFACE"] "list" multicast: Option<Vec<InterfaceName>>
        => restart multicast: Vec<Interface> = interface::resolve(typed.multicast.as_deref())?;

    /// Network whose requestors are answered; may be repeated.
    ///
    /// IPv6 prefix or one address, compared with the source address of the
    /// packet: the last relay's for relayed queries. See --deny for others.
    /// Default: requesters of the lease_query hook in Kea's configuration;
    /// without those ::1/128, so that a forgotten setting opens nothing.
    [long, value_name = "CIDR"] "list" allow: Option<Vec<Network>>
        => reload allow: Option<Vec<Ipv6Net>> =
            typed.allow.clone().map(|networks| networks.into_iter().map(|network| network.0).collect());

    /// Answer to disallowed requestors.
    ///
    /// Applies to requestors that neither --allow nor an access rule
    /// allows, and to queries that their access rule does not allow.
    /// Default: not-allowed.
    [long, value_name = "ANSWER"] "choice" deny: Option<Deny>
        => reload rights: Rights = access::rights(typed)?;

    /// Answer to relayed queries.
    ///
    /// Relay agents send them inside RELAY-FORW.
    /// Default: answer.
    [long, value_name = "ANSWER"] "choice" relayed: Option<Relayed>;

    /// Relay hops accepted around a query, 0..=33.
    ///
    /// Queries with more are discarded and counted. 0 accepts direct queries
    /// only. RFC 8415 allows 9 (hop-counts 0 to 8), RFC 3315 33.
    /// Default: 9.
    [long, value_name = "N"] "one" max_relay_hops: Option<Within<u8, 0, 33>>
        => reload max_relay_hops: u8 = typed.max_relay_hops.map_or(9, |hops| hops.0);

    /// Address reported for the link of a subnet; may be repeated.
    ///
    /// A requestor that asks for a client on several links gets one address
    /// of each link, and asks again with it (RFC 5007, section 4.1.2.5). It
    /// names the link from then on, whatever other link contains it. Written
    /// SUBNET-ID=ADDRESS, with Kea's number of any subnet of the link, such
    /// as 7=2001:db8:7::1.
    /// Default: a relay address of the link, or an address of a subnet that
    /// leads to no other link.
    [long, value_name = "ID=ADDRESS"] "list" link_address: Option<Vec<LinkAddress>>;

    /// Code of an option that is never returned, 3..=65535; may be repeated.
    ///
    /// For client data that requestors must not see even if they ask for it
    /// (RFC 5007, section 4.4.2), such as 39, the client's host name. It is
    /// left out of relay data (47) as well, at every relay hop: 79 hides the
    /// link-layer address in both places. Relay data still has addresses of
    /// relay agents and the client's link-local address; 47 hides it all.
    /// Parts of every reply (1, 2, 5, 9, 13, 26, 45, 46, 48) are refused.
    /// Default: none.
    [long, value_name = "CODE"] "list" sensitive_option: Option<Vec<SensitiveOption>>;

    /// Longest reply with bindings, in octets, 512..=65527.
    ///
    /// The reply about a client with very many leases is many times longer
    /// than the query, and a forged source address sends it to a victim.
    /// RFC 5007 wants all bindings or none: a longer reply has the status
    /// UnspecFail instead, and is counted. A lease takes 28 octets, the rest
    /// about 100.
    /// Default: 65527, the maximum of a datagram.
    [long, value_name = "OCTETS"] "one" max_reply: Option<ReplyLen>;

    /// Queries per second of one requestor address, 0..=1000000.
    ///
    /// Queries above the rate are discarded and counted. Each worker counts
    /// by itself: a requestor with one port has one worker, and gets this
    /// rate; one with many ports may get it from each worker. Sources that
    /// are not allowed share one such rate. 0 is no limit.
    /// Default: 0.
    [long, value_name = "N"] "one" rate: Option<Queries<0>>;

    /// Queries at once after a pause, within --rate, 1..=1000000.
    ///
    /// An access concentrator that lost its state sends a flood of queries:
    /// this many are answered as fast as they arrive.
    /// Default: one second of --rate.
    [long, value_name = "N"] "one" burst: Option<Queries<1>>;

    /// Return a binding only to the relay agent of its client.
    ///
    /// Known by the relay data that Kea stores with the lease, or by
    /// relay.ip-addresses of its subnet. Other queries are answered as --deny
    /// says, whether there is a binding or not; so are all relayed queries.
    /// In the file: restricted-requestor = true.
    /// Default: off.
    [long] "plain" restricted_requestor: bool;

    /// Lease sources of the file, in place of the flags for a single one.
    [skip] "plain" source: Option<Vec<TypedSource>>;

    /// Access rules of the file, each for the requestors of one prefix.
    [skip] "plain" access: Option<Vec<TypedRule>>
        => reload access: Vec<AccessRule> = access::rules(typed)?;

    /// Age in seconds at which lease data is stale, 1..=86400.
    ///
    /// Counted from the last moment at which all leases of the lease file
    /// were known. A file to which nothing is added is up to date; one that
    /// is gone or cannot be read is not. Stale leases are still answered;
    /// for other queries see --when-stale. /readyz of --admin returns 503
    /// then.
    /// Default: 60.
    [long, value_name = "SECONDS"] "one" max_feed_age: Option<Within<u32, 1, 86_400>>
        => reload max_feed_age: Duration =
            Duration::from_secs(typed.max_feed_age.map_or(60, |seconds| seconds.0).into());

    /// Answer to misses when stale.
    ///
    /// Applies to queries with no matching lease while lease data is older
    /// than --max-feed-age or known to be incomplete: the lease file is
    /// being written or reloaded, cannot be read, or its last line has no
    /// end. An access concentrator disconnects a subscriber when told that
    /// there is no lease; silence makes it ask again, or another server.
    /// Default: silent.
    [long, value_name = "ANSWER"] "choice" when_stale: Option<WhenStale>
        => reload when_stale: WhenStale = typed.when_stale.unwrap_or(WhenStale::Silent);

    /// Address of the admin port, for monitoring; may be repeated.
    ///
    /// ADDR:PORT, PORT alone for that port of ::1, or unix:/PATH for a Unix
    /// socket. HTTP, read only: /metrics (Prometheus), /healthz, /readyz,
    /// /status (JSON), / (a page), and over a Unix socket /discards.pcap (see
    /// --keep-discards). All but the last show addresses of requestors and
    /// counts, but no client; there is no password. lqd warns when other
    /// hosts can reach it. It waits for an address that is in use.
    /// Default: none, there is no admin port.
    [long, value_name = "ADDR"] "list" admin: Option<Vec<AdminAddress>>
        => restart admin: Vec<AdminAddress> = admin::resolve(typed.admin.as_deref())?;

    /// Log queries, one JSON object a line, to a file, journald or stderr.
    ///
    /// Time, requestor, query, client and outcome. The log tells which client
    /// is where, so the file is for owner and group only. Records that
    /// workers produce faster than they are written are lost, and counted;
    /// no query waits for the log. SIGHUP reopens the file (logrotate).
    /// Default: none, queries are not logged.
    [long, value_name = "TARGET"] "one" query_log: Option<LogTarget>
        => reload query_log: Option<QueryLog> = query_log::resolve(typed)?;

    /// Log one of N queries, 1..=1000000.
    ///
    /// Counted by each worker, among those of --query-log-requestor.
    /// Default: 1, every query.
    [long, value_name = "N"] "one" query_log_sample: Option<Queries<1>>;

    /// Log queries of requestors in this prefix, or of this address.
    ///
    /// Default: ::/0, all.
    [long, value_name = "CIDR"] "one" query_log_requestor: Option<Network>;

    /// Discarded datagrams to keep for diagnosis, 0..=4096.
    ///
    /// The last N of each worker, the first 256 octets of each. They may
    /// name clients, so /discards.pcap of --admin returns them over a Unix
    /// socket only. Wireshark and tshark show the reason of each discard.
    /// Default: 0.
    [long, value_name = "N"] "one" keep_discards: Option<Within<usize, 0, 4096>>
        => reload keep_discards: usize = typed.keep_discards.map_or(0, |count| count.0);

    /// Address and TCP port for bulk leasequery (RFC 5460); may be repeated.
    ///
    /// Answers queries about all clients of a relay agent or of a link, on
    /// connections, for the same requestors as over UDP. Written as --listen
    /// is, mostly [::]; the port is 547 unless given. Keeps indexes of leases
    /// by relay-id, remote-id and link, which take memory. Not encrypted
    /// unless --bulk-tls says so.
    /// Default: none, bulk leasequery is off.
    [long, value_name = "ADDR:PORT"] "list" bulk: Option<Vec<ListenAddress>>
        => restart bulk: Vec<SocketAddrV6> = listen::resolve_bulk(typed.bulk.as_deref())?;

    /// Open connections for bulk leasequery, 1..=10000.
    ///
    /// The last free one is kept for a requestor address that has none. Give
    /// each access concentrator one: all of them connect after a power cut.
    /// Default: 10.
    [long, value_name = "N"] "one" bulk_connections: Option<Within<usize, 1, 10_000>>
        => restart bulk_connections: usize = typed.bulk_connections.map_or(10, |count| count.0);

    /// Open bulk connections of one requestor address, 1..=10000.
    ///
    /// Default: as many as --bulk-connections leaves.
    [long, value_name = "N"] "one" bulk_connections_per_requestor: Option<Within<usize, 1, 10_000>>
        => restart bulk_connections_per_requestor: Option<usize> =
            typed.bulk_connections_per_requestor.map(|count| count.0);

    /// Bulk queries in parallel on one connection, 1..=64.
    ///
    /// Nothing more is read from the connection until one is complete.
    /// Default: 8.
    [long, value_name = "N"] "one" bulk_queries: Option<Within<usize, 1, 64>>
        => restart bulk_queries: usize = typed.bulk_queries.map_or(8, |count| count.0);

    /// Seconds that a bulk requestor may take, 10..=86400.
    ///
    /// A connection is closed if no query is complete in this time while
    /// none is being answered, or if the requestor does not take 128 KiB of
    /// answers in it. RFC 5460 recommends no less than 300.
    /// Default: 300.
    [long, value_name = "SECONDS"] "one" bulk_timeout: Option<Within<u32, 10, 86_400>>
        => restart bulk_timeout: Duration =
            Duration::from_secs(typed.bulk_timeout.map_or(300, |seconds| seconds.0).into());

    /// CPUs of bulk leasequery, such as 0,2-5; numbers in 0..=1023.
    ///
    /// Its threads run on any of them.
    /// Default: those that no worker is pinned to; without such, all.
    [long, value_name = "LIST"] "one" bulk_cpus: Option<CpuList>
        => restart bulk_cpus: Option<Vec<usize>> = typed.bulk_cpus.clone().map(|list| list.0);

    /// Threads of bulk leasequery, 1..=64.
    ///
    /// Connections of one thread take turns.
    /// Default: 1.
    [long, value_name = "N"] "one" bulk_threads: Option<Within<usize, 1, 64>>
        => restart bulk_threads: usize = typed.bulk_threads.map_or(1, |count| count.0);

    /// TLS on bulk connections.
    ///
    /// Begun by STARTTLS (RFC 7653, section 8.2).
    /// Needs the three --tls- files. A requestor needs a certificate of
    /// --tls-ca that the access rule of its source address names; see
    /// certificates at --config. "offered" still serves requestors that do
    /// not ask for TLS, whatever certificates their rule names.
    /// Default: off.
    [long, value_name = "USE"] "choice" bulk_tls: Option<BulkTls>
        => reload bulk_tls: BulkTls = tls::bulk(typed)?;

    /// Certificate of this server for TLS, a PEM file.
    ///
    /// Followed by the certificates between it and its CA, if there are any.
    /// The three files are read again at SIGHUP, and within some seconds
    /// after a change; new connections get the new certificate. Unusable
    /// files are logged, and those read before stay.
    /// Default: none, there is no TLS.
    [long, value_name = "FILE"] "plain" tls_certificate: Option<PathBuf>
        => reload tls: Option<TlsFiles> = tls::files(typed)?;

    /// Private key of --tls-certificate, an unencrypted PEM file.
    ///
    /// For the user of lqd only: mode 0600, or 0640 with a group of its own.
    /// Default: none.
    [long, value_name = "FILE"] "plain" tls_key: Option<PathBuf>;

    /// Certificates of the CAs that certify requestors, a PEM file.
    ///
    /// One of your own: whoever has a certificate of it may complete a TLS
    /// handshake, though only those that an access rule names are served.
    /// Default: none.
    [long, value_name = "FILE"] "plain" tls_ca: Option<PathBuf>;

    /// Offer active leasequery.
    ///
    /// RFC 7653, on the connections of --bulk: tells a requestor of changes
    /// of leases as soon as they are known, until the connection ends.
    /// Routers that do not speak TLS need insecure.
    /// Default: off.
    [long, value_name = "TRANSPORT"] "choice" active: Option<ActiveTransport>
        => restart active: ActiveTransport = active::transport(typed)?;

    /// Seconds of lease changes kept for active leasequery, 0..=86400.
    ///
    /// A requestor that was away for no longer gets only the changes that it
    /// missed. Kept in memory, from the start of lqd on. 0 keeps none.
    /// Default: 600.
    [long, value_name = "SECONDS"] "one" active_history: Option<Within<u32, 0, 86_400>>
        => restart active_history: u32 = typed.active_history.map_or(600, |seconds| seconds.0);

    /// Most memory for these changes, in MiB, 1..=65536.
    ///
    /// The oldest leave first. A requestor that is slower than the changes
    /// for so long is disconnected, and must ask for all bindings again.
    /// Default: 256.
    [long, value_name = "MIB"] "one" active_history_size: Option<HistorySize>
        => restart active_history_size: usize = typed.active_history_size.map_or(256, |size| size.0);

    /// Seconds without a change until a keep-alive is sent, 5..=3600.
    ///
    /// Tells the requestor of an active query that it still gets all changes.
    /// RFC 7653 advises against less than 60.
    /// Default: 60.
    [long, value_name = "SECONDS"] "one" active_idle_timeout: Option<Timer>
        => restart active_idle_timeout: Duration = active::timer(typed.active_idle_timeout, 60);

    /// Seconds that the requestor of an active query may take, 5..=3600.
    ///
    /// If it does not take 128 KiB of changes in this time, the connection is
    /// closed. RFC 7653 advises against less than 120.
    /// Default: 120.
    [long, value_name = "SECONDS"] "one" active_send_timeout: Option<Timer>
        => restart active_send_timeout: Duration = active::timer(typed.active_send_timeout, 120);

    /// Worker threads, 1..=256.
    ///
    /// Each has a socket of its own for each --listen; the kernel spreads
    /// requestors over them. More workers than CPUs only add overhead.
    /// Default: one for each CPU of --cpus, or that the process may use.
    [long, value_name = "N"] "one" workers: Option<Within<usize, 1, 256>>
        => restart workers: usize =
            typed.workers.map_or_else(|| cpus::one_worker_each(typed.cpus.as_ref()), |count| count.0);

    /// CPUs to pin workers to, such as 0,2-5; numbers in 0..=1023.
    ///
    /// The first worker runs on the first CPU of the list, and so on. With
    /// more workers than CPUs none is pinned. Name those that serve the
    /// network card's queues.
    /// Default: those that the process may use.
    [long, value_name = "LIST"] "one" cpus: Option<CpuList>
        => restart cpus: Option<Vec<usize>> = typed.cpus.clone().map(|list| list.0);

    /// System calls for datagrams.
    ///
    /// Default: auto.
    [long, value_name = "HOW"] "choice" io: Option<Io>
        => restart io: Io = typed.io.unwrap_or(Io::Auto);

    /// Coalesce datagrams (UDP_GRO, UDP_SEGMENT).
    ///
    /// A rebooting access concentrator sends queries of one size from one
    /// port: up to 64 of them, and of their replies, then pass the kernel
    /// together. Datagrams are never delayed to form a batch.
    /// Default: on.
    [long, value_name = "SWITCH"] "choice" gro: Option<Switch>
        => restart gro: Switch = typed.gro.unwrap_or(Switch::On);

    /// Receive buffers of each worker, a power of two in 64..=32768.
    ///
    /// Lent to the kernel by io_uring, 64 KiB of memory each. When all are
    /// lent, datagrams wait in the socket's queue (--receive-buffer).
    /// Default: 256.
    [long, value_name = "N"] "one" buffers: Option<PowerOfTwo<64, 32_768>>
        => restart buffers: u32 = typed.buffers.map_or(256, |count| count.0);

    /// Receive queue of each socket, in bytes, 64KiB..=512MiB.
    ///
    /// Holds datagrams that arrive while the worker is busy; the kernel
    /// drops datagrams that find it full. KiB or MiB may follow the number.
    /// The kernel grants no more than sysctl net.core.rmem_max, unless lqd
    /// has CAP_NET_ADMIN.
    /// Default: 8MiB.
    [long, value_name = "BYTES"] "one" receive_buffer: Option<Bytes<65_536, 536_870_912>>
        => restart receive_buffer: usize = typed.receive_buffer.map_or(8 << 20, |bytes| bytes.0);

    /// Send queue of each socket, in bytes, 64KiB..=512MiB.
    ///
    /// Holds replies that wait for the network card; those that find it full
    /// are dropped and counted, as no worker waits. KiB or MiB may follow
    /// the number. The kernel grants no more than sysctl net.core.wmem_max,
    /// unless lqd has CAP_NET_ADMIN.
    /// Default: 4MiB.
    [long, value_name = "BYTES"] "one" send_buffer: Option<Bytes<65_536, 536_870_912>>
        => restart send_buffer: usize = typed.send_buffer.map_or(4 << 20, |bytes| bytes.0);

    /// Distribution of datagrams over workers.
    ///
    /// By CPU, interrupt, lookup and reply stay on one CPU, if the network
    /// card has a queue for each of --cpus. Datagrams that other CPUs receive
    /// are spread by their numbers. Before Linux 6.2 a server that replaces
    /// another on the same port has datagrams spread by hash.
    /// Default: hash.
    [long, value_name = "BY"] "choice" steering: Option<CpuSteering>
        => restart steering: CpuSteering = typed.steering.unwrap_or(CpuSteering::Hash);

    /// Poll the network card before sleeping, microseconds, 0..=1000.
    ///
    /// Saves interrupt and wake-up at low load, at the cost of a CPU that is
    /// never idle for long; 0 sleeps at once. Use with --gro off: datagrams
    /// that GRO collects wait until the polling ends. Needs Linux 6.9 with
    /// io_uring; with mmsg CAP_NET_ADMIN, and sysctl net.core.busy_poll
    /// above 0.
    /// Default: 0.
    [long, value_name = "MICROSECONDS"] "one" busy_poll: Option<Within<u32, 0, 1_000>>
        => restart busy_poll: u32 = typed.busy_poll.map_or(0, |microseconds| microseconds.0);

    /// Drop privileges that are not needed.
    ///
    /// Once ready, lqd reads only in the folders of Kea's files, of --config
    /// and of the TLS files, writes only in those of --query-log and of
    /// $LOGS_DIRECTORY, has no capabilities, and makes only the system calls
    /// that it needs (landlock, seccomp). Files that a reload names must be
    /// in folders that were named at the start.
    /// Default: auto.
    [long, value_name = "MODE"] "choice" sandbox: Option<SandboxMode>
        => restart sandbox: SandboxMode = typed.sandbox.unwrap_or(SandboxMode::Auto);

    /// Format of log lines on standard error.
    ///
    /// Default: text.
    [long, value_name = "FORMAT"] "choice" log_format: Option<LogFormat>
        => restart log_format: LogFormat = typed.log_format.unwrap_or(LogFormat::Text);

    /// Log level: error, warn, info, debug or trace, or levels by module.
    ///
    /// By module in the language of tracing's EnvFilter, such as
    /// info,lqd_feed=debug. Datagrams are counted, never logged one by one.
    /// Default: info.
    [long, value_name = "FILTER"] "plain" log: Option<String>
        => restart log: String = typed.log.clone().unwrap_or_else(|| "info".to_owned());

    /// Print an lq command that queries one of the leases, once ready.
    ///
    /// Shows that the path from requestor to lease works. It follows the line
    /// "lqd ready" on standard error. In the file: example-query = true.
    /// Default: off.
    [long] "plain" example_query: bool
        => reload example_query: bool = typed.example_query;
}
