//! An archive is the same bytes every time, appears whole or not at all, and is
//! refused with a clear error, never a panic, when it is not exactly ours.

#![allow(clippy::unwrap_used)] // clippy sees tests only in functions marked so

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use std::time::SystemTime;

use expect_test::Expect;
use expect_test::expect;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use regex::Regex;
use serde_json::json;
use tabella::archive::ARCHIVE_FORMAT;
use tabella::archive::ArchiveError;
use tabella::archive::ComponentEntry;
use tabella::archive::Fingerprint;
use tabella::archive::Flaw;
use tabella::archive::Limits;
use tabella::archive::Metadata;
use tabella::archive::Model;
use tabella::archive::RasaFormats;
use tabella::archive::TrainingType;
use tabella::archive::Unrecorded;
use tabella::archive::examine;
use tabella::archive::holds;
use tabella::archive::latest_model;
use tabella::archive::pack;
use tabella::archive::place;
use tabella::archive::read_model;
use tabella::archive::unpack;
use tabella::digest::Digest;
use tar::EntryType;
use tar::Header;

const WEIGHTS: &str = "nlu/component_1_DIETClassifier.safetensors";
const LOOKUP: &str = "core/policy_0_MemoizationPolicy/memorized_turns.json";

fn model() -> Model {
    let below = |path: &str| path.split_once('/').unwrap().1.to_owned();
    let digest = Digest::of(b"part");
    Model {
        core: [
            ("domain.json".to_owned(), b"{\"intents\":[\"hi\"]}".to_vec()),
            (below(LOOKUP), "{\"grüß\":1}".as_bytes().to_vec()),
        ]
        .into(),
        nlu: [(below(WEIGHTS), (0..2000).map(|i| (i % 251) as u8).collect())].into(),
        fingerprint: Fingerprint {
            config: digest,
            core_config: digest,
            nlu_config: digest,
            config_without_epochs: digest,
            domain: digest,
            nlg: digest,
            project: Unrecorded,
            messages: digest,
            nlu_labels: digest,
            stories: digest,
            trained_at: Unrecorded,
            version: "0.1.0".to_owned(),
        },
        metadata: Metadata {
            archive_format: ARCHIVE_FORMAT,
            tabella_version: "0.1.0".to_owned(),
            rasa_formats: RasaFormats::default(),
            training_type: TrainingType::Both,
            assistant_id: Some("workshop".to_owned()),
            language: Some("en".to_owned()),
            pipeline: vec![ComponentEntry {
                name: "DIETClassifier".to_owned(),
                options: [
                    ("epochs".to_owned(), json!(100)),
                    ("learning_rate".to_owned(), json!(0.001)),
                ]
                .into(),
                files: vec![WEIGHTS.to_owned()],
            }],
            policies: vec![ComponentEntry {
                name: "MemoizationPolicy".to_owned(),
                options: BTreeMap::new(),
                files: vec![LOOKUP.to_owned()],
            }],
        },
    }
}

/// Opens an archive, and checks on the way that an examination, which goes on
/// after the first flaw, takes and refuses the same.
fn open(bytes: &[u8]) -> Result<Model, Flaw> {
    let (size, limits) = (bytes.len() as u64, Limits::default());
    let opened = unpack(bytes, size, &limits);
    let examination = examine(bytes, size, &limits);
    match &opened {
        Ok(model) => {
            assert_eq!(examination.flaws.len(), 0, "{:?}", examination.flaws);
            assert_eq!(examination.model.as_ref(), Some(model));
        }
        Err(flaw) => {
            let flaws = examination.flaws.iter().map(ToString::to_string);
            let flaws: Vec<String> = flaws.collect();
            assert!(
                flaws.contains(&flaw.to_string()),
                "{flaw} is not in {flaws:?}"
            );
        }
    }
    opened
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut tar).unwrap();
    tar
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// One entry of a hand-made archive, with nothing checked.
fn entry(path: &[u8], kind: EntryType, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..path.len()].copy_from_slice(path);
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// A good archive with `first` in front of its entries.
fn with_entry_in_front(first: &[u8]) -> Vec<u8> {
    gzip(&[first, &gunzip(&pack(&model()).unwrap().bytes)].concat())
}

