//! Opens the cache folder and keeps every fault of it away from the caller.
//!
//! All access to SQLite goes through two functions, one that reads and one that
//! writes in a transaction of its own; both turn errors into warnings. A
//! damaged database is put aside and the store goes on empty, in memory.

use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::SystemTime;

use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::OpenFlags;
use rusqlite::TransactionBehavior;

use crate::store::Warning;
use crate::store::lock;
use crate::store::presence;
use crate::store::schema;
use crate::store::schema::Made;

/// What a store may do with its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read and write; the folder is made if it is not there.
    ReadWrite,
    /// Read only: nothing in the folder is created or changed.
    ReadOnly,
}

/// How to open a cache folder.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// The cache folder.
    pub folder: PathBuf,
    /// What may be done with it.
    pub access: Access,
    /// The day to note as the last use of results, counted from 1970-01-01.
    pub today: u32,
    /// How long to wait for other processes' transactions, in milliseconds.
    pub busy_timeout_ms: u32,
}

impl StoreSettings {
    /// Returns the usual settings for `folder`; the day is the clock's.
    pub fn new(folder: impl Into<PathBuf>, access: Access) -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let days = since_epoch.map_or(0, |time| time.as_secs() / 86_400);
        Self {
            folder: folder.into(),
            access,
            today: u32::try_from(days).unwrap_or(u32::MAX),
            busy_timeout_ms: 10_000,
        }
    }
}

/// The cache: results by key, bytes by digest, what ran last, witnesses of runs.
/// Threads may share it.
pub struct Store {
    connection: Mutex<Connection>,
    /// None when everything is kept in memory.
    folder: Option<PathBuf>,
    /// The lock that all users of the folder share; none for readers.
    pub(super) presence: Mutex<Option<File>>,
    today: u32,
    /// Cleared for good when the disk is full or read-only.
    is_writable: AtomicBool,
    /// Set when the database was given up: `folder` counts for nothing then.
    is_lost: AtomicBool,
    /// Whether the tables are those of now; an older database that cannot be
    /// written to has no witnesses.
    is_up_to_date: AtomicBool,
    warnings: Mutex<Warnings>,
    /// Set while the database is read as a file that never changes.
    frozen: Mutex<Option<Frozen>>,
    blobs_read: AtomicU64,
    queries: AtomicU64,
}

/// Warnings that nobody has taken yet, and those that need not be said again.
#[derive(Default)]
struct Warnings {
    waiting: Vec<Warning>,
    said: BTreeSet<Warning>,
}

/// Size and last change of a file.
type Stamp = (u64, SystemTime);

/// A database that is read without locks, because nobody wrote to it when it was
/// opened, and how its files were then.
struct Frozen {
    settings: StoreSettings,
    stamps: [Option<Stamp>; 2],
}

impl Frozen {
    fn new(settings: &StoreSettings) -> Self {
        Self {
            settings: settings.clone(),
            stamps: stamps(&settings.folder),
        }
    }

    /// Returns whether nobody has written to it since: whoever writes makes a log
    /// first, and changes the file before the log goes.
    fn holds(&self) -> bool {
        stamps(&self.settings.folder) == self.stamps
    }
}

/// Returns the stamps of the database and of its log; none for what is not there.
fn stamps(folder: &Path) -> [Option<Stamp>; 2] {
    let file = folder.join(DATABASE);
    let log = beside(&file, "-wal");
    [file, log].map(|file| {
        let metadata = fs::metadata(file).ok()?;
        Some((metadata.len(), metadata.modified().ok()?))
    })
}

/// A connection that was opened, and whether it can be written to.
struct Opened {
    connection: Connection,
    access: Access,
    is_up_to_date: bool,
    presence: Option<File>,
    frozen: Option<Frozen>,
    warning: Option<Warning>,
}

