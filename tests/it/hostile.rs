//! Whatever the files of a project hold, reading them ends soon, in a mistake
//! with a place where there is one, and never in a panic.
//!
//! Every case runs on threads with a small stack, so that recursion as deep as
//! the input would end the test run, and has to end in time. `benches/README.md`
//! names the commands for files of a gigabyte.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tabella::check::check_conversations;
use tabella::diagnostic::Paint;
use tabella::diagnostic::render;
use tabella::import::ImportError;
use tabella::import::Imported;
use tabella::import::Sources;
use tabella::import::import_project;
use tabella::import::import_texts;

/// Time that each case may take: many times what it does, so that only work out
/// of proportion fails.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// A stack that holds what reading needs, and not a frame for each byte.
const STACK_SIZE: usize = 2 << 20;

/// Runs something on threads with a small stack, and not for too long.
fn within_bounds<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = mpsc::channel();
    let threads = rayon::ThreadPoolBuilder::new().stack_size(STACK_SIZE);
    let pool = threads.num_threads(2).build().unwrap();
    pool.spawn(move || {
        let _ = send.send(work());
    });
    receive.recv_timeout(TIME_LIMIT).unwrap()
}

/// Reads files from memory and returns `code line:column` of what was said.
fn said(files: Vec<(&'static str, Vec<u8>)>) -> Vec<String> {
    within_bounds(move || {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (*n, &b[..])).collect();
        shown(&import_texts(&files).unwrap())
    })
}

fn shown(imported: &Imported) -> Vec<String> {
    let diagnostics = &imported.diagnostics;
    // What is said can be shown as well, a few of it here.
    let few = &diagnostics[..diagnostics.len().min(3)];
    assert!(!few.is_empty() || render(few, &imported.sources, Paint::Plain).is_empty());
    diagnostics
        .iter()
        .map(|d| format!("{} {}:{}", d.code, d.place.line, d.place.column))
        .collect()
}

/// Reads a config, every value of which is kept, and checks the first word.
#[track_caller]
fn check(config: impl Into<Vec<u8>>, want: &str) {
    let said = said(vec![("config.yml", config.into())]);
    assert_eq!(said.first().map(String::as_str), Some(want), "{said:?}");
}

/// Reads a config that is fine apart from its missing pipeline and policies.
#[track_caller]
fn check_fine(config: impl Into<Vec<u8>>) {
    check(config, "N104 1:1");
}

#[test]
fn aliases_do_not_multiply_a_file() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..40 {
        let inner = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("a{level}: &a{level} [{inner}]\n");
    }
    let said = said(vec![("config.yml", bomb.into())]);
    assert!(said[0].starts_with("E007"), "{said:?}");
    let mut merges = "a0: &a0 {k0: v}\n".to_owned();
    for level in 1..30_000 {
        merges += &format!("a{level}: &a{level} {{<<: *a{}, k{level}: v}}\n", level - 1);
    }
    let said = self::said(vec![("config.yml", merges.into())]);
    assert!(said[0].starts_with("E007"), "{said:?}");
}

#[test]
fn a_file_of_anchors_is_read() {
    let mut text = "a:\n".to_owned();
    for number in 0..100_000 {
        text += &format!("- &a{number} x\n");
    }
    check_fine(text);
}

#[test]
fn nesting_has_a_limit() {
    let deep = 200_000;
    check(format!("a: {}", "[".repeat(deep)), "E006 1:259");
    check(format!("a: {}", "{\"b\": ".repeat(deep)), "E006 1:382");
    check(format!("a:\n  {}", "- ".repeat(deep)), "E006 2:129");
    check(format!("a: &x {}", "[".repeat(deep)), "E006 1:262");
    let lines: String = (0..1_500)
        .map(|n| format!("{}a:\n", " ".repeat(n)))
        .collect();
    check(lines, "E006 65:65");
    for open in ["[", "{\"a\":", "[{\"a\":"] {
        let json = open.repeat(deep);
        said(vec![("data/nlu.json", json.clone().into())]);
        let json = format!("{{\"rasa_nlu_data\": {json}");
        said(vec![("data/nlu.json", json.into())]);
        let map = format!(
            "nlu:\n- intent: a\n  examples: |\n    - [x]{}\n",
            open.repeat(deep)
        );
        said(vec![("data/nlu.yml", map.into())]);
    }
}

