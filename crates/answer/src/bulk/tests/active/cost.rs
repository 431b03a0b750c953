//! The CPU time that one change costs one reader.

use super::*;

/// `cargo test --release -p lqd-answer cost_of_a_change -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn cost_of_a_change() {
    let cpu_ns = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        text.split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    for (leases, per_read) in [(100_000_u32, 512), (1000, 20_000)] {
        let rows: Vec<_> = (0..leases)
            .map(|client| {
                let mut row =
                    row(0, &format!("2001:db8:1::{:x}:{:x}", 1 + client / 1000, client % 1000), 128, 1);
                row.duid = [&[0, 1, 0, 1, 9, 9, 9, 9, 8, 8][..], &client.to_be_bytes()].concat();
                row
            })
            .collect();
        let mut live = Live::with_history(&[], ChangeLogLimits { seconds: 600, bytes: 1 << 28 });
        live.ask(&active(7, &[]));
        let (mut spent, mut changes, mut messages) = (0, 0_u64, 0);
        let mut unread = 0;
        for rows in rows.chunks(500).cycle().take(400) {
            live.put(rows);
            (changes, unread) = (changes + rows.len() as u64, unread + rows.len());
            if unread >= per_read {
                unread = 0;
                let (start, mut out) = (cpu_ns(), Vec::with_capacity(1 << 24));
                let mut buffer = vec![0; BULK_BUFFER_LEN];
                while let Progress::Octets(len) =
                    live.session.send(&live.rig.engine, &live.rig.reader.pin(), Rig::now(), &mut buffer)
                {
                    out.extend_from_slice(&buffer[..len]);
                }
                spent += cpu_ns() - start;
                messages += follower::frames(&out).len();
            }
        }
        println!("{leases} leases: {changes} changes, {messages} messages, {} ns a change", spent / changes);
    }
}
