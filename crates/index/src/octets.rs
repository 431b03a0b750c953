//! Octets in words: eight in network order, the last word padded with zeros.

use std::sync::atomic::{AtomicU64, Ordering};

/// Appends the words of these octets.
pub(crate) fn push_octets(out: &mut Vec<u64>, octets: &[u8]) {
    out.extend(octets.chunks(8).map(word_of));
}

/// Packs at most eight octets in network order, padded with zeros.
pub(crate) fn word_of(octets: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..octets.len()].copy_from_slice(octets);
    u64::from_be_bytes(word)
}

/// Fills `out` with the octets from `at` on.
pub(crate) fn copy_octets(words: &[AtomicU64], at: usize, out: &mut [u8]) {
    let (first, skip) = (at / 8, at % 8);
    // The first word may begin in the middle.
    let lead = (8 - skip).min(out.len());
    let (head, body) = out.split_at_mut(lead);
    if !head.is_empty() {
        head.copy_from_slice(&load(words, first).to_be_bytes()[skip..skip + lead]);
    }
    // The last chunk may be short, and takes only its part of a word.
    for (chunk, word) in body.chunks_mut(8).zip(&words[(first + 1).min(words.len())..]) {
        chunk.copy_from_slice(&word.load(Ordering::Relaxed).to_be_bytes()[..chunk.len()]);
    }
}

/// Relaxed is enough: the pointer to the record was loaded with Acquire.
#[inline]
pub(crate) fn load(words: &[AtomicU64], at: usize) -> u64 {
    words[at].load(Ordering::Relaxed)
}