#[test]
fn a_map_of_many_keys_is_read_and_repeats_are_all_named() {
    let keys: String = (0..100_000).map(|n| format!("key{n}: v\n")).collect();
    check_fine(keys.clone());
    check_fine(format!("a: &x b\n{keys}"));
    let repeats = "key: v\n".repeat(20_000);
    let said = said(vec![("config.yml", repeats.into())]);
    assert_eq!(said.len(), 19_999);
    assert_eq!(said[0], "E005 2:1");
}

#[test]
fn a_line_of_many_items_is_read() {
    for open in ["a: [", "a: &x ["] {
        check_fine(format!("{open}{}]\n", "item, ".repeat(100_000)));
        check_fine(format!("{open}{}]\n", "{k: \"v\"}, ".repeat(50_000)));
    }
}

#[test]
fn a_long_line_is_read() {
    let long = "word ".repeat(400_000);
    check_fine(format!("a: {long}\n"));
    check_fine(format!("a: \"{long}\"\n"));
    check_fine(format!("a: b # {long}\n"));
    check_fine(format!("a: |\n  {long}\n"));
    check(format!("a: \"{long}\n"), "E004 1:4");
    let short = "word ".repeat(50_000);
    check_fine(format!("a: &x {short}\n"));
    check_fine(format!("a: &x \"{short}\"\n"));
    let said = said(vec![("data/nlu.yml", format!("nlu: {long}\n").into())]);
    assert!(said.contains(&"E010 1:6".to_owned()), "{said:?}");
}

#[test]
fn quoted_texts_of_odd_indentation_take_no_more_than_their_size() {
    let texts: String = (0..20_000)
        .map(|n| format!("  - k{n}: \"a\n  b\"\n"))
        .collect();
    check_fine(format!("r:\n{texts}"));
    // The anchor leaves the file to the parser that takes offence.
    let said = said(vec![("config.yml", format!("x: &x y\nr:\n{texts}").into())]);
    assert!(said[0].starts_with("E004"), "{:?}", said[0]);
}

#[test]
fn tabs_are_named_where_yaml_has_none() {
    check("a:\n\tb: c\n", "E004 2:1");
    check("a:\tb\n", "E004 1:4");
    // The parser names the line where the text above the tab began.
    check("a:\n  b: c\n\td: e\n", "E004 3:1");
    check("a:\n- b\n\n\t- c\n", "E004 4:1");
    check_fine("a: \"b\tc\"\n");
}

#[test]
fn what_stands_behind_the_last_line_is_named_on_it() {
    for text in ["? ", "a: 1\n? ", "- ", "a:\n- b\n- ", "? a\n: "] {
        let imported = import_texts(&[("config.yml", text.as_bytes())]).unwrap();
        assert!(!imported.diagnostics.is_empty());
        let lines = text.split('\n').count() as u32;
        for diagnostic in &imported.diagnostics {
            assert!(diagnostic.place.line <= lines, "{text:?}: {diagnostic:?}");
        }
    }
}

#[test]
fn what_is_not_text_is_named_with_its_place() {
    check(b"a: 1\nb: \xff\xfe\n".to_vec(), "E001 2:4");
    check(b"a: 1\nb: \xed\xa0\x80\n".to_vec(), "E001 2:4");
    check(b"a: 1\nb: c\0d\n".to_vec(), "E002 2:5");
    let utf16 = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let units = "\u{feff}a: 1\n".encode_utf16();
        units.flat_map(order).collect()
    };
    check(utf16(u16::to_le_bytes), "E001 1:1");
    check(utf16(u16::to_be_bytes), "E001 1:1");
    check("a: 1\nb: \"\\ud83c\"\n", "E012 2:5");
    check("a: 1\nb: \"\\udf55\\ud83c\"\n", "E012 2:5");
    check_fine("\u{feff}\u{feff}a: 1\n");
}

#[test]
fn annotations_that_never_close_are_text() {
    for mark in ["[", "[a](", "[a]{", "[a][", "[a][{", "](", "[a](b:"] {
        let text = format!(
            "nlu:\n- intent: a\n  examples: |\n    - {}\n",
            mark.repeat(100_000)
        );
        said(vec![("data/nlu.yml", text.into())]);
    }
}

