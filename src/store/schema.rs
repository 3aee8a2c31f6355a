//! The tables of the database and the numbers that mark it as ours.

use rusqlite::Connection;

/// The version of the tables, in the database's `user_version`.
pub const VERSION: u32 = 3;

/// The oldest version that can be brought up to date.
const OLDEST: u32 = 1;

/// Marks the database as ours: "TABE", in its `application_id`.
pub const APPLICATION_ID: i32 = 0x5441_4245;

/// The tables, as SQL with comments.
pub const SCHEMA: &str = include_str!("../../schemas/cache.sql");

/// What a database says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// Nothing is in it yet.
    Empty,
    /// This program made it, in the version that it knows.
    Ours,
    /// An older version of this program made it; [`migrate`] brings it up to date.
    Older,
    /// A newer version of this program made it.
    Newer(u32),
    /// It is something else's.
    Foreign,
}

/// Returns what the database says it is. All is read from one snapshot: another
/// process may be creating the tables meanwhile.
pub(super) fn made(connection: &Connection) -> rusqlite::Result<Made> {
    let snapshot = connection.unchecked_transaction()?;
    let application: i32 = pragma(&snapshot, "application_id")?;
    let version: u32 = pragma(&snapshot, "user_version")?;
    if application == APPLICATION_ID {
        return Ok(match version {
            VERSION => Made::Ours,
            OLDEST..VERSION => Made::Older,
            0 => Made::Foreign,
            newer => Made::Newer(newer),
        });
    }
    let count: u32 =
        snapshot.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_empty = application == 0 && version == 0 && count == 0;
    Ok(if is_empty { Made::Empty } else { Made::Foreign })
}

fn pragma<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> rusqlite::Result<T> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

/// Creates the tables in an empty database, in one transaction.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE;\n{SCHEMA}\n\
         PRAGMA application_id = {APPLICATION_ID};\n\
         PRAGMA user_version = {VERSION};\n\
         COMMIT;"
    ))
}

/// Brings a database of an older version up to date, in one transaction. Nothing
/// that a run could use is lost but witnesses, which are made again.
///
/// Version 1 had a table of files, which nothing was kept in, and no witnesses;
/// in version 2 a witness had all in one row.
pub(super) fn migrate(connection: &Connection) -> rusqlite::Result<()> {
    let [witnesses, told, trigger] = [
        "CREATE TABLE witnesses",
        "CREATE TABLE witness_tasks",
        "CREATE TRIGGER results_lost",
    ]
    .map(statement);
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE;\n\
         DROP TABLE IF EXISTS files;\n\
         DROP TRIGGER IF EXISTS results_lost;\n\
         DROP TABLE IF EXISTS witness_tasks;\n\
         DROP TABLE IF EXISTS witnesses;\n\
         {witnesses};\n{told};\n{trigger};\n\
         PRAGMA user_version = {VERSION};\n\
         COMMIT;"
    ))
}

/// Returns the statement of [`SCHEMA`] that begins so, without its semicolon.
fn statement(beginning: &str) -> &'static str {
    let start = SCHEMA.find(beginning).expect("the schema has it");
    let end = match beginning.starts_with("CREATE TRIGGER") {
        true => "END;\n",
        false => ") STRICT",
    };
    let length = SCHEMA[start..].find(end).expect("statements end");
    let rest = &SCHEMA[start + length..];
    let length = length + rest.find(';').expect("statements end");
    &SCHEMA[start..start + length]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The statements of the live database, as SQLite keeps them.
    fn live(connection: &Connection) -> Vec<String> {
        let sql =
            "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'";
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(|row| row.unwrap()).collect()
    }

    #[test]
    fn the_documented_tables_are_the_live_ones() {
        let connection = Connection::open_in_memory().unwrap();
        create(&connection).unwrap();
        let live = live(&connection);
        let documented: Vec<&str> = SCHEMA
            .match_indices("CREATE ")
            .map(|(start, _)| {
                let name = SCHEMA[start..].splitn(4, ' ').take(3);
                statement(&name.collect::<Vec<_>>().join(" "))
            })
            .collect();
        assert_eq!(documented, live);
        assert_eq!(made(&connection).unwrap(), Made::Ours);
    }

    #[test]
    fn databases_of_older_versions_become_one_of_now() {
        let gone = "DROP TRIGGER results_lost; DROP TABLE witness_tasks; DROP TABLE witnesses;";
        let version_1 = "CREATE TABLE files (root TEXT PRIMARY KEY NOT NULL, packed BLOB NOT NULL)
                STRICT, WITHOUT ROWID;
            PRAGMA user_version = 1;";
        let version_2 = "CREATE TABLE witnesses (project TEXT PRIMARY KEY NOT NULL,
                key BLOB NOT NULL, results BLOB NOT NULL, used_day INTEGER NOT NULL,
                looks BLOB NOT NULL, told BLOB NOT NULL) STRICT;
            PRAGMA user_version = 2;";
        for older in [version_1, version_2] {
            let connection = Connection::open_in_memory().unwrap();
            create(&connection).unwrap();
            let mut now = live(&connection);
            connection.execute_batch(gone).unwrap();
            connection.execute_batch(older).unwrap();
            assert_eq!(made(&connection).unwrap(), Made::Older);
            // Two processes may do it one after the other.
            for _ in 0..2 {
                migrate(&connection).unwrap();
                assert_eq!(made(&connection).unwrap(), Made::Ours);
            }
            let mut migrated = live(&connection);
            now.sort();
            migrated.sort();
            assert_eq!(migrated, now);
        }
    }

    #[test]
    fn other_databases_are_recognised() {
        let connection = Connection::open_in_memory().unwrap();
        assert_eq!(made(&connection).unwrap(), Made::Empty);
        connection.execute_batch("CREATE TABLE t (x)").unwrap();
        assert_eq!(made(&connection).unwrap(), Made::Foreign);
    }
}
