//! A file or standard output that may fill up or close while a training goes on.

use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;

/// Where a display writes. After the first failure nothing more is written.
pub struct Sink {
    out: Box<dyn Write + Send>,
    name: String,
    is_broken: bool,
    is_unread: bool,
}

impl Sink {
    /// Creates the file `path`, or empties it.
    ///
    /// # Errors
    ///
    /// If that is not possible.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self::new(File::create(path)?, path.display().to_string()))
    }

    /// Returns standard output.
    pub fn of_output() -> Self {
        Self::new(io::stdout(), "standard output".to_owned())
    }

    fn new(out: impl Write + Send + 'static, name: String) -> Self {
        Self {
            out: Box::new(out),
            name,
            is_broken: false,
            is_unread: false,
        }
    }

    /// Returns whether writing failed because the reader has left.
    pub fn is_unread(&self) -> bool {
        self.is_unread
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
        self.is_unread = error.kind() == io::ErrorKind::BrokenPipe;
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
        let mut sink = Sink::new(Full(8), "events.jsonl".to_owned());
        assert_eq!(sink.write("12345\n"), None);
        let warning = sink.write("12345\n").unwrap();
        assert!(warning.starts_with("nothing more is written to `events.jsonl`"));
        assert_eq!(sink.write("12345\n"), None);
    }
}
