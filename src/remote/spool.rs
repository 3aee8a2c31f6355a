//! Files that wait to be sent, one after the other in a single file on the disk: they
//! take no memory, and only one of the files that a process may have open.

use std::fs::File;
use std::io;
use std::io::BufWriter;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::remote::JobFile;
use crate::remote::action::Name;
use crate::store::Sha256Writer;

/// A file that only grows. Given one without a name, it is gone with the process.
///
/// Who reads waits for nobody: what is there is not written again.
#[derive(Debug)]
pub struct Spool {
    file: File,
    /// Where the next file begins; held while one is written.
    end: Mutex<u64>,
}

impl Spool {
    /// Returns a spool in an empty file that can be read, too.
    pub fn new(file: File) -> Arc<Self> {
        let end = Mutex::new(0);
        Arc::new(Self { file, end })
    }

    /// Adds a file of what `write` writes; it is hashed on the way. None if `write` gives
    /// up, or the disk takes no more.
    pub fn add(
        self: &Arc<Self>,
        write: impl FnOnce(&mut Sha256Writer<BufWriter<Appending<'_>>>) -> Option<()>,
    ) -> Option<JobFile> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let start = *end;
        let file = &self.file;
        let mut out = Sha256Writer::new(BufWriter::new(Appending { file, at: start }));
        let is_written = write(&mut out).is_some() && out.flush().is_ok();
        let (sha256, size) = out.finish();
        if !is_written {
            // What there is of it is in nobody's way, but takes room.
            let _ = file.set_len(start);
            return None;
        }
        *end += size;
        let place = Spooled {
            spool: Arc::clone(self),
            start,
        };
        Some(JobFile::spooled(Name { sha256, size }, place))
    }
}

/// Writes behind what is there.
#[derive(Debug)]
pub struct Appending<'a> {
    file: &'a File,
    at: u64,
}

impl Write for Appending<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = write_at(self.file, bytes, self.at)?;
        self.at += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, bytes, at)
}

#[cfg(windows)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, bytes, at)
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, bytes, at)
}

#[cfg(windows)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, bytes, at)
}

/// Where a file begins in a spool.
#[derive(Clone, Debug)]
pub(super) struct Spooled {
    spool: Arc<Spool>,
    start: u64,
}

impl Spooled {
    /// Reads so many bytes of the file from `at` on.
    pub(super) fn read(&self, at: u64, size: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; size];
        let mut done = 0;
        while done < size {
            let from = self.start + at + done as u64;
            match read_at(&self.spool.file, &mut bytes[done..], from) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::remote::execute::Content;

    fn add(spool: &Arc<Spool>, bytes: &[u8]) -> JobFile {
        spool.add(|out| out.write_all(bytes).ok()).unwrap()
    }

    #[test]
    fn each_file_is_what_was_written_whatever_came_between() {
        let spool = Spool::new(tempfile::tempfile().unwrap());
        let first = add(&spool, b"first");
        let half = spool.add(|out| out.write_all(b"half").err().map(|_| ()));
        assert!(half.is_none());
        let (empty, last) = (add(&spool, b""), add(&spool, &[7; 100_000]));
        let files = [
            (&first, &b"first"[..]),
            (&empty, b""),
            (&last, &[7; 100_000]),
        ];
        for (file, bytes) in files {
            assert_eq!(file.name(), Name::of(bytes));
            assert!(matches!(file.content(), Content::Spooled(_)));
            assert_eq!(**file.content().read(file.name()).unwrap().1, *bytes);
        }
        assert_eq!(last.content().piece(99_998, 2).unwrap(), [7, 7]);
        assert!(last.content().piece(99_999, 2).is_err());
    }

    #[test]
    fn who_reads_does_not_wait_for_who_writes() {
        let spool = Spool::new(tempfile::tempfile().unwrap());
        let first = add(&spool, b"first");
        let second = spool.add(|out| {
            let read = first.content().read(first.name());
            out.write_all(&read.unwrap().1).ok()
        });
        assert_eq!(second.unwrap().name(), first.name());
    }
}
