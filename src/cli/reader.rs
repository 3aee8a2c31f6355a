//! Whether anybody still reads what the program writes: asked while files are
//! watched, when there may be nothing to write for hours.

use std::fs::File;
use std::io;
#[cfg(unix)]
use std::os::fd::AsFd;

/// Returns whether the reader of standard output, or of standard error, has left.
pub fn of_program_has_left() -> bool {
    has_left(io::stdout()) || has_left(io::stderr())
}

/// Returns whether the reader of standard output has left.
pub fn of_output_has_left() -> bool {
    has_left(io::stdout())
}

/// Returns whether the reader of a file, if it is a pipe, has left.
pub fn of_file_has_left(file: &File) -> bool {
    has_left(file)
}

/// A pipe or socket says so when it is asked; files and devices have no reader who
/// could leave.
#[cfg(unix)]
fn has_left(out: impl AsFd) -> bool {
    use nix::poll::PollFd;
    use nix::poll::PollFlags;
    use nix::poll::PollTimeout;
    use nix::poll::poll;
    // What is wrong is told without being asked for.
    let mut asked = [PollFd::new(out.as_fd(), PollFlags::empty())];
    if poll(&mut asked, PollTimeout::ZERO).is_err() {
        return false;
    }
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP;
    let told = asked[0].revents();
    told.is_some_and(|told| told.intersects(gone))
}

/// Returns that nobody has: this system is not asked.
#[cfg(not(unix))]
fn has_left<T>(_: T) -> bool {
    false
}
