//! One gzip member of pieces: some compressed, some stored as they are.
//!
//! Numbers of a network look random: compressing them takes most of the time in which
//! a model is packed or loaded, and spares a twelfth. So a piece is either a run of
//! deflate blocks of its own or a run of stored blocks (RFC 1951, 3.2.4), byte after
//! byte in one stream that every reader of gzip takes.

use std::io::Write;
use std::mem;

use flate2::Compression;
use flate2::Crc;
use flate2::write::DeflateEncoder;

/// Magic number, deflate, no flags, no time, no level, no operating system (RFC 1952).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// The most bytes of a stored block.
const BLOCK_MOST: usize = u16::MAX as usize;

/// An empty stored block: what a flush adds when nothing was left to be written. Where
/// the encoder's buffer was full, one flush does not write all.
const EMPTY: [u8; 5] = [0, 0, 0, 0xff, 0xff];

/// Flushes until then: two are enough.
const FLUSHES: usize = 4;

/// A member under way.
pub(super) struct Gzip {
    out: Vec<u8>,
    crc: Crc,
}

impl Gzip {
    /// Returns a member without content that is to have about so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        let mut out = Vec::with_capacity(bytes);
        out.extend_from_slice(&HEADER);
        Self {
            out,
            crc: Crc::new(),
        }
    }

    /// Adds a piece, compressed.
    pub(super) fn deflate(&mut self, piece: &[u8], level: u32) {
        match deflated(piece, level) {
            Some(blocks) => {
                self.crc.update(piece);
                self.out.extend(blocks);
            }
            None => self.store(piece),
        }
    }

    /// Adds a piece as it is.
    pub(super) fn store(&mut self, piece: &[u8]) {
        self.crc.update(piece);
        for block in piece.chunks(BLOCK_MOST) {
            self.block(false, block);
        }
    }

    /// Returns the whole member.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.block(true, &[]);
        self.out.extend(self.crc.sum().to_le_bytes());
        self.out.extend(self.crc.amount().to_le_bytes());
        self.out
    }

    /// Adds a stored block, which starts at a byte as each before ended at one.
    fn block(&mut self, is_last: bool, bytes: &[u8]) {
        let count = bytes.len() as u16;
        self.out.push(u8::from(is_last));
        self.out.extend(count.to_le_bytes());
        self.out.extend((!count).to_le_bytes());
        self.out.extend_from_slice(bytes);
    }
}

/// Returns a piece as deflate blocks of which none is the last, and which end at a
/// byte; none if the encoder keeps something back.
fn deflated(piece: &[u8], level: u32) -> Option<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(piece).ok()?;
    for _ in 0..FLUSHES {
        let before = encoder.get_ref().len();
        encoder.flush().ok()?;
        if encoder.get_ref()[before..] == EMPTY {
            // What ends a stream is not wanted: others follow.
            return Some(mem::take(encoder.get_mut()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::bufread::GzDecoder;
    use proptest::prelude::*;

    use super::*;

    fn read(member: &[u8]) -> (Vec<u8>, usize) {
        let mut decoder = GzDecoder::new(member);
        let mut content = Vec::new();
        decoder.read_to_end(&mut content).unwrap();
        (content, decoder.into_inner().len())
    }

    proptest! {
        #[test]
        fn pieces_come_back_as_one(
            pieces in prop::collection::vec((any::<bool>(), 0..3_usize, any::<u8>()), 0..6),
        ) {
            let mut gzip = Gzip::with_capacity(0);
            let mut want = Vec::new();
            for (is_stored, size, byte) in pieces {
                // None, a little, and more than one block.
                let size = [0, 17, 2 * BLOCK_MOST + 3][size];
                let piece: Vec<u8> = (0..size).map(|at| byte ^ (at % 251) as u8).collect();
                match is_stored {
                    true => gzip.store(&piece),
                    false => gzip.deflate(&piece, 1),
                }
                want.extend(piece);
            }
            prop_assert_eq!(read(&gzip.finish()), (want, 0));
        }
    }

    /// Words of a small vocabulary, or bytes without any order.
    fn noise(count: usize, is_text: bool) -> Vec<u8> {
        let mut state = count as u32 | 1;
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match is_text {
                true => bytes
                    .extend_from_slice(format!("\"w{}\":{},", state >> 20, state & 7).as_bytes()),
                false => bytes.push((state >> 24) as u8),
            }
        }
        bytes.truncate(count);
        bytes
    }

    /// An encoder's buffers are full at some of these sizes.
    #[test]
    fn nothing_is_kept_back_whatever_the_size() {
        for is_text in [false, true] {
            for count in (20_000..200_000).step_by(1_511) {
                let piece = noise(count, is_text);
                assert!(deflated(&piece, 1).is_some(), "{count}");
                let mut gzip = Gzip::with_capacity(0);
                gzip.deflate(&piece, 1);
                gzip.store(b"behind");
                let want = [piece, b"behind".to_vec()].concat();
                assert!(read(&gzip.finish()) == (want, 0), "{count}");
            }
        }
    }

    #[test]
    fn what_is_stored_takes_its_size_and_a_few_bytes() {
        let noise: Vec<u8> = (0..1_000_000_u32)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let mut gzip = Gzip::with_capacity(noise.len());
        gzip.store(&noise);
        assert!(gzip.finish().len() < noise.len() + 200);
    }
}
