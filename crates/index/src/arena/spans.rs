//! Free memory that no size class owns: runs given back, joined with their neighbours.

use std::collections::BTreeSet;

use super::{Address, CHUNK_WORDS, Region};

/// Free pieces of any length, no two of them neighbours when they were joined.
#[derive(Default)]
pub(super) struct Spans {
    /// Words and address of each.
    pieces: BTreeSet<(u32, Address)>,
    /// Chunks whose memory was returned to the system.
    released: BTreeSet<u32>,
}

impl Spans {
    /// Cuts `at_most` words from the shortest piece that has at least `words`; with them, how many chunks the
    /// system has to back again.
    pub(super) fn take(&mut self, words: usize, at_most: usize) -> Option<(Region, u32)> {
        let piece = *self.pieces.range((words as u32, 0)..).next()?;
        // The piece is keyed by its length, which changes.
        self.pieces.remove(&piece);
        let (len, at) = piece;
        let taken = len.min(at_most as u32);
        if taken < len {
            self.pieces.insert((len - taken, at + taken));
        }
        let region = Region { next: at, end: at + taken };
        let chunks = at / CHUNK_WORDS as u32..region.end.div_ceil(CHUNK_WORDS as u32);
        // A chunk counts once, whichever run brings it back.
        let backed = chunks.filter(|chunk| self.released.remove(chunk)).count();
        Some((region, backed as u32))
    }

    /// Joins these runs, which are free, with each other and with the pieces that are here.
    pub(super) fn join(&mut self, mut runs: Vec<Region>) {
        runs.extend(self.pieces.iter().map(|&(len, at)| Region { next: at, end: at + len }));
        runs.sort_unstable_by_key(|run| run.next);
        // Sorted by address, so that neighbours lie side by side in the list.
        runs.dedup_by(|next, run| {
            let are_neighbours = run.end == next.next;
            if are_neighbours {
                run.end = next.end;
            }
            are_neighbours
        });
        self.pieces = runs.iter().map(|run| (run.words() as u32, run.next)).collect();
    }

    /// Chunks that lie in one piece and that the system still backs; from now on it does not.
    pub(super) fn release(&mut self) -> Vec<u32> {
        let long = self.pieces.range((CHUNK_WORDS as u32, 0)..);
        let chunks =
            // Rounded inwards: a chunk with a run in use must stay.
            long.flat_map(|&(len, at)| at.div_ceil(CHUNK_WORDS as u32)..(at + len) / CHUNK_WORDS as u32);
        let chunks: Vec<u32> = chunks.filter(|chunk| !self.released.contains(chunk)).collect();
        self.released.extend(&chunks);
        chunks
    }

    /// Takes all pieces of another one.
    pub(super) fn absorb(&mut self, other: Self) {
        self.pieces.extend(other.pieces);
        self.released.extend(other.released);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_joined_and_the_shortest_piece_that_fits_is_cut() {
        let mut spans = Spans::default();
        let run = |next, end| Region { next, end };
        // Order does not matter: each call joins all that is free.
        spans.join(vec![run(30, 40), run(10, 20), run(20, 25)]);
        spans.join(vec![run(40, 50), run(60, 61)]);
        let mut take =
            |words, at_most| spans.take(words, at_most).map(|(region, _)| (region.next, region.end));
        assert_eq!(take(2, 8), Some((10, 18)));
        assert_eq!(take(8, 100), Some((30, 50)));
        assert_eq!(take(8, 100), None);
        assert_eq!(take(1, 1), Some((60, 61)));
    }

    #[test]
    fn whole_chunks_are_released_once_and_backed_again_when_taken() {
        let chunk = CHUNK_WORDS as u32;
        let mut spans = Spans::default();
        spans.join(vec![Region { next: chunk - 1, end: 3 * chunk + 1 }]);
        assert_eq!(spans.release(), [1, 2]);
        assert_eq!(spans.release(), []);
        let backed = |taken: Option<(Region, u32)>| taken.unwrap().1;
        assert_eq!(backed(spans.take(1, 1)), 0);
        assert_eq!(backed(spans.take(1, CHUNK_WORDS + 1)), 2);
    }
}
