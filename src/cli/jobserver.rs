//! The jobserver of GNU make: tokens for jobs, shared by all programs below one
//! `make -jN`, so that together they use N cores and not N times N.
//!
//! A program may do one job without a token. For each more it takes a byte from a
//! pipe that make has filled, and gives it back at its end. Make names the pipe in
//! `MAKEFLAGS`: by its path (`--jobserver-auth=fifo:PATH`, make 4.4) or by two file
//! descriptors (`--jobserver-auth=R,W`), which it keeps open only for recipes that
//! start with `+` or call `$(MAKE)`.
//!
//! What is free when the program starts is taken, up to what it could use; nothing
//! is waited for, and all is given back when it ends. Under a signal that cannot be
//! caught tokens are lost, as with every other program.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::PathBuf;

/// How a jobserver is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Address {
    /// A pipe with a name.
    Fifo(PathBuf),
    /// Two ends of a pipe that were inherited.
    Descriptors(u32, u32),
}

impl Address {
    /// Finds the address in the value of `MAKEFLAGS`; of several the last counts.
    fn find(flags: &str) -> Option<Self> {
        // What follows a lone `--` are variables.
        let words = flags
            .split_ascii_whitespace()
            .take_while(|word| *word != "--");
        let value = words.filter_map(|word| {
            word.strip_prefix("--jobserver-auth=")
                .or_else(|| word.strip_prefix("--jobserver-fds="))
        });
        let value = value.last()?;
        if let Some(path) = value.strip_prefix("fifo:") {
            return Some(Self::Fifo(path.into()));
        }
        let (read, write) = value.split_once(',')?;
        // Make says so where it takes the descriptors away.
        Some(Self::Descriptors(read.parse().ok()?, write.parse().ok()?))
    }

    /// Opens both ends anew, so that not to wait is our own affair.
    #[cfg(unix)]
    fn open(&self) -> io::Result<(File, File)> {
        use std::os::unix::fs::FileTypeExt;
        use std::os::unix::fs::OpenOptionsExt;
        let (read, write) = match self {
            Self::Fifo(path) => (path.clone(), path.clone()),
            Self::Descriptors(read, write) => (
                PathBuf::from(format!("/dev/fd/{read}")),
                PathBuf::from(format!("/dev/fd/{write}")),
            ),
        };
        for path in [&read, &write] {
            if !std::fs::metadata(path)?.file_type().is_fifo() {
                return Err(io::ErrorKind::InvalidInput.into());
            }
        }
        let flags = nix::fcntl::OFlag::O_NONBLOCK.bits();
        let read = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(read)?;
        let write = OpenOptions::new()
            .write(true)
            .custom_flags(flags)
            .open(write)?;
        Ok((read, write))
    }

    #[cfg(not(unix))]
    fn open(&self) -> io::Result<(File, File)> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Tokens that were taken; they are given back when this is dropped.
#[derive(Debug)]
pub struct Tokens {
    tokens: Vec<u8>,
    server: File,
}

impl Tokens {
    /// Returns how many jobs may be done at once.
    pub fn jobs(&self) -> usize {
        self.tokens.len() + 1
    }

    /// Takes what is free, for at most `jobs` jobs.
    fn take(address: &Address, jobs: usize) -> io::Result<Self> {
        let (mut read, server) = address.open()?;
        let mut taken = Self {
            tokens: Vec::new(),
            server,
        };
        let mut token = [0];
        while taken.jobs() < jobs {
            match read.read(&mut token) {
                Ok(1) => taken.tokens.push(token[0]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Nothing is free, or nobody serves any more.
                _ => break,
            }
        }
        Ok(taken)
    }
}

impl Drop for Tokens {
    fn drop(&mut self) {
        // A make that is gone wants nothing back.
        let _ = self.server.write_all(&self.tokens);
    }
}

/// What make leaves to this program.
#[derive(Debug)]
pub enum Share {
    /// No make counts jobs.
    Everything,
    /// Tokens of a jobserver.
    Tokens(Tokens),
    /// A jobserver that cannot be reached: one job, which is always allowed.
    OneJob,
}

impl Share {
    /// Asks the jobserver that `flags`, the value of `MAKEFLAGS`, names for at most
    /// `jobs` jobs.
    pub fn of(flags: &str, jobs: usize) -> Self {
        let Some(address) = Address::find(flags) else {
            return Self::Everything;
        };
        match Tokens::take(&address, jobs) {
            Ok(tokens) => Self::Tokens(tokens),
            Err(_) => Self::OneJob,
        }
    }

    /// Returns how many jobs may be done at once, if that is limited.
    pub fn jobs(&self) -> Option<usize> {
        match self {
            Self::Everything => None,
            Self::Tokens(tokens) => Some(tokens.jobs()),
            Self::OneJob => Some(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_among_other_flags() {
        let find = Address::find;
        assert_eq!(find(""), None);
        assert_eq!(find("ks -j8 -- A=--jobserver-auth=3,4"), None);
        let fifo = Some(Address::Fifo("/tmp/GMfifo1".into()));
        assert_eq!(find(" -j8 --jobserver-auth=fifo:/tmp/GMfifo1"), fifo);
        let pair = Some(Address::Descriptors(5, 6));
        assert_eq!(find("w --jobserver-fds=3,4 -j --jobserver-auth=5,6"), pair);
        assert_eq!(find("--jobserver-auth=-2,-2"), None);
    }

    #[test]
    fn what_cannot_be_reached_leaves_one_job() {
        let jobs = |flags: &str| Share::of(flags, 8).jobs();
        assert_eq!(jobs("-j8"), None);
        assert_eq!(jobs("--jobserver-auth=fifo:/nowhere/at/all"), Some(1));
        assert_eq!(jobs("--jobserver-auth=987,988"), Some(1));
        // A file is no pipe: nothing is read from it or written to it.
        assert_eq!(jobs("--jobserver-auth=fifo:Cargo.toml"), Some(1));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn tokens_are_taken_and_all_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        // Read and write in one, as make does: opening waits for nobody.
        let mut make = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        make.write_all(b"+++").unwrap();
        let flags = format!("--jobserver-auth=fifo:{}", path.display());
        let few = Share::of(&flags, 2);
        assert_eq!(few.jobs(), Some(2));
        let rest = Share::of(&flags, 8);
        assert_eq!(rest.jobs(), Some(3));
        assert_eq!(Share::of(&flags, 8).jobs(), Some(1));
        drop(few);
        drop(rest);
        assert_eq!(Share::of(&flags, 8).jobs(), Some(4));
    }
}