impl Store {
    /// Opens a cache folder. What is wrong with it becomes a warning, and the
    /// store then answers with misses or keeps its results in memory.
    pub fn open(settings: &StoreSettings) -> Self {
        let opened = match settings.access {
            Access::ReadWrite => open_writable(settings),
            Access::ReadOnly => open_read_only(settings),
        };
        match opened {
            Ok(Some(opened)) => {
                let folder = Some(settings.folder.clone());
                let store = Self::with(opened.connection, folder, settings.today);
                *locked(&store.presence) = opened.presence;
                *locked(&store.frozen) = opened.frozen;
                let is_writable = opened.access == Access::ReadWrite;
                store.is_writable.store(is_writable, Ordering::Relaxed);
                let is_up_to_date = opened.is_up_to_date;
                store.is_up_to_date.store(is_up_to_date, Ordering::Relaxed);
                opened
                    .warning
                    .into_iter()
                    .for_each(|warning| store.warn(warning));
                store
            }
            Ok(None) => Self::in_memory(),
            Err(warning) => {
                let store = Self::in_memory();
                store.warn(warning);
                store
            }
        }
    }

    /// Returns an empty store that lives as long as this value: for tests, and
    /// for runs without a cache.
    pub fn in_memory() -> Self {
        Self::with(memory_connection(), None, 0)
    }

    fn with(connection: Connection, folder: Option<PathBuf>, today: u32) -> Self {
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        Self {
            connection: Mutex::new(connection),
            folder,
            presence: Mutex::default(),
            today,
            is_writable: AtomicBool::new(true),
            is_lost: AtomicBool::new(false),
            is_up_to_date: AtomicBool::new(true),
            warnings: Mutex::default(),
            frozen: Mutex::default(),
            blobs_read: AtomicU64::new(0),
            queries: AtomicU64::new(0),
        }
    }

    /// Returns the warnings that came up since the last call, each once in the
    /// life of the store.
    pub fn take_warnings(&self) -> Vec<Warning> {
        std::mem::take(&mut locked(&self.warnings).waiting)
    }

    /// Returns whether results can be recorded.
    pub fn is_writable(&self) -> bool {
        self.is_writable.load(Ordering::Relaxed)
    }

    /// Returns the cache folder; none when everything is kept in memory.
    pub fn folder(&self) -> Option<&Path> {
        let is_lost = self.is_lost.load(Ordering::Relaxed);
        self.folder.as_deref().filter(|_| !is_lost)
    }

