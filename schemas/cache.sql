-- The cache's database, `results.db`. `src/store/schema.rs` reads this file; a
-- test compares it with a live database.
--
-- application_id is 0x54414245 ("TABE"), user_version is the version of this
-- file. Digests are 32 raw bytes (BLAKE3). Days are counted from 1970-01-01 UTC.

-- Bytes by their digest. Small ones are here; those with `bytes` NULL are the
-- file `blobs/aa/<digest>`.
CREATE TABLE blobs (
    digest BLOB PRIMARY KEY NOT NULL CHECK (length(digest) = 32),
    size   INTEGER NOT NULL,
    sha256 BLOB,             -- the name remote caches know it by, once asked for
    bytes  BLOB
) STRICT, WITHOUT ROWID;

-- What a task gave, by the key of what it read. A row is written in the same
-- transaction as the blobs it names, after their files are in place.
CREATE TABLE results (
    key      BLOB PRIMARY KEY NOT NULL CHECK (length(key) = 32),
    kind     TEXT NOT NULL,
    outputs  TEXT NOT NULL,    -- JSON: {"name": {"digest": "hex", "size": bytes}}
    manifest TEXT NOT NULL,    -- JSON: digests of blobs that describe the key: {"manifest": "hex", "items/role": "hex"}
    cost_ms  INTEGER NOT NULL, -- how long the task ran
    used_day INTEGER NOT NULL  -- the last use, written once a day
) STRICT, WITHOUT ROWID;

-- What stands for the last run of a project that left nothing to do. Whoever
-- removes a result removes the witnesses that stand on it. New in version 2; what
-- is told is in a table of its own since version 3, so that one scan reads little.
CREATE TABLE witnesses (
    project  TEXT PRIMARY KEY NOT NULL,
    key      BLOB NOT NULL CHECK (length(key) = 32), -- of what decides the outcome apart from files
    results  BLOB NOT NULL,    -- keys of the results that it stands on, 32 bytes each
    used_day INTEGER NOT NULL, -- the last use, written once a day
    looks    BLOB NOT NULL     -- what was looked at (`src/api/witness/packed.rs`), then the digest of what is told, and that of key, results and all this
) STRICT;

-- What there is to tell of such a run: the tasks, as a dry run tells of them.
CREATE TABLE witness_tasks (
    project TEXT PRIMARY KEY NOT NULL REFERENCES witnesses (project) ON DELETE CASCADE,
    told    BLOB NOT NULL      -- JSON
) STRICT;

-- Runs that did something, the newest last.
CREATE TABLE runs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    started_ms INTEGER NOT NULL, -- since 1970-01-01 UTC
    report     TEXT NOT NULL     -- JSON: counts of the run, {"ran": 2, …, "ms": {"project": {"task": 12}}}
) STRICT;

-- The last key of each task, to explain the next one.
CREATE TABLE run_tasks (
    project TEXT NOT NULL,
    name    TEXT NOT NULL,
    key     BLOB NOT NULL CHECK (length(key) = 32),
    kind    TEXT NOT NULL,
    cost_ms INTEGER NOT NULL, -- of the run that made the result
    run     INTEGER NOT NULL, -- the run in which it got this key
    PRIMARY KEY (project, name)
) STRICT, WITHOUT ROWID;

-- Facts about the cache itself. `removing` is there while results are removed
-- together with the witnesses that stand on them, and never after a transaction.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Results that go without a word about witnesses (a person with a database tool,
-- a program of a version before 2) take all witnesses with them.
CREATE TRIGGER results_lost AFTER DELETE ON results
WHEN NOT EXISTS (SELECT 1 FROM meta WHERE name = 'removing')
BEGIN
    DELETE FROM witnesses;
END;