/// The entries of a good archive, changed by `change`, packed again.
fn with_entries(change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) -> Vec<u8> {
    let mut entries = BTreeMap::new();
    let tar = gunzip(&pack(&model()).unwrap().bytes);
    for file in tar::Archive::new(tar.as_slice()).entries().unwrap() {
        let mut file = file.unwrap();
        let path = String::from_utf8(file.path_bytes().into_owned()).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        entries.insert(path, content);
    }
    change(&mut entries);
    let mut tar = Vec::new();
    for (path, content) in entries {
        tar.extend(entry(path.as_bytes(), EntryType::Regular, &content));
    }
    tar.resize(tar.len() + 1024, 0);
    gzip(&tar)
}

#[track_caller]
fn check_refused(bytes: &[u8], want: Expect) {
    let flaw = open(bytes).expect_err("the archive was accepted");
    want.assert_eq(&flaw.to_string());
}

#[test]
fn what_is_packed_comes_out_again() {
    let packed = pack(&model()).unwrap();
    assert_eq!(open(&packed.bytes).unwrap(), model());
    assert_eq!(open(&with_entries(|_| ())).unwrap(), model());
}

#[test]
fn an_examination_tells_everything_that_is_wrong_at_once() {
    let mut bytes = with_entries(|entries| {
        entries.remove("core/domain.json").unwrap();
        entries.get_mut(LOOKUP).unwrap().push(b'!');
        entries.get_mut(WEIGHTS).unwrap()[0] ^= 1;
        entries.insert("nlu/more.json".to_owned(), b"{}".to_vec());
        entries.get_mut("fingerprint.json").unwrap().push(b'\n');
    });
    bytes.extend(b"more");
    let examination = examine(&bytes[..], bytes.len() as u64, &Limits::default());
    let flaws = examination.flaws.iter().map(ToString::to_string);
    let flaws: Vec<String> = flaws.collect();
    let hex = Regex::new("[0-9a-f]{64}").unwrap();
    expect![[r#"
        bytes after the end of the archive
        an entry is missing: `core/domain.json`
        size of `core/policy_0_MemoizationPolicy/memorized_turns.json` is 13 bytes, the manifest says 12
        size of `fingerprint.json` is 815 bytes, the manifest says 814
        digest of `nlu/component_1_DIETClassifier.safetensors` is [DIGEST], the manifest says [DIGEST]
        an entry is not in the manifest: `nlu/more.json`
    "#]]
    .assert_eq(&hex.replace_all(&(flaws.join("\n") + "\n"), "[DIGEST]"));
}

#[test]
fn the_same_model_gives_the_same_bytes_and_another_one_does_not() {
    let packed = pack(&model()).unwrap();
    assert_eq!(pack(&open(&packed.bytes).unwrap()).unwrap(), packed);
    let mut other = model();
    other.nlu.values_mut().next().unwrap()[7] ^= 1;
    assert_ne!(pack(&other).unwrap().digest, packed.digest);
    let mut other = model();
    other.metadata.language = None;
    assert_ne!(pack(&other).unwrap().digest, packed.digest);
}

#[test]
fn the_manifest_digest_names_the_model() {
    let packed = pack(&model()).unwrap();
    let tar = gunzip(&packed.bytes);
    let mut archive = tar::Archive::new(tar.as_slice());
    let mut manifest = archive
        .entries()
        .unwrap()
        .map(Result::unwrap)
        .find(|file| file.path_bytes() == b"manifest.json".as_slice())
        .unwrap();
    let mut bytes = Vec::new();
    manifest.read_to_end(&mut bytes).unwrap();
    assert_eq!(Digest::of(&bytes), packed.digest);
}

#[test]
fn an_archive_says_nothing_of_when_where_and_by_whom() {
    let packed = pack(&model()).unwrap();
    // No flags, so no name; no time; the operating system is "unknown".
    assert_eq!(packed.bytes[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
    assert_eq!(packed.bytes[9], 255);
    let tar = gunzip(&packed.bytes);
    let mut paths = Vec::new();
    for file in tar::Archive::new(tar.as_slice()).entries().unwrap() {
        let file = file.unwrap();
        let header = file.header();
        assert_eq!(header.mtime().unwrap(), 0);
        assert_eq!(header.uid().unwrap(), 0);
        assert_eq!(header.gid().unwrap(), 0);
        assert_eq!(header.mode().unwrap(), 0o644);
        paths.push(String::from_utf8(file.path_bytes().into_owned()).unwrap());
    }
    expect![[r#"
        core/domain.json
        core/policy_0_MemoizationPolicy/memorized_turns.json
        fingerprint.json
        manifest.json
        metadata.json
        nlu/component_1_DIETClassifier.safetensors"#]]
    .assert_eq(&paths.join("\n"));
}

#[test]
fn only_json_and_safetensors_are_packed() {
    for path in [
        "model.pkl",
        "../a.json",
        "/a.json",
        "a",
        "a.JSON",
        "a//b.json",
    ] {
        let mut bad = model();
        bad.nlu.insert(path.to_owned(), Vec::new());
        assert!(matches!(pack(&bad), Err(Flaw::Path { .. })), "{path}");
    }
}

#[test]
fn a_component_cannot_list_a_file_that_is_not_there() {
    let mut bad = model();
    bad.metadata.pipeline[0]
        .files
        .push("nlu/lost.json".to_owned());
    let flaw = pack(&bad).unwrap_err().to_string();
    expect!["an entry is missing: `nlu/lost.json`"].assert_eq(&flaw);
}

#[test]
fn hardly_any_content_in_many_bytes_is_stored_and_can_be_read_again() {
    let mut model = model();
    model
        .nlu
        .insert("zeros.safetensors".to_owned(), vec![0; 65 << 20]);
    let packed = pack(&model).unwrap();
    assert!(packed.bytes.len() > 65 << 20);
    assert!(open(&packed.bytes).unwrap() == model);
}

#[test]
fn an_archive_cut_off_anywhere_is_refused() {
    let bytes = pack(&model()).unwrap().bytes;
    for length in 0..bytes.len() {
        assert!(open(&bytes[..length]).is_err(), "cut to {length} bytes");
    }
    check_refused(&bytes[..bytes.len() / 2], expect!["damaged or cut off"]);
}

#[test]
fn a_bit_flipped_anywhere_never_gives_another_model() {
    let bytes = pack(&model()).unwrap().bytes;
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        // The header's time and the filling bits of the last code change nothing.
        if let Ok(read) = open(&flipped) {
            assert!(read == model(), "bit {bit} went unnoticed");
        }
    }
}

#[test]
fn a_byte_changed_below_the_compression_never_gives_another_model() {
    // The gzip checksum is right here, so only tar and manifest can notice.
    let tar = gunzip(&pack(&model()).unwrap().bytes);
    for position in 0..tar.len() {
        for value in [0, b'7', 0xff, tar[position] ^ 1] {
            let mut changed = tar.clone();
            changed[position] = value;
            if let Ok(read) = open(&gzip_stored(&changed)) {
                assert!(read == model(), "byte {position} as {value} went unnoticed");
            }
        }
    }
}

/// Gzip without compression, as it is much faster.
fn gzip_stored(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_tar_cut_off_below_the_compression_is_refused() {
    let tar = gunzip(&pack(&model()).unwrap().bytes);
    // Whole without the two empty blocks at the end: nothing is lost then.
    for length in 0..tar.len() - 1024 {
        let last_is_padding = tar[length..].iter().all(|byte| *byte == 0);
        if let Ok(read) = open(&gzip_stored(&tar[..length])) {
            assert!(last_is_padding && read == model(), "cut to {length} bytes");
        }
    }
}

#[test]
fn a_path_that_leaves_the_archive_is_refused() {
    let front = |path: &[u8]| with_entry_in_front(&entry(path, EntryType::Regular, b"{}"));
    check_refused(
        &front(b"/etc/a.json"),
        expect!["an entry's path is absolute: `/etc/a.json`"],
    );
    check_refused(
        &front(b"nlu/../../a.json"),
        expect!["an entry's path has an empty, `.` or `..` part: `nlu/../../a.json`"],
    );
    check_refused(
        &front(b"nlu\\a.json"),
        expect![[r#"an entry's path has `\`, `:` or a control character: `nlu\a.json`"#]],
    );
    check_refused(
        &front(b"nlu/\xff.json"),
        expect!["an entry's path is not UTF-8: `nlu/\u{fffd}.json`"],
    );
    check_refused(
        &front(b"components/a.json"),
        expect!["an entry's path is not one that an archive has: `components/a.json`"],
    );
    check_refused(
        &front(b"nlu/model.pkl"),
        expect!["an entry's path is neither `.json` nor `.safetensors`: `nlu/model.pkl`"],
    );
    check_refused(&front(b""), expect!["an entry's path is empty: ``"]);
}

#[test]
fn a_path_longer_than_a_plain_header_holds_is_refused() {
    let mut long = entry(b"x.json", EntryType::Regular, b"{}");
    // The prefix field of ustar, joined to the name with a slash.
    long[345..349].copy_from_slice(b"nlu/");
    long[349..349 + 140].fill(b'a');
    let mut header = Header::from_byte_slice(&long[..512]).clone();
    header.set_cksum();
    long[..512].copy_from_slice(header.as_bytes());
    let flaw = open(&with_entry_in_front(&long)).unwrap_err();
    assert!(flaw.to_string().contains("longer than 100 bytes"), "{flaw}");
}

#[test]
fn only_regular_files_are_read() {
    for (kind, name) in [
        (EntryType::Symlink, "a symbolic link"),
        (EntryType::Link, "a hard link"),
        (EntryType::Char, "a device"),
        (EntryType::Block, "a device"),
        (EntryType::Fifo, "a pipe"),
        (EntryType::Directory, "a folder"),
        (EntryType::XHeader, "an extended header"),
        (EntryType::XGlobalHeader, "an extended header"),
        (EntryType::GNULongName, "a long name"),
        (EntryType::GNULongLink, "a long name"),
        (EntryType::GNUSparse, "of an unknown kind"),
        (EntryType::Continuous, "of an unknown kind"),
    ] {
        let flaw = open(&with_entry_in_front(&entry(b"nlu/a.json", kind, b""))).unwrap_err();
        assert_eq!(
            flaw.to_string(),
            format!("an entry is not a regular file but {name}: `nlu/a.json`")
        );
    }
}

#[test]
fn an_entry_that_stands_twice_is_refused() {
    let path = b"core/domain.json";
    check_refused(
        &with_entry_in_front(&entry(path, EntryType::Regular, b"{}")),
        expect!["an entry stands twice: `core/domain.json`"],
    );
}

#[test]
fn the_manifest_lists_exactly_what_is_there() {
    check_refused(
        &with_entries(|entries| {
            entries.insert("nlu/more.json".to_owned(), b"{}".to_vec());
        }),
        expect!["an entry is not in the manifest: `nlu/more.json`"],
    );
    check_refused(
        &with_entries(|entries| {
            entries.remove(WEIGHTS);
        }),
        expect!["an entry is missing: `nlu/component_1_DIETClassifier.safetensors`"],
    );
    check_refused(
        &with_entries(|entries| {
            entries.remove("manifest.json");
        }),
        expect!["an entry is missing: `manifest.json`"],
    );
    check_refused(
        &with_entries(|entries| {
            entries.remove("fingerprint.json");
        }),
        expect!["an entry is missing: `fingerprint.json`"],
    );
}

#[test]
fn content_that_is_not_what_the_manifest_says_is_refused() {
    check_refused(
        &with_entries(|entries| entries.get_mut(WEIGHTS).unwrap().truncate(1999)),
        expect![[
            "size of `nlu/component_1_DIETClassifier.safetensors` is 1999 bytes, the manifest says 2000"
        ]],
    );
    let changed = with_entries(|entries| entries.get_mut(WEIGHTS).unwrap()[0] = 1);
    assert!(matches!(open(&changed), Err(Flaw::WrongDigest { .. })));
}

#[test]
fn a_key_that_stands_twice_in_a_document_is_refused() {
    check_refused(
        &with_entries(|entries| {
            let manifest = entries.get_mut("manifest.json").unwrap();
            let text = String::from_utf8(manifest.clone()).unwrap();
            let twice = "\"entries\": {\n    \"core/domain.json\": \
                {\"digest\": \"0000000000000000000000000000000000000000000000000000000000000000\", \"size\": 0},";
            *manifest = text.replace("\"entries\": {", twice).into_bytes();
        }),
        expect!["not in canonical form: `manifest.json`"],
    );
}

#[test]
fn a_document_that_nests_without_end_is_refused() {
    let bytes = with_entries(|entries| {
        entries.insert("metadata.json".to_owned(), vec![b'['; 1 << 20]);
    });
    check_refused(&bytes, expect!["not a valid document: `metadata.json`"]);
}

#[test]
fn a_newer_format_is_refused_by_number() {
    check_refused(
        &with_entries(|entries| {
            let metadata = br#"{"archive_format": 2, "something_new": true}"#;
            entries.insert("metadata.json".to_owned(), metadata.to_vec());
        }),
        expect!["archive format 2 is newer than this version reads (1); update tabella"],
    );
}

#[test]
fn bytes_after_the_end_are_refused() {
    let mut bytes = pack(&model()).unwrap().bytes;
    let mut tar = gunzip(&bytes);
    tar.extend_from_slice(b"more");
    check_refused(&gzip(&tar), expect!["bytes after the end of the archive"]);
    bytes.extend_from_slice(&bytes.clone());
    check_refused(&bytes, expect!["bytes after the end of the archive"]);
}

#[test]
fn limits_hold_before_sizes_are_believed() {
    let packed = pack(&model()).unwrap().bytes;
    let refusal = |limits: Limits| {
        let flaw = unpack(packed.as_slice(), packed.len() as u64, &limits).unwrap_err();
        flaw.to_string()
    };
    let limits = Limits::default();
    expect!["entries over the limit of 3"].assert_eq(&refusal(Limits {
        entries: 3,
        ..limits
    }));
    expect!["bytes in `core/domain.json` over the limit of 9"].assert_eq(&refusal(Limits {
        entry_bytes: 9,
        ..limits
    }));
    expect!["bytes in all entries over the limit of 2000"].assert_eq(&refusal(Limits {
        total_bytes: 2000,
        ..limits
    }));

    // A header that claims an exabyte, and one that claims to be endless.
    for size in [1 << 60, u64::MAX] {
        let mut huge = entry(b"nlu/a.json", EntryType::Regular, b"");
        let mut header = Header::from_byte_slice(&huge[..512]).clone();
        header.set_size(size);
        header.set_cksum();
        huge[..512].copy_from_slice(header.as_bytes());
        assert!(open(&with_entry_in_front(&huge)).is_err());
    }
}

#[test]
fn a_decompression_bomb_is_refused_early() {
    // 80 MiB of zeros in 80 kB, as one entry and as padding after the end.
    let zeros = vec![0; 80 << 20];
    let as_entry = with_entry_in_front(&entry(b"nlu/a.json", EntryType::Regular, &zeros));
    check_refused(
        &as_entry,
        expect!["compression ratio over the limit of 200"],
    );
    let mut tar = gunzip(&pack(&model()).unwrap().bytes);
    tar.extend_from_slice(&zeros);
    check_refused(
        &gzip(&tar),
        expect!["compression ratio over the limit of 200"],
    );
}

#[test]
fn other_files_are_refused_with_the_path_and_the_cause() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.tar.gz");
    fs::write(&path, b"PK\x03\x04 not a gzip file").unwrap();
    let error = read_model(&path).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("not a usable model archive: `{}`", path.display())
    );
    assert_eq!(error.source().unwrap().to_string(), "damaged or cut off");
    let missing = read_model(&folder.path().join("none.tar.gz")).unwrap_err();
    assert!(matches!(missing, ArchiveError::Read { .. }));
}

#[test]
fn a_placed_archive_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let packed = pack(&model()).unwrap();
    let placed = place(&packed, &folder.path().join("models"), Some("m")).unwrap();
    assert_eq!(placed.path, folder.path().join("models/m.tar.gz"));
    assert_eq!(read_model(&placed.path).unwrap(), model());
    assert!(holds(&placed.path, &Digest::of(&packed.bytes)));
    assert!(!holds(&placed.path, &Digest::of(b"")));
    assert_eq!(
        names(&folder.path().join("models")),
        ["latest.json", "m.tar.gz"]
    );
}

#[test]
fn an_archive_that_is_there_already_is_left_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let packed = pack(&model()).unwrap();
    let first = place(&packed, folder.path(), None).unwrap();
    assert!(first.is_new);
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let pointer = folder.path().join("latest.json");
    for path in [&first.path, &pointer] {
        fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(long_ago)
            .unwrap();
    }
    let second = place(&packed, folder.path(), None).unwrap();
    assert!(!second.is_new);
    for path in [&second.path, &pointer] {
        assert_eq!(fs::metadata(path).unwrap().modified().unwrap(), long_ago);
    }
}

#[test]
fn an_archive_with_other_bytes_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let packed = pack(&model()).unwrap();
    let path = folder.path().join("m.tar.gz");
    for wrong in [b"half".to_vec(), vec![0; packed.bytes.len()]] {
        fs::write(&path, wrong).unwrap();
        assert!(place(&packed, folder.path(), Some("m")).unwrap().is_new);
        assert_eq!(fs::read(&path).unwrap(), packed.bytes);
    }
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    // A folder stands where the archive should go, so the rename fails.
    fs::create_dir_all(folder.path().join("m.tar.gz/in-the-way")).unwrap();
    let error = place(&pack(&model()).unwrap(), folder.path(), Some("m")).unwrap_err();
    assert!(matches!(error, ArchiveError::Write { .. }));
    assert_eq!(names(folder.path()), ["m.tar.gz"]);
}

#[test]
fn the_pointer_names_the_model_written_last() {
    let folder = tempfile::tempdir().unwrap();
    let both = place(&pack(&model()).unwrap(), folder.path(), None).unwrap();
    let mut other = model();
    other.metadata.language = None;
    let fixed = place(&pack(&other).unwrap(), folder.path(), Some("fixed")).unwrap();
    assert_eq!(latest_model(folder.path()).unwrap(), fixed.path);
    place(&pack(&model()).unwrap(), folder.path(), None).unwrap();
    assert_eq!(latest_model(folder.path()).unwrap(), both.path);
    assert_eq!(latest_model(&fixed.path).unwrap(), fixed.path);
}

#[test]
fn without_a_pointer_the_newest_archive_is_the_latest() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, seconds| {
        let path = folder.path().join(name);
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        fs::File::create(&path).unwrap().set_modified(time).unwrap();
        path
    };
    assert!(matches!(
        latest_model(folder.path()),
        Err(ArchiveError::NoModel { .. })
    ));
    at("c.tar.gz", 100);
    at("a.tar.gz", 200);
    let b = at("b.tar.gz", 200);
    at(".hidden.tar.gz", 300);
    at("notes.txt", 300);
    assert_eq!(latest_model(folder.path()).unwrap(), b);
    // A pointer to an archive that was deleted counts for nothing.
    fs::write(
        folder.path().join("latest.json"),
        "{\"archive\": \"gone.tar.gz\"}",
    )
    .unwrap();
    assert_eq!(latest_model(folder.path()).unwrap(), b);
}

#[test]
fn a_pointer_cannot_lead_out_of_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    for bad in [
        "{\"archive\": \"../m.tar.gz\"}",
        "{\"archive\": \"/m.tar.gz\"}",
        "{\"archive\": \"m.json\"}",
        "{\"archive\": 1}",
        "{\"archive\": \"m.tar.gz\", \"more\": 1}",
        "m.tar.gz",
        "",
    ] {
        fs::write(folder.path().join("latest.json"), bad).unwrap();
        let result = latest_model(folder.path());
        assert!(matches!(result, Err(ArchiveError::Pointer { .. })), "{bad}");
    }
    let gone = latest_model(&folder.path().join("gone"));
    assert!(matches!(gone, Err(ArchiveError::Read { .. })));
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

mod damage {
    //! Random damage, and random bytes that pass for a tar file.

    use super::gunzip;
    use super::gzip_stored;
    use super::model;
    use super::open;
    use proptest::prelude::*;
    use tabella::archive::pack;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn damaged_archives_never_give_another_model(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        ) {
            let mut tar = gunzip(&pack(&model()).unwrap().bytes);
            for (place, value) in damage {
                let position = place.index(tar.len());
                tar[position] = value;
            }
            if let Ok(read) = open(&gzip_stored(&tar)) {
                prop_assert_eq!(read, model());
            }
        }

        #[test]
        fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
            prop_assert!(open(&bytes).is_err());
            prop_assert!(open(&gzip_stored(&bytes)).is_err());
        }
    }
}
