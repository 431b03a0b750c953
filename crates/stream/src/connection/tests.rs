//! Connections over an in-memory stream, with tokio's clock paused: a wait of minutes takes no time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{DuplexStream, duplex};
use tokio::time::sleep;

use super::*;

/// Octets of the send buffer of these tests.
const BUFFER_LEN: usize = 1024;
const TIMEOUT: Duration = Duration::from_secs(300);
/// Octets that the stream holds for its reader.
const PIPE_LEN: usize = 64;

/// Protocol of frames that are one octet N: the answer is N times 1 KiB; 0 is a part of a frame, 255 closes,
/// 254 asks for TLS.
#[derive(Default)]
struct Repeater {
    frames: u64,
    owed: usize,
    /// Busy turns before the next octets.
    work: usize,
    closing: bool,
    starts_tls: bool,
    calls: usize,
    /// Awaits no frames.
    active: bool,
    /// Moment from which it owes one buffer more.
    wake: Option<Instant>,
    send_timeout: Option<Duration>,
    /// Buffers owed beyond, by others.
    grown: Arc<AtomicUsize>,
}

impl Session for Repeater {
    fn wants_octets(&self) -> bool {
        self.owed == 0 && !self.closing
    }

    fn receive(&mut self, octets: &[u8]) {
        for &octet in octets.iter().filter(|octet| **octet > 0) {
            self.frames += 1;
            match octet {
                255 => self.closing = true,
                254 => self.starts_tls = true,
                times => self.owed += usize::from(times),
            }
        }
    }

    fn receive_end(&mut self) {
        self.closing = true;
    }

    fn frames(&self) -> u64 {
        self.frames
    }

    fn terminate(&mut self) {
        (self.owed, self.closing) = (self.owed.min(1), true);
    }

    fn send(&mut self, buffer: &mut [u8]) -> Progress {
        self.calls += 1;
        self.owed += self.grown.swap(0, Ordering::Relaxed);
        if self.wake.take_if(|wake| *wake <= Instant::now()).is_some() {
            self.owed += 1;
        }
        if self.work > 0 {
            self.work -= 1;
            return Progress::Busy;
        }
        if self.owed > 0 {
            self.owed -= 1;
            buffer.fill(7);
            return Progress::Octets(buffer.len());
        }
        match self.closing {
            true => Progress::Close,
            false if self.starts_tls => Progress::StartTls,
            false => Progress::Idle,
        }
    }

    fn awaits_frames(&self) -> bool {
        !self.active
    }

    fn wake_in(&self) -> Option<Duration> {
        self.wake.map(|wake| wake - Instant::now())
    }

    fn send_timeout(&self) -> Option<Duration> {
        self.send_timeout
    }
}

fn shared() -> Shared {
    Shared { buffers: Buffers::new(BUFFER_LEN), counters: Arc::default(), timeout: TIMEOUT }
}

/// Runs a connection beside a peer; returns how it was closed, after how long, and the session.
async fn run<F: Future<Output = ()>>(
    peer: impl FnOnce(DuplexStream, watch::Sender<bool>) -> F,
) -> (Closed, Duration, Repeater) {
    let (end, took, session) = run_session(Repeater::default(), None, peer).await;
    let End::Closed(closed) = end else { panic!("{end:?}") };
    (closed, took, session)
}

/// As [`run`], with a session and a signal of growth.
async fn run_session<F: Future<Output = ()>>(
    mut session: Repeater,
    growth: Option<watch::Receiver<()>>,
    peer: impl FnOnce(DuplexStream, watch::Sender<bool>) -> F,
) -> (End, Duration, Repeater) {
    let (mut ours, theirs) = duplex(PIPE_LEN);
    let (shared, (stop, stopped)) = (shared(), watch::channel(false));
    let started = Instant::now();
    let connection = async {
        let end = Connection::new(&mut ours, &mut session, &shared).run(stopped, growth).await;
        drop(ours);
        (end, started.elapsed())
    };
    let ((end, took), ()) = tokio::join!(connection, peer(theirs, stop));
    (end, took, session)
}