    /// Returns whether a cache was ever made in `folder`.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(DATABASE).exists()
    }

    /// Returns whether the database has a place for witnesses.
    pub(super) fn has_witnesses(&self) -> bool {
        self.is_up_to_date.load(Ordering::Relaxed)
    }

    /// Returns the day that counts as the last use of results.
    pub fn today(&self) -> u32 {
        self.today
    }

    /// Returns how many blobs were asked for so far.
    pub fn blobs_read(&self) -> u64 {
        self.blobs_read.load(Ordering::Relaxed)
    }

    /// Returns how often the database was asked for something so far; a batch of
    /// keys is asked for at once.
    pub fn queries_made(&self) -> u64 {
        self.queries.load(Ordering::Relaxed)
    }

    pub(super) fn count_blob(&self) {
        self.blobs_read.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn warn(&self, warning: Warning) {
        let mut warnings = locked(&self.warnings);
        if warnings.said.insert(warning.clone()) {
            warnings.waiting.push(warning);
        }
    }

    /// Gives up writing for the rest of the run.
    pub(super) fn stop_writing(&self, cause: &str) {
        if self.is_writable.swap(false, Ordering::Relaxed) {
            self.warn(Warning::NotStored {
                cause: cause.to_owned(),
            });
        }
    }

    /// Runs a query; none if the database refuses. Where no lock keeps others from
    /// writing meanwhile, what they wrote to is asked again.
    pub(super) fn read<T>(
        &self,
        mut query: impl FnMut(&Connection) -> rusqlite::Result<T>,
    ) -> Option<T> {
        self.queries.fetch_add(1, Ordering::Relaxed);
        let mut connection = locked(&self.connection);
        let mut answer = query(&connection);
        for _ in 0..OPEN_ATTEMPTS {
            if !self.has_thawed() {
                break;
            }
            self.open_again(&mut connection);
            answer = query(&connection);
        }
        match answer {
            Ok(value) => Some(value),
            Err(error) => {
                self.give_up(&mut connection, &error);
                None
            }
        }
    }

    /// Returns whether the database was taken for one that never changes, and did.
    fn has_thawed(&self) -> bool {
        let frozen = locked(&self.frozen);
        frozen.as_ref().is_some_and(|frozen| !frozen.holds())
    }

    /// Opens a database that others write to by now for reading with locks, or as
    /// it is when they are done.
    fn open_again(&self, connection: &mut Connection) {
        let Some(frozen) = locked(&self.frozen).take() else {
            return;
        };
        match open_read_only(&frozen.settings) {
            Ok(Some(opened)) => {
                *connection = opened.connection;
                connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
                *locked(&self.frozen) = opened.frozen;
                let is_up_to_date = opened.is_up_to_date;
                self.is_up_to_date.store(is_up_to_date, Ordering::Relaxed);
            }
            refused => {
                *connection = memory_connection();
                self.is_up_to_date.store(true, Ordering::Relaxed);
                self.is_lost.store(true, Ordering::Relaxed);
                refused
                    .err()
                    .into_iter()
                    .for_each(|warning| self.warn(warning));
            }
        }
    }

    /// Runs `change` in a transaction; none if the database refuses, and then
    /// nothing is changed.
    pub(super) fn write<T>(
        &self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Option<T> {
        if !self.is_writable() {
            return None;
        }
        let mut connection = locked(&self.connection);
        match in_transaction(&mut connection, change) {
            Ok(value) => Some(value),
            Err(error) => {
                self.give_up(&mut connection, &error);
                None
            }
        }
    }

    /// Puts the database aside as damaged and goes on without one.
    pub(super) fn put_aside(&self, cause: &str) {
        self.lose(&mut locked(&self.connection), cause);
    }

    /// Decides what an error of the database means for the rest of the run.
    fn give_up(&self, connection: &mut Connection, error: &rusqlite::Error) {
        if !is_damage(error) {
            self.stop_writing(&error.to_string());
            return;
        }
        self.lose(connection, &error.to_string());
    }

    fn lose(&self, connection: &mut Connection, cause: &str) {
        *connection = memory_connection();
        self.is_up_to_date.store(true, Ordering::Relaxed);
        let folder = self.folder().map(Path::to_owned);
        self.is_lost.store(true, Ordering::Relaxed);
        let moved_to = folder
            .filter(|_| self.is_writable())
            .and_then(|folder| move_aside(&folder));
        self.warn(Warning::Damaged {
            moved_to,
            cause: cause.to_owned(),
        });
    }

    /// Gives the space of removed rows back to the disk, when it is worth it.
    /// Only for one who is alone: it rewrites the whole database.
    pub(super) fn shrink(&self) {
        let connection = locked(&self.connection);
        let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let (Ok(free), Ok(all), Ok(size)) = (
            number("freelist_count"),
            number("page_count"),
            number("page_size"),
        ) else {
            return;
        };
        if free * size > SHRINK_FROM_BYTES && free > all / 4 {
            // A full disk is no reason to complain: nothing is lost.
            let _ = connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);");
        }
    }
}

/// Locks `mutex`, whoever panicked with it.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn memory_connection() -> Connection {
    let connection = Connection::open_in_memory().expect("memory for an empty database");
    schema::create(&connection).expect("the schema is valid");
    connection
}

fn in_transaction<T>(
    connection: &mut Connection,
    change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    // A deferred transaction that reads first cannot wait for its turn to write.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let value = change(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error;
    let code = error.sqlite_error_code();
    let is_broken = matches!(
        code,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::SchemaChanged)
    );
    // A row of another shape than the schema allows.
    let is_odd = matches!(
        error,
        Error::FromSqlConversionFailure(..)
            | Error::InvalidColumnType(..)
            | Error::IntegralValueOutOfRange(..)
    );
    is_broken || is_odd
}

/// Statements that a connection keeps ready.
const STATEMENTS_KEPT: usize = 32;

/// Unused space in the database that is worth a rewrite.
const SHRINK_FROM_BYTES: i64 = 1 << 20;

/// The database's file name.
pub(super) const DATABASE: &str = "results.db";

/// Attempts to open while others create or switch to the log.
const OPEN_ATTEMPTS: u32 = 20;

