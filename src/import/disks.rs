//! Which disks tell of every change by stamps.
//!
//! | disk | its stamps |
//! |---|---|
//! | ext2, ext3, ext4, XFS, Btrfs, F2FS, JFS, ZFS, bcachefs; tmpfs, ramfs; overlays of them | prove something: the change time is the system's own, and nobody can set it |
//! | FAT, exFAT | have no change time, tick in two seconds, and their inode numbers are made up |
//! | NFS, SMB, 9P, AFS, Ceph and other network disks | may be minutes old: a change made elsewhere shows late |
//! | FUSE: sshfs, shared folders of virtual machines and containers | whatever a program says |
//! | images that are read only (squashfs, erofs) | are those of whoever made the image, and those of the next one may be the same |
//! | anything else | not known |
//!
//! Where stamps prove nothing, contents do: opening a file makes the system ask
//! the server what is in it now. So the list is of those that are trusted, and a
//! file on another disk is read in every run.
//!
//! It is known on Linux. Elsewhere stamps are trusted, as disks of other machines
//! and of the FAT kind are rare places for a project; who has one can ask for
//! everything to be read (`--verify-inputs`).

use std::cell::RefCell;
use std::path::Path;

/// Tells of the path of a file whether stamps of the disk that it lies on prove
/// something: [`stamps_prove`].
pub type StampsProve = fn(&Path) -> bool;

/// The disks that files lie on, each asked once.
#[derive(Debug)]
pub struct Disks {
    stamps_prove: StampsProve,
    /// What is known, by device.
    known: RefCell<Vec<(u64, bool)>>,
}

impl Disks {
    /// Returns disks of which nothing is known yet.
    pub fn new(stamps_prove: StampsProve) -> Self {
        Self {
            stamps_prove,
            known: RefCell::default(),
        }
    }

    /// Returns whether stamps of the file at `path`, which is on `device`, prove
    /// something.
    pub fn is_trusted(&self, device: u64, path: &Path) -> bool {
        let mut known = self.known.borrow_mut();
        if let Some((_, is_trusted)) = known.iter().find(|(one, _)| *one == device) {
            return *is_trusted;
        }
        let is_trusted = (self.stamps_prove)(path);
        known.push((device, is_trusted));
        is_trusted
    }
}

/// The disks that are trusted, by the number of their kind: `linux/magic.h`, and
/// for the last two bcachefs and OpenZFS themselves.
#[cfg(target_os = "linux")]
const TRUSTED: [(&str, u32); 10] = [
    ("ext2, ext3, ext4", 0x0000_ef53),
    ("XFS", 0x5846_5342),
    ("Btrfs", 0x9123_683e),
    ("F2FS", 0xf2f5_2010),
    ("JFS", 0x3153_464a),
    ("tmpfs", 0x0102_1994),
    ("ramfs", 0x8584_58f6),
    ("overlayfs", 0x794c_7630),
    ("bcachefs", 0xca45_1a4e),
    ("ZFS", 0x2fc1_2fc1),
];

/// Asks the system of what kind the disk is that a path lies on.
#[cfg(target_os = "linux")]
pub fn stamps_prove(path: &Path) -> bool {
    nix::sys::statfs::statfs(path).is_ok_and(|disk| {
        // The number has 32 bits, in a type of another width on each machine.
        let kind = disk.filesystem_type().0 as u32;
        TRUSTED.iter().any(|(_, trusted)| *trusted == kind)
    })
}

/// Trusts every disk: of what kind it is, is known on Linux alone.
#[cfg(not(target_os = "linux"))]
pub fn stamps_prove(_: &Path) -> bool {
    true
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn what_the_system_makes_up_is_not_trusted() {
        assert!(!stamps_prove(Path::new("/proc/self/stat")));
        assert!(!stamps_prove(Path::new("/there/is/nothing")));
    }

    #[test]
    fn memory_is_trusted() {
        // A `tmpfs` on every Linux.
        assert!(stamps_prove(Path::new("/dev/shm")));
    }

    #[test]
    fn each_disk_is_asked_once() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let disks = Disks::new(|path| {
            ASKED.fetch_add(1, Ordering::Relaxed);
            path == Path::new("good")
        });
        for _ in 0..3 {
            assert!(disks.is_trusted(1, Path::new("good")));
            assert!(!disks.is_trusted(2, Path::new("bad")));
        }
        assert!(disks.is_trusted(1, Path::new("bad")), "by device");
        assert_eq!(ASKED.load(Ordering::Relaxed), 2);
    }
}
