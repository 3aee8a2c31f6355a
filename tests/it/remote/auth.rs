//! Tokens: from a file or the environment, in no message; and who may do what.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tabella::data::Remote;

use crate::remote::Machine;
use crate::remote::liar::Liar;
use crate::remote::reading;
use crate::remote::servers::Server;
use crate::remote::writing;
use crate::workbench::program;

/// `ci:sekret`, as a browser would send it.
const HEADER: &str = "Authorization: Basic Y2k6c2VrcmV0";

fn with_headers(remote: Remote, folder: &Path) -> Remote {
    let path = folder.join("headers");
    fs::write(&path, format!("# for the tests\n{HEADER}\n")).unwrap();
    Remote {
        header_file: Some(path),
        ..remote
    }
}

#[test]
fn one_who_is_not_let_in_is_told_where_to_look() {
    let Some(server) = Server::nginx() else {
        return;
    };
    let url = format!("{}/auth", server.url);
    let machine = Machine::new();
    let trained = machine.train(&writing(&url));
    assert!(trained.ran > 5);
    let warnings = machine.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("refuses access (401 Unauthorized)"),
        "{warnings:?}"
    );
    assert!(warnings[0].contains("--remote-header-file"), "{warnings:?}");
}

#[test]
fn headers_of_a_file_let_in() {
    let Some(server) = Server::nginx() else {
        return;
    };
    let url = format!("{}/auth", server.url);
    let (first, second) = (Machine::new(), Machine::new());
    let trained = first.train(&with_headers(writing(&url), &first.bench.root()));
    assert_eq!(first.warnings(), [""; 0]);
    let restored = second.train(&with_headers(reading(&url), &second.bench.root()));
    assert_eq!((restored.ran, restored.fetched), (0, trained.ran));
}

#[test]
fn wrong_headers_are_named_by_their_file_and_never_shown() {
    let server = Liar::new(|_, _, answer| {
        answer.status = 403;
        answer.body = b"your token Y2k6c2VrcmV0 is wrong".to_vec();
    });
    let machine = Machine::new();
    let remote = with_headers(reading(&server.url), &machine.bench.root());
    machine.train(&remote);
    let [warning] = &machine.warnings()[..] else {
        panic!("{:?}", machine.warnings());
    };
    let file = remote.header_file.unwrap();
    assert!(
        warning.contains(&format!("the headers of `{}`", file.display())),
        "{warning}"
    );
}

#[test]
fn a_token_of_the_environment_is_in_no_output_and_no_event() {
    let server = Liar::new(|_, _, answer| answer.status = 401);
    let machine = Machine::new();
    let output = program(&machine.bench.root(), machine.bench.cache())
        .args([
            "train",
            "--json-events",
            "events",
            "--profile",
            "--remote",
            &server.url,
        ])
        .env("TABELLA_REMOTE_HEADERS", HEADER)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        told.contains("the environment variable `TABELLA_REMOTE_HEADERS`"),
        "{told}"
    );
    let events = machine.bench.read("events");
    let all = told + &String::from_utf8_lossy(&output.stdout) + &events;
    assert!(!all.contains("Y2k6c2VrcmV0"), "{all}");
    let begun: Value = serde_json::from_str(events.lines().next().unwrap()).unwrap();
    assert_eq!(begun["options"]["remote"], server.url.as_str());
}

#[test]
fn a_server_that_takes_nothing_is_still_read_from() {
    let Some(server) = Server::nginx() else {
        return;
    };
    let (first, second) = (Machine::new(), Machine::new());
    first.train(&writing(&server.url));
    second
        .bench
        .replace("domain.yml", "text: hi", "text: hello");
    let trained = second.train(&writing(format!("{}/ro", server.url)));
    assert_eq!(trained.ran, 1);
    let warnings = second.warnings();
    assert!(warnings[0].contains("takes no results"), "{warnings:?}");
    assert!(
        warnings[1].contains("1 of 1 results were not uploaded"),
        "{warnings:?}"
    );
    assert_eq!(warnings.len(), 2);
}

#[test]
fn settings_that_cannot_be_end_before_anything_trains() {
    let machine = Machine::new();
    let check = |arguments: &[&str], code: i32, wanted: &str| {
        let output = program(&machine.bench.root(), machine.bench.cache())
            .arg("train")
            .args(arguments)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(told.contains(wanted), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
    };
    check(&["--remote", "cache:80"], 64, "begins with grpc://");
    check(
        &["--remote", "http://a:s3cret@cache"],
        64,
        "`http://…@cache`",
    );
    check(
        &["--remote", "http://c", "--remote-mode", "write"],
        64,
        "`read` or `read-write`",
    );
    check(
        &["--remote", "http://c", "--remote-timeout", "5"],
        64,
        "`5s`",
    );
    check(
        &["--remote", "http://c", "--remote-header-file", "no"],
        66,
        "cannot read the headers",
    );
    machine.bench.write("token", "s3cret");
    check(
        &["--remote", "http://c", "--remote-header-file", "token"],
        64,
        "line 1 of",
    );
    check(
        &["--remote", "https://c", "--remote-ca", "token"],
        64,
        "there is none in it",
    );
    check(
        &["--remote", "https://c", "--remote-client-key", "token"],
        64,
        "needs its key",
    );
    assert!(!machine.bench.cache().exists());
}