fn open_writable(settings: &StoreSettings) -> Result<Option<Opened>, Warning> {
    let folder = &settings.folder;
    if let Err(error) = make_folders(folder) {
        return open_instead(settings, &error);
    }
    // SQLite takes a lock that cannot be had for one that others hold, and waits.
    if let Some(cause) = lock::refusal(folder, settings.access) {
        let folder = folder.clone();
        return Err(Warning::NoLocks { folder, cause });
    }
    // Before anything is looked up: what is found must stay until the end.
    let presence = presence::join(folder, settings.busy_timeout_ms);
    let mut has_moved = None;
    for attempt in 0..OPEN_ATTEMPTS {
        let error = match connect(settings) {
            Ok(Ok(mut opened)) => {
                opened.warning = has_moved.or(opened.warning);
                opened.presence = presence;
                return Ok(Some(opened));
            }
            Ok(Err(warning)) => return Err(warning),
            Err(error) => error,
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                if settings.busy_timeout_ms < 1_000 && attempt > 1 {
                    break;
                }
                thread::sleep(Duration::from_millis(5 * u64::from(attempt + 1)));
            }
            Some(
                ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                // A full disk has no room for a log, or to bring tables up to date.
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure,
            ) => return open_instead(settings, &io::Error::other(error.to_string())),
            _ if is_damage(&error) && has_moved.is_none() => {
                let moved_to = move_aside(folder);
                let cause = error.to_string();
                if moved_to.is_none() {
                    return Err(Warning::Damaged { moved_to, cause });
                }
                has_moved = Some(Warning::Damaged { moved_to, cause });
            }
            _ => return Err(unusable(settings, &error)),
        }
    }
    let folder = folder.clone();
    Err(Warning::Busy { folder })
}

/// Opens for reading what cannot be opened for writing.
fn open_instead(settings: &StoreSettings, error: &io::Error) -> Result<Option<Opened>, Warning> {
    let folder = settings.folder.clone();
    match open_read_only(settings)? {
        Some(mut opened) => {
            opened.warning = Some(Warning::ReadOnly { folder });
            Ok(Some(opened))
        }
        None => Err(unusable(settings, error)),
    }
}

fn unusable(settings: &StoreSettings, error: &dyn std::fmt::Display) -> Warning {
    Warning::Unusable {
        folder: settings.folder.clone(),
        cause: error.to_string(),
    }
}

fn make_folders(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder.join("locks"))?;
    fs::create_dir_all(folder.join("blobs"))
}

/// Opens the database for writing, and creates its tables if it is empty.
fn connect(settings: &StoreSettings) -> rusqlite::Result<Result<Opened, Warning>> {
    let folder = &settings.folder;
    let file = folder.join(DATABASE);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&file, flags)?;
    connection.busy_timeout(Duration::from_millis(settings.busy_timeout_ms.into()))?;
    let mut made = schema::made(&connection)?;
    if matches!(made, Made::Empty | Made::Foreign | Made::Older) {
        // Switching to the log does not wait its turn, so it has a lock of its own;
        // and what looks foreign may be half-way to being ours.
        let _creating = lock::creation(folder);
        made = schema::made(&connection)?;
        if made == Made::Empty {
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
            schema::create(&connection)?;
            made = Made::Ours;
        }
        if made == Made::Older {
            schema::migrate(&connection)?;
            made = Made::Ours;
        }
    }
    match made {
        Made::Newer(found) => return Ok(Err(newer(settings, found))),
        Made::Foreign | Made::Empty | Made::Older => return Ok(Err(Warning::Foreign { file })),
        Made::Ours => {}
    }
    tune(&connection)?;
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if connection.is_readonly("main")? {
        return Err(read_only_error());
    }
    let has_log = mode.eq_ignore_ascii_case("wal");
    let folder = folder.clone();
    let warning = (!has_log).then_some(Warning::NoLog { folder });
    Ok(Ok(Opened {
        connection,
        access: Access::ReadWrite,
        is_up_to_date: true,
        presence: None,
        frozen: None,
        warning,
    }))
}

fn read_only_error() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY);
    rusqlite::Error::SqliteFailure(code, None)
}

fn newer(settings: &StoreSettings, found: u32) -> Warning {
    Warning::Newer {
        folder: settings.folder.clone(),
        found,
        known: schema::VERSION,
    }
}

