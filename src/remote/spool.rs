//! Files that wait to be sent, one after the other in a single file on the disk: they
//! take no memory, and only one of the files that a process may have open.

use std::fs::File;
use std::io;
use std::io::BufWriter;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::remote::JobFile;
use crate::remote::action::Name;
use crate::store::Sha256Writer;

/// A file that only grows. Given one without a name, it is gone with the process.
#[derive(Debug)]
pub struct Spool(Mutex<File>);

impl Spool {
    /// Returns a spool in an empty file that can be read, too.
    pub fn new(file: File) -> Arc<Self> {
        Arc::new(Self(Mutex::new(file)))
    }

    /// Adds a file of what `write` writes; it is hashed on the way. None if `write` gives
    /// up, or the disk takes no more.
    pub fn add(
        self: &Arc<Self>,
        write: impl FnOnce(&mut Sha256Writer<BufWriter<&File>>) -> Option<()>,
    ) -> Option<JobFile> {
        let mut file = self.file();
        let start = file.seek(SeekFrom::End(0)).ok()?;
        let mut out = Sha256Writer::new(BufWriter::new(&*file));
        let is_written = write(&mut out).is_some() && out.flush().is_ok();
        let (sha256, size) = out.finish();
        if !is_written {
            // What there is of it is in nobody's way, but takes room.
            let _ = file.set_len(start);
            return None;
        }
        drop(file);
        let place = Spooled {
            spool: Arc::clone(self),
            start,
        };
        Some(JobFile::spooled(Name { sha256, size }, place))
    }

    fn file(&self) -> MutexGuard<'_, File> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let mut file = self.spool.file();
        file.seek(SeekFrom::Start(self.start + at))?;
        let mut bytes = vec![0; size];
        file.read_exact(&mut bytes)?;
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
}