#[test]
fn stories_do_not_multiply_without_end() {
    let actions = "  - action: x\n".repeat(5_000);
    let checkpoints: String = (0..5_000)
        .map(|n| format!("  - checkpoint: c{n}\n"))
        .collect();
    let story = format!("stories:\n- story: s\n  steps:\n{actions}{checkpoints}");
    let many = said(vec![("data/stories.yml", story.into())]);
    assert!(many.contains(&"E032 2:10".to_owned()), "{:?}", many.first());
    let intents = "    - intent: a\n".repeat(5_000);
    let story = format!("stories:\n- story: s\n  steps:\n{actions}  - or:\n{intents}");
    let many = said(vec![("data/stories.yml", story.into())]);
    assert!(many.contains(&"E032 2:10".to_owned()), "{:?}", many.first());
}

#[test]
fn alternatives_do_not_multiply_without_end() {
    let or = "  - or:\n    - intent: a\n    - intent: b\n";
    let story = format!(
        "stories:\n- story: s\n  steps:\n{}  - action: x\n",
        or.repeat(40)
    );
    said(vec![("data/stories.yml", story.into())]);
}

#[test]
fn conversations_do_not_multiply_without_end() {
    let or = "  - or:\n    - intent: a\n    - intent: b\n";
    let story = format!(
        "stories:\n- story: s\n  steps:\n{}  - action: x\n",
        or.repeat(40)
    );
    let said = within_bounds(move || {
        let imported = import_texts(&[("data/stories.yml", story.as_bytes())]).unwrap();
        check_conversations(&imported.project, None)
    });
    let codes: Vec<&str> = said.iter().map(|d| d.code).collect();
    assert_eq!(codes, ["E032"]);
}

#[test]
fn metadata_of_an_intent_is_kept_once_for_all_its_examples() {
    let metadata = "m".repeat(1 << 20);
    let examples: String = (0..20_000).map(|_| "    - [x](a)\n").collect();
    let nlu = format!("nlu:\n- intent: a\n  metadata: {metadata}\n  examples: |\n{examples}");
    said(vec![("data/nlu.yml", nlu.into())]);
}

#[cfg(unix)]
#[test]
fn folders_with_many_ways_to_them_are_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let level = |number: usize| folder.path().join(format!("level{number}"));
    for number in 0..=25 {
        fs::create_dir(level(number)).unwrap();
    }
    for number in 0..25 {
        for link in ["one", "two"] {
            std::os::unix::fs::symlink(level(number + 1), level(number).join(link)).unwrap();
        }
    }
    fs::write(
        level(25).join("nlu.yml"),
        "nlu:\n- intent: a\n  examples: |\n    - x\n",
    )
    .unwrap();
    std::os::unix::fs::symlink(level(0), &data).unwrap();
    let path = folder.path().to_owned();
    let imported = within_bounds(move || import(&path).unwrap());
    assert_eq!(imported.project.nlu.examples.len(), 1);
}

// ---- What is not a file, or not for long ----------------------------------

/// Reads the project in a folder: its config, domain and data.
fn import(folder: &Path) -> Result<Imported, ImportError> {
    let sources = Sources {
        root: folder.to_owned(),
        data: vec!["data".into()],
        ..Sources::default()
    };
    within_bounds(move || import_project(&sources))
}

fn import_path(folder: &Path, path: impl Into<PathBuf>) -> Result<Imported, ImportError> {
    let sources = Sources {
        root: folder.to_owned(),
        data: vec![path.into()],
        ..Sources::default()
    };
    within_bounds(move || import_project(&sources))
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    folder
}

const NLU: &str = "nlu:\n- intent: a\n  examples: |\n    - x\n";

#[test]
fn files_beyond_the_limit_are_refused_unread() {
    let folder = folder();
    let file = fs::File::create(folder.path().join("data/nlu.yml")).unwrap();
    file.set_len((1 << 30) + 1).unwrap();
    let imported = import(folder.path()).unwrap();
    assert_eq!(shown(&imported), ["E030 0:0"]);
    assert_eq!(&*imported.diagnostics[0].place.file, "data/nlu.yml");
    assert!(imported.diagnostics[0].help.is_some());
}

