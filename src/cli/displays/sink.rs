//! A file or standard output that may fill up or close while a training goes on.

use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;

use crate::cli::reader;

/// Where a display writes. After the first failure nothing more is written.
pub struct Sink {
    out: Box<dyn Write + Send>,
    name: String,
    reader: Reader,
    is_broken: bool,
}

/// Who reads what is written.
enum Reader {
    /// One who has left.
    Gone,
    /// Whoever reads standard output.
    OfOutput,
    /// Whoever reads a file, which may be a pipe.
    OfFile(File),
    /// Not known.
    Unknown,
}

impl Sink {
    /// Creates the file `path`, or empties it.
    ///
    /// # Errors
    ///
    /// If that is not possible.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = File::create(path)?;
        let reader = file.try_clone().map_or(Reader::Unknown, Reader::OfFile);
        Ok(Self::new(file, path.display().to_string(), reader))
    }

    /// Returns standard output.
    pub fn of_output() -> Self {
        Self::new(io::stdout(), "standard output".to_owned(), Reader::OfOutput)
    }

    fn new(out: impl Write + Send + 'static, name: String, reader: Reader) -> Self {
        Self {
            out: Box::new(out),
            name,
            reader,
            is_broken: false,
        }
    }

    /// Returns whether the reader has left.
    pub fn is_unread(&self) -> bool {
        match &self.reader {
            Reader::Gone => true,
            Reader::OfOutput => reader::of_output_has_left(),
            Reader::OfFile(file) => reader::of_file_has_left(file),
            Reader::Unknown => false,
        }
    }

    /// Writes `text` at once, so that a reader sees it and a killed process has
    /// left it behind; returns a warning if that failed for the first time.
    pub fn write(&mut self, text: &str) -> Option<String> {
        if self.is_broken {
            return None;
        }
        let written = self.out.write_all(text.as_bytes());
        let error = written.and_then(|()| self.out.flush()).err()?;
        self.is_broken = true;
        if error.kind() == io::ErrorKind::BrokenPipe {
            self.reader = Reader::Gone;
        }
        Some(format!(
            "nothing more is written to `{}`, the training goes on: {error}",
            self.name
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes and no more, as a full disk does.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_one_warning() {
        let mut sink = Sink::new(Full(8), "events.jsonl".to_owned(), Reader::Unknown);
        assert_eq!(sink.write("12345\n"), None);
        let warning = sink.write("12345\n").unwrap();
        assert!(warning.starts_with("nothing more is written to `events.jsonl`"));
        assert_eq!(sink.write("12345\n"), None);
    }
}
