//! The digest of what is read, while it is read.

use std::io;
use std::io::Read;

use crate::digest::Digest;

/// A reader that hashes all that goes through it.
pub struct HashingReader<R> {
    inner: R,
    hasher: blake3::Hasher,
}

impl<R: Read> HashingReader<R> {
    /// Returns a reader of what `inner` gives.
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            hasher: blake3::Hasher::new(),
        }
    }

    /// Reads on to the end and returns the digest of everything that was read.
    ///
    /// # Errors
    ///
    /// If reading fails.
    pub fn finish(mut self) -> io::Result<Digest> {
        let mut buffer = vec![0; 1 << 17];
        while self.read(&mut buffer)? > 0 {}
        Ok(Digest(*self.hasher.finalize().as_bytes()))
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_all_bytes_however_many_were_wanted() {
        let bytes: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
        let mut reader = HashingReader::new(&bytes[..]);
        reader.read_exact(&mut [0; 10]).unwrap();
        assert_eq!(reader.finish().unwrap(), Digest::of(&bytes));
        assert_eq!(
            HashingReader::new(io::empty()).finish().unwrap(),
            Digest::of(b"")
        );
    }
}