/// Reads to the end.
async fn rest(stream: &mut DuplexStream) -> usize {
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn answers_are_sent_before_the_peers_end_closes() {
    let (closed, ..) = run(async |mut stream: DuplexStream, _stop| {
        stream.write_all(&[3]).await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(rest(&mut stream).await, 3 * BUFFER_LEN);
    })
    .await;
    assert_eq!(closed, Closed::ByPeer);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_closes_is_sent_to_its_end_and_unread_octets_are_discarded() {
    let (closed, ..) = run(async |mut stream: DuplexStream, _stop| {
        stream.write_all(&[2, 255, 1]).await.unwrap();
        assert_eq!(rest(&mut stream).await, 3 * BUFFER_LEN);
        stream.write_all(&[9; 1000]).await.unwrap();
    })
    .await;
    assert_eq!(closed, Closed::BySession);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_in_time() {
    let (closed, took, _) = run(async |mut stream: DuplexStream, _stop| {
        assert_eq!(rest(&mut stream).await, 0);
    })
    .await;
    assert_eq!((closed, took), (Closed::Idle, TIMEOUT));
}

#[tokio::test(start_paused = true)]
async fn parts_of_a_frame_do_not_restart_its_time() {
    let (closed, took, _) = run(async |mut stream: DuplexStream, _stop| {
        for _ in 0..4 {
            sleep(TIMEOUT / 5).await;
            stream.write_all(&[0]).await.unwrap();
        }
        assert_eq!(rest(&mut stream).await, 0);
    })
    .await;
    assert_eq!((closed, took), (Closed::Idle, TIMEOUT));
}

#[tokio::test(start_paused = true)]
async fn complete_frames_restart_the_time() {
    let (closed, took, session) = run(async |mut stream: DuplexStream, _stop| {
        for _ in 0..4 {
            sleep(TIMEOUT * 4 / 5).await;
            stream.write_all(&[1]).await.unwrap();
            stream.read_exact(&mut [0; BUFFER_LEN]).await.unwrap();
        }
        assert_eq!(rest(&mut stream).await, 0);
    })
    .await;
    assert_eq!((closed, took, session.frames), (Closed::Idle, TIMEOUT * 4 * 4 / 5 + TIMEOUT, 4));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_is_closed_and_costs_no_turns() {
    let (closed, took, session) = run(async |mut stream: DuplexStream, _stop| {
        stream.write_all(&[9]).await.unwrap();
        sleep(TIMEOUT * 2).await;
        assert_eq!(rest(&mut stream).await, PIPE_LEN, "what the pipe holds");
    })
    .await;
    assert_eq!((closed, took), (Closed::Stalled, TIMEOUT));
    assert_eq!(session.calls, 2, "idle, and one buffer");
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_has_its_time_for_each_buffer() {
    let (closed, took, _) = run(async |mut stream: DuplexStream, _stop| {
        stream.write_all(&[3]).await.unwrap();
        for _ in 0..3 {
            sleep(TIMEOUT * 4 / 5).await;
            stream.read_exact(&mut [0; BUFFER_LEN]).await.unwrap();
        }
        stream.shutdown().await.unwrap();
        assert_eq!(rest(&mut stream).await, 0);
    })
    .await;
    assert_eq!((closed, took), (Closed::ByPeer, TIMEOUT * 12 / 5));
}

#[tokio::test(start_paused = true)]
async fn octets_one_by_one_do_not_prolong_a_buffer() {
    let (closed, took, _) = run(async |mut stream: DuplexStream, _stop| {
        stream.write_all(&[1]).await.unwrap();
        let mut count = 0;
        while stream.read(&mut [0]).await.unwrap() > 0 {
            count += 1;
            sleep(Duration::from_secs(1)).await;
        }
        assert!(count < BUFFER_LEN);
    })
    .await;
    assert_eq!((closed, took), (Closed::Stalled, TIMEOUT));
}

#[tokio::test(start_paused = true)]
async fn a_session_at_its_limit_is_not_late_with_the_next_frame() {
    let (closed, took, session) = run(async |mut stream: DuplexStream, _stop| {
        // The frame of 2 stays unread until the answer to 3 has left, and is never late.
        stream.write_all(&[3]).await.unwrap();
        stream.read_exact(&mut [0; 1]).await.unwrap();
        stream.write_all(&[2]).await.unwrap();
        let mut left = 5 * BUFFER_LEN - 1;
        while left > 0 {
            sleep(TIMEOUT / 2).await;
            left -= stream.read_exact(&mut vec![0; left.min(BUFFER_LEN)]).await.unwrap();
        }
        assert_eq!(rest(&mut stream).await, 0);
    })
    .await;
    assert_eq!((closed, took > TIMEOUT * 3, session.frames), (Closed::Idle, true, 2));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_sessions_after_what_they_owe() {
    let (closed, took, _) = run(async |mut stream: DuplexStream, stop: watch::Sender<bool>| {
        stream.write_all(&[200]).await.unwrap();
        stream.read_exact(&mut [0; BUFFER_LEN]).await.unwrap();
        stop.send(true).unwrap();
        let sent = rest(&mut stream).await;
        assert!((1..=3 * BUFFER_LEN).contains(&sent), "{sent}");
    })
    .await;
    assert_eq!((closed, took < Duration::from_secs(1)), (Closed::Stopped, true));
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_longer_for_a_reader() {
    let (closed, took, _) = run(async |mut stream: DuplexStream, stop: watch::Sender<bool>| {
        stream.write_all(&[200]).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        stop.send(true).unwrap();
        sleep(TIMEOUT).await;
        drop(stream);
    })
    .await;
    assert_eq!((closed, took), (Closed::Cut, Duration::from_secs(1) + STOP_PATIENCE));
}

#[tokio::test(start_paused = true)]
async fn a_busy_session_lets_others_run() {
    let (mut ours, mut theirs) = duplex(PIPE_LEN);
    let (shared, (_stop, stopped)) = (shared(), watch::channel(false));
    let mut session = Repeater { work: 1000, ..Repeater::default() };
    let connection = Connection::new(&mut ours, &mut session, &shared).run(stopped, None);
    let mut turns = 0;
    let other = async {
        // The peer's end is noticed while the session works.
        theirs.shutdown().await.unwrap();
        for _ in 0..100 {
            turns += 1;
            yield_now().await;
        }
        rest(&mut theirs).await
    };
    let (closed, sent) = tokio::join!(connection, other);
    assert_eq!((closed, sent, turns), (End::Closed(Closed::ByPeer), 0, 100));
    assert_eq!(session.calls, 1001);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_awaits_no_frames_is_never_idle_for_too_long_and_growth_wakes_it() {
    let (grow, growth) = watch::channel(());
    let session = Repeater { active: true, ..Repeater::default() };
    let grown = Arc::clone(&session.grown);
    let (end, took, session) = run_session(session, Some(growth), async |mut stream: DuplexStream, _stop| {
        for _ in 0..3 {
            sleep(TIMEOUT * 2).await;
            grown.fetch_add(1, Ordering::Relaxed);
            grow.send(()).unwrap();
            stream.read_exact(&mut [0; BUFFER_LEN]).await.unwrap();
        }
        // The end of whoever signals is no growth, and does not spin.
        drop(grow);
        sleep(TIMEOUT * 2).await;
        stream.shutdown().await.unwrap();
        assert_eq!(rest(&mut stream).await, 0);
    })
    .await;
    assert_eq!((end, took), (End::Closed(Closed::ByPeer), TIMEOUT * 8));
    assert!(session.calls < 25, "{} calls", session.calls);
}

#[tokio::test(start_paused = true)]
async fn growth_while_a_session_sends_is_not_lost() {
    let (grow, growth) = watch::channel(());
    let session = Repeater { active: true, ..Repeater::default() };
    let grown = Arc::clone(&session.grown);
    run_session(session, Some(growth), async |mut stream: DuplexStream, _stop| {
        stream.write_all(&[1]).await.unwrap();
        stream.read_exact(&mut [0; BUFFER_LEN - PIPE_LEN]).await.unwrap();
        grown.fetch_add(1, Ordering::Relaxed);
        grow.send(()).unwrap();
        stream.read_exact(&mut [0; BUFFER_LEN + PIPE_LEN]).await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn growth_does_not_wake_a_session_that_awaits_frames() {
    let (grow, growth) = watch::channel(());
    let (end, took, session) =
        run_session(Repeater::default(), Some(growth), async |mut stream: DuplexStream, _stop| {
            for _ in 0..10 {
                sleep(Duration::from_secs(1)).await;
                grow.send(()).unwrap();
            }
            assert_eq!(rest(&mut stream).await, 0);
        })
        .await;
    assert_eq!((end, took, session.calls), (End::Closed(Closed::Idle), TIMEOUT, 1));
}

#[tokio::test(start_paused = true)]
async fn a_session_is_woken_at_its_time() {
    let wake = Duration::from_secs(60);
    let session = Repeater { wake: Some(Instant::now() + wake), ..Repeater::default() };
    let (end, took, session) = run_session(session, None, async |mut stream: DuplexStream, _stop| {
        let started = Instant::now();
        stream.read_exact(&mut [0; BUFFER_LEN]).await.unwrap();
        assert!(
            (wake..wake + Duration::from_secs(1)).contains(&started.elapsed()),
            "{:?}",
            started.elapsed()
        );
        assert_eq!(rest(&mut stream).await, 0);
    })
    .await;
    // Only a frame restarts the time for the next one.
    assert!(
        matches!(end, End::Closed(Closed::Idle)) && took < wake + TIMEOUT + Duration::from_secs(1),
        "{took:?}"
    );
    assert!(session.calls < 6, "{} calls", session.calls);
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_has_begun_must_be_complete_even_if_none_is_awaited() {
    let session = Repeater { active: true, ..Repeater::default() };
    let (end, took, _) = run_session(session, None, async |mut stream: DuplexStream, _stop| {
        sleep(TIMEOUT * 2).await;
        stream.write_all(&[0]).await.unwrap();
        assert_eq!(rest(&mut stream).await, 0);
    })
    .await;
    assert_eq!((end, took), (End::Closed(Closed::Idle), TIMEOUT * 3));
}

#[tokio::test(start_paused = true)]
async fn a_session_may_have_a_send_timeout_of_its_own() {
    let send_timeout = Some(TIMEOUT / 10);
    let session = Repeater { send_timeout, ..Repeater::default() };
    let (end, took, _) = run_session(session, None, async |mut stream: DuplexStream, _stop| {
        stream.write_all(&[1]).await.unwrap();
        sleep(TIMEOUT).await;
        assert_eq!(rest(&mut stream).await, PIPE_LEN);
    })
    .await;
    assert_eq!((end, took), (End::Closed(Closed::Stalled), TIMEOUT / 10));
}

#[tokio::test(start_paused = true)]
async fn tls_begins_once_everything_owed_has_left() {
    let (end, ..) = run_session(Repeater::default(), None, async |mut stream: DuplexStream, _stop| {
        stream.write_all(&[2, 254]).await.unwrap();
        assert_eq!(rest(&mut stream).await, 2 * BUFFER_LEN);
    })
    .await;
    assert_eq!(end, End::StartTls);
}