/// Settings of a connection; none of them is kept in the file.
///
/// It is not mapped into memory: a scan would leave all of it there, and a process
/// whose mapped file another one cuts short is ended by the system.
fn tune(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "PRAGMA synchronous = NORMAL;
         PRAGMA foreign_keys = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA mmap_size = 0;
         PRAGMA cache_size = -2000;",
    )
}

/// Opens the database without creating or changing anything in its folder;
/// none if there is no database.
///
/// A database with a log wants to create two files beside itself even for a
/// reader. If they are there (another process is at work, or was killed), they
/// are used as they are, with locks; if not, nobody is writing and the file is
/// read as one that never changes, for as long as that [holds](Frozen::holds).
/// Either can be over before the file is open, and then it is opened again.
fn open_read_only(settings: &StoreSettings) -> Result<Option<Opened>, Warning> {
    let file = settings.folder.join(DATABASE);
    for attempt in 0.. {
        match fs::metadata(&file) {
            Ok(metadata) if metadata.len() == 0 => return Ok(None),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(settings, &error)),
        }
        let frozen = Frozen::new(settings);
        let has_log = beside(&file, "-wal").exists() && beside(&file, "-shm").exists();
        let how = if has_log {
            "readonly_shm=1"
        } else {
            "immutable=1"
        };
        let found = connect_read_only(settings, &file, how);
        let is_over = match (&found, has_log) {
            (_, false) => !frozen.holds(),
            (Err(error), true) => error.sqlite_error_code() == Some(ErrorCode::CannotOpen),
            (Ok(_), true) => false,
        };
        if is_over && attempt < OPEN_ATTEMPTS {
            thread::sleep(Duration::from_millis(1));
            continue;
        }
        return opened_read_only(settings, found, (!has_log).then_some(frozen));
    }
    unreachable!("the last attempt returns")
}

/// Says what became of opening for reading.
fn opened_read_only(
    settings: &StoreSettings,
    found: rusqlite::Result<(Connection, Made)>,
    frozen: Option<Frozen>,
) -> Result<Option<Opened>, Warning> {
    let file = settings.folder.join(DATABASE);
    let (connection, made) = match found {
        Ok(found) => found,
        Err(error) if is_damage(&error) => {
            let cause = error.to_string();
            return Err(Warning::Damaged {
                moved_to: None,
                cause,
            });
        }
        Err(error) => {
            let folder = settings.folder.clone();
            return Err(match lock::refusal(&folder, Access::ReadOnly) {
                Some(cause) => Warning::NoLocks { folder, cause },
                None => unusable(settings, &error),
            });
        }
    };
    match made {
        Made::Ours | Made::Older => Ok(Some(Opened {
            connection,
            access: Access::ReadOnly,
            is_up_to_date: made == Made::Ours,
            presence: None,
            frozen,
            warning: None,
        })),
        Made::Newer(found) => Err(newer(settings, found)),
        Made::Foreign => Err(Warning::Foreign { file }),
        Made::Empty => Ok(None),
    }
}

fn connect_read_only(
    settings: &StoreSettings,
    file: &Path,
    how: &str,
) -> rusqlite::Result<(Connection, Made)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let uri = format!("file:{}?mode=ro&{how}", escaped(file));
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.busy_timeout(Duration::from_millis(settings.busy_timeout_ms.into()))?;
    tune(&connection)?;
    let made = schema::made(&connection)?;
    Ok((connection, made))
}

/// Returns the path with everything but plain characters as `%hh`.
fn escaped(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                text.push(char::from(*byte));
            }
            _ => text.push_str(&format!("%{byte:02x}")),
        }
    }
    text
}

/// Returns the path of a file that belongs to `file`.
pub(super) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Moves a damaged database out of the way, with its log; returns where it is.
fn move_aside(folder: &Path) -> Option<PathBuf> {
    let _creating = lock::creation(folder);
    let file = folder.join(DATABASE);
    let target = (0..1_000)
        .map(|count| folder.join(format!("{DATABASE}.damaged-{count}")))
        .find(|path| !path.exists())?;
    fs::rename(&file, &target).ok()?;
    for suffix in ["-wal", "-shm"] {
        // A log without its database would be applied to the next one.
        let _ = fs::rename(beside(&file, suffix), beside(&target, suffix));
    }
    Some(target)
}