#[test]
fn a_folder_of_many_files_is_read() {
    let folder = folder();
    for number in 0..1_000 {
        fs::write(folder.path().join(format!("data/nlu{number}.yml")), NLU).unwrap();
    }
    let imported = import(folder.path()).unwrap();
    assert_eq!(imported.files.len(), 1_000);
    assert_eq!(imported.project.nlu.examples.len(), 1);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_read_or_named() {
    let folder = folder();
    let path = folder.path().join("data/nlu.yml");
    let long = NLU.to_owned() + &"    - y\n".repeat(10_000);
    fs::write(&path, &long).unwrap();
    let (stop, stopped) = mpsc::channel::<()>();
    let writer = {
        let path = path.clone();
        thread::spawn(move || {
            while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
                fs::write(&path, NLU).unwrap();
                fs::write(&path, &long).unwrap();
                fs::remove_file(&path).unwrap();
                fs::write(&path, &long).unwrap();
            }
        })
    };
    for _ in 0..50 {
        match import(folder.path()) {
            Ok(_) => {}
            Err(ImportError::Read { path: named, .. }) => assert_eq!(named, path),
            Err(other) => panic!("{other}"),
        }
    }
    drop(stop);
    writer.join().unwrap();
}

#[test]
fn a_path_that_cannot_be_one_is_named() {
    let folder = folder();
    fs::write(folder.path().join("data/nlu.yml"), NLU).unwrap();
    for path in ["a".repeat(10_000), "a/".repeat(10_000) + "b.yml"] {
        match import_path(folder.path(), &path) {
            Err(ImportError::Read { path: named, .. }) => assert!(named.ends_with(&path)),
            other => panic!("{other:?}"),
        }
    }
    let through_a_file = import_path(folder.path(), "data/nlu.yml/x.yml");
    assert!(through_a_file.is_err(), "{through_a_file:?}");
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    #[test]
    fn pipes_devices_and_sockets_are_not_waited_for() {
        let folder = folder();
        let pipe = folder.path().join("data/pipe.yml");
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        let socket = folder.path().join("data/socket.yml");
        let _listener = UnixListener::bind(&socket).unwrap();
        symlink("/dev/zero", folder.path().join("data/zero.yml")).unwrap();
        for name in ["data/pipe.yml", "data/socket.yml", "data/zero.yml"] {
            let imported = import_path(folder.path(), name).unwrap();
            assert_eq!(shown(&imported), ["E031 0:0"], "{name}");
            assert_eq!(&*imported.diagnostics[0].place.file, name);
        }
        // In a folder they are no data files.
        let imported = import(folder.path()).unwrap();
        assert_eq!(imported.files.len(), 0);
        // Nor are they tables.
        let lookup = "nlu:\n- lookup: l\n  examples: |\n    - data/pipe.yml\n";
        fs::write(folder.path().join("data/nlu.yml"), lookup).unwrap();
        let imported = import(folder.path()).unwrap();
        assert_eq!(imported.files.len(), 1);
    }

    #[test]
    fn links_in_circles_and_to_nothing_are_passed_over() {
        let folder = folder();
        let data = folder.path().join("data");
        fs::write(data.join("nlu.yml"), NLU).unwrap();
        symlink(&data, data.join("again")).unwrap();
        symlink("nowhere.yml", data.join("dangling.yml")).unwrap();
        symlink("b.yml", data.join("a.yml")).unwrap();
        symlink("a.yml", data.join("b.yml")).unwrap();
        match import(folder.path()) {
            Ok(imported) => {
                assert_eq!(imported.project.nlu.examples.len(), 1);
                assert!(shown(&imported).contains(&"W020 0:0".to_owned()));
            }
            Err(ImportError::Read { path, .. }) => assert!(path.starts_with(&data)),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn names_that_are_not_utf_8_are_shown_as_well_as_can_be() {
        let folder = folder();
        let name = OsStr::from_bytes(b"data/n\xff\xfelu.yml");
        fs::write(folder.path().join(name), "nlu: 1\n").unwrap();
        let imported = import(folder.path()).unwrap();
        assert_eq!(shown(&imported), ["E010 1:6"]);
        assert_eq!(
            &*imported.diagnostics[0].place.file,
            "data/n\u{fffd}\u{fffd}lu.yml"
        );
        assert_eq!(imported.files[0].path, folder.path().join(name));
    }

    #[test]
    fn what_may_not_be_read_is_named() {
        for name in ["data/nlu.yml", "data/deep"] {
            let folder = folder();
            let path = folder.path().join(name);
            match name.ends_with(".yml") {
                true => fs::write(&path, NLU).unwrap(),
                false => fs::create_dir(&path).unwrap(),
            }
            fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
            let may = fs::File::open(&path).is_ok();
            let imported = import(folder.path());
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
            match imported {
                Err(ImportError::Read { path: named, .. }) => assert_eq!(named, path),
                // Whoever runs this may read everything.
                Ok(_) => assert!(may, "{name}"),
                Err(other) => panic!("{other}"),
            }
        }
    }
}
