//! zstd, where the server offers it. What is unpacked never exceeds the size that
//! was promised.

use std::io;
use std::io::Write;

use zstd::stream::write::Decoder;

use crate::remote::fault::Fault;

/// Smaller blobs are sent as they are.
pub(super) const PACK_FROM: usize = 1_024;

/// The level: fast, as weights hardly get smaller by any.
const LEVEL: i32 = 1;

/// Returns `bytes` packed, if that is worth it.
pub(super) fn packed(bytes: &[u8]) -> Option<Vec<u8>> {
    let packed = zstd::bulk::compress(bytes, LEVEL).ok()?;
    (packed.len() < bytes.len()).then_some(packed)
}

/// Collects the bytes of a blob as they come, packed or not.
pub(super) enum Sink {
    /// As they are.
    Plain(Bounded),
    /// Packed.
    Zstd(Box<Decoder<'static, Bounded>>),
}

/// Bytes that may not become more than was promised.
pub(super) struct Bounded {
    bytes: Vec<u8>,
    size_max: usize,
}

/// Room that is made in advance.
const ROOM_MAX: usize = 16 << 20;

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + piece.len() > self.size_max {
            return Err(io::Error::other("more bytes than promised"));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink {
    /// Returns a sink that goes on after `bytes`, for a blob of `size_max` bytes.
    pub(super) fn new(bytes: Vec<u8>, size_max: u64, is_packed: bool) -> Result<Self, Fault> {
        let size_max = usize::try_from(size_max).unwrap_or(usize::MAX);
        let mut bounded = Bounded { bytes, size_max };
        let room = size_max.min(ROOM_MAX).saturating_sub(bounded.bytes.len());
        bounded.bytes.reserve(room);
        if !is_packed {
            return Ok(Self::Plain(bounded));
        }
        let decoder = Decoder::new(bounded);
        let decoder = decoder.map_err(|error| Fault::Lasting(error.to_string()))?;
        Ok(Self::Zstd(Box::new(decoder)))
    }

    /// Takes the next piece.
    pub(super) fn take(&mut self, piece: &[u8]) -> Result<(), Fault> {
        let taken = match self {
            Self::Plain(bounded) => bounded.write_all(piece),
            Self::Zstd(decoder) => decoder.write_all(piece),
        };
        taken.map_err(|error| Fault::Wrong(format!("bytes of a blob: {error}")))
    }

    /// Returns what came so far, unpacked.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Plain(bounded) => bounded.bytes,
            Self::Zstd(mut decoder) => {
                // What cannot be unpacked yet is asked for again.
                let _ = decoder.flush();
                decoder.into_inner().bytes
            }
        }
    }
}

/// Returns packed `bytes` as they were, if they are `size` bytes then.
pub(super) fn unpacked(bytes: &[u8], size: u64) -> Result<Vec<u8>, Fault> {
    let mut sink = Sink::new(Vec::new(), size, true)?;
    sink.take(bytes)?;
    Ok(sink.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back() {
        let bytes = vec![7; 100_000];
        let packed = packed(&bytes).unwrap();
        assert!(packed.len() < 1_000);
        assert_eq!(unpacked(&packed, 100_000).unwrap(), bytes);
    }

    #[test]
    fn noise_is_sent_as_it_is() {
        let noise: Vec<u8> = (0..64_u8)
            .flat_map(|n| *blake3::hash(&[n]).as_bytes())
            .collect();
        assert_eq!(packed(&noise), None);
    }

    #[test]
    fn a_bomb_is_refused_before_it_takes_memory() {
        let bomb = packed(&vec![0; 64 << 20]).unwrap();
        assert!(matches!(unpacked(&bomb, 1_000), Err(Fault::Wrong(_))));
        assert!(matches!(
            unpacked(b"no zstd at all", 1_000),
            Err(Fault::Wrong(_))
        ));
    }

    #[test]
    fn what_came_before_a_cut_is_kept() {
        let bytes: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let packed = packed(&bytes).unwrap();
        let mut sink = Sink::new(Vec::new(), bytes.len() as u64, true).unwrap();
        sink.take(&packed[..packed.len() / 2]).unwrap();
        let first = sink.into_bytes();
        assert!(!first.is_empty() && bytes.starts_with(&first));
    }
}
