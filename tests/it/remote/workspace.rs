//! The remote cache of a workspace file: read, checked, used.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

use serde_json::Value;
use tabella::data::Remote;
use tabella::data::RemoteExec;
use tabella::data::RemoteMode;
use tabella::diagnostic::Paint;
use tabella::diagnostic::render;
use tabella::import::import_workspace_text;

use crate::json_schema::Schema;
use crate::remote::Machine;
use crate::remote::liar::Liar;
use crate::remote::reapi::Habits;
use crate::remote::reapi::Reapi;
use crate::workbench::program;

fn import(text: &str) -> (Option<Remote>, String) {
    let text = format!("version: 1\nassistants: [.]\n{text}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tabella.yml");
    let imported = import_workspace_text(&path, text.as_bytes(), &Default::default()).unwrap();
    let told = render(&imported.diagnostics, &imported.sources, Paint::Plain);
    (imported.workspace.remote, told)
}

#[test]
fn an_address_is_enough() {
    let (remote, told) = import("remote: grpcs://cache:443\n");
    assert_eq!(told, "");
    assert_eq!(remote, Some(Remote::new("grpcs://cache:443")));
    assert_eq!(import("remote:\n").0, None);
}

#[test]
fn paths_start_at_the_folder_of_the_file() {
    let (remote, told) = import(
        "remote:\n  url: https://cache/bots\n  mode: read-write\n  timeout: 500ms\n  upload_wait: 2m\n  \
         instance: main\n  header_file: ../secret\n  header_env: TOKEN\n  ca: ca.pem\n",
    );
    assert_eq!(told, "");
    let remote = remote.unwrap();
    assert_eq!(remote.mode, RemoteMode::ReadWrite);
    assert_eq!((remote.timeout_ms, remote.upload_wait_ms), (500, 120_000));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(remote.header_file, Some(root.join("secret")));
    assert_eq!(remote.ca, Some(root.join("examples/ca.pem")));
}

#[test]
fn what_runs_elsewhere_is_said_in_a_word_or_a_map() {
    let exec = |text: &str| import(&format!("remote: {{url: grpc://engine, exec: {text}}}\n"));
    let said = |text: &str| {
        let (remote, told) = exec(text);
        assert_eq!(told, "");
        remote.unwrap().exec
    };
    assert_eq!(said("true"), Some(RemoteExec::default()));
    assert_eq!(said("{}"), Some(RemoteExec::default()));
    assert_eq!(said("false"), None);
    assert_eq!(said("null"), None);
    let all = "{jobs: 3, properties: {os: linux, cores: 8}, task_timeout: 1m, queue_timeout: 2s, \
               priority: -5}";
    let properties = [("os", "linux"), ("cores", "8")];
    let wanted = RemoteExec {
        jobs: 3.try_into().unwrap(),
        properties: properties
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .to_vec(),
        task_timeout_ms: 60_000,
        queue_timeout_ms: 2_000,
        priority: -5,
    };
    assert_eq!(said(all), Some(wanted));
    let (_, told) = exec("{jobs: 0, propertes: {}, priority: first}");
    expect_test::expect![[r#"
        error[E712]: `jobs` is a whole number from 1 to 1000000
          ──▶ tabella.yml:3:43
           │
         3 │ remote: {url: grpc://engine, exec: {jobs: 0, propertes: {}, priority: first}}
           │                                           ^

        error[E706]: unknown key `propertes`
          ──▶ tabella.yml:3:46
           │
         3 │ remote: {url: grpc://engine, exec: {jobs: 0, propertes: {}, priority: first}}
           │                                              ^^^^^^^^^
           = help: did you mean `properties`?

        error[E712]: `priority` is a whole number from -2147483648 to 2147483647
          ──▶ tabella.yml:3:71
           │
         3 │ remote: {url: grpc://engine, exec: {jobs: 0, propertes: {}, priority: first}}
           │                                                                       ^^^^^
    "#]]
    .assert_eq(&told);
    let (_, told) = import("remote: {url: 'http://c', exec: yes}\nmatrix: {}\n");
    assert!(told.contains("write `true`"), "{told}");
    let (_, told) = import("remote: {url: 'http://c', exec: true}\n");
    assert!(told.contains("an HTTP cache runs no tasks"), "{told}");
}

#[test]
fn mistakes_are_named_all_at_once() {
    let (_, told) = import("remote:\n  url: ftp://cache\n  mod: read\n");
    expect_test::expect![[r#"
        error[E712]: `url` is no address of a remote cache
          ──▶ tabella.yml:4:8
           │
         4 │   url: ftp://cache
           │        ^^^^^^^^^^^
           = help: begin it with one of grpc://, grpcs://, http://, https://

        error[E706]: unknown key `mod`
          ──▶ tabella.yml:5:3
           │
         5 │   mod: read
           │   ^^^
           = help: did you mean `mode`?
    "#]]
    .assert_eq(&told);
    let (_, told) = import("remote: {url: 'http://c', mode: readwrite, timeout: soon}\n");
    expect_test::expect![[r#"
        error[E712]: `readwrite` is no mode of a remote cache
          ──▶ tabella.yml:3:33
           │
         3 │ remote: {url: 'http://c', mode: readwrite, timeout: soon}
           │                                 ^^^^^^^^^
           = help: did you mean `read-write`?

        error[E712]: `timeout` is no time: `soon`
          ──▶ tabella.yml:3:53
           │
         3 │ remote: {url: 'http://c', mode: readwrite, timeout: soon}
           │                                                     ^^^^
           = help: write `5s`, `500ms` or `2m`
    "#]]
    .assert_eq(&told);
    let (_, told) = import("remote: {mode: read}\n");
    assert!(told.contains("`remote` without `url`"), "{told}");
}

#[test]
fn assistants_of_a_workspace_share_what_the_file_names() {
    let server = Liar::new(|_, _, _| {});
    let run = |mode: &str, arguments: &[&str]| {
        let machine = Machine::new();
        let text = format!(
            "version: 1\nremote:\n  url: {}\n  mode: {mode}\nassistants:\n- path: project\n  name: bot\n",
            server.url
        );
        let above = machine.bench.root().parent().unwrap().to_owned();
        fs::write(above.join("tabella.yml"), text).unwrap();
        let output = program(&above, machine.bench.cache())
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.code() < Some(8), "{output:?}");
        (String::from_utf8(output.stdout).unwrap(), machine)
    };
    let (told, first) = run("read-write", &["train", "--all"]);
    assert!(told.contains("bot: trained"), "{told}");
    assert!(server.count("PUT", "/ac/") > 5);
    let (told, second) = run("read", &["train", "--all"]);
    assert!(told.contains("bot: restored"), "{told}");
    assert_eq!(first.models(), second.models());
    let asked = server.asked.lock().unwrap().len();
    let (told, _) = run("read", &["train", "--all", "--remote", "none"]);
    assert!(told.contains("bot: trained"), "{told}");
    // A command on one project knows nothing of the workspace.
    let (told, _) = run("read", &["train", "--project", "project"]);
    assert!(told.contains("trained"), "{told}");
    assert_eq!(server.asked.lock().unwrap().len(), asked);
}

#[test]
fn what_is_fetched_is_told_in_text_json_and_events() {
    let server = Liar::new(|_, _, _| {});
    let first = Machine::new();
    let run = |machine: &Machine, arguments: &[&str]| {
        let output = program(&machine.bench.root(), machine.bench.cache())
            .args(arguments)
            .env("TABELLA_REMOTE", &server.url)
            .output()
            .unwrap();
        assert!(output.status.code() < Some(8), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    run(&first, &["train", "--remote-mode", "read-write", "--quiet"]);
    let second = Machine::new();
    let report = run(&second, &["train", "--dry-run", "--json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(Schema::open("dry-run.schema.json").refusal(&report), None);
    assert_eq!(report["tasks"][0]["state"], "remote");
    let text = run(&second, &["train", "--dry-run"]);
    assert!(text.contains("from the remote cache"), "{text}");
    let tree = run(&second, &["status"]);
    assert!(tree.contains("fetch"), "{tree}");
    let told = run(
        &second,
        &["train", "--json", "--profile", "--json-events", "events"],
    );
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["fetched"], told["tasks"]);
    assert_eq!(told["profile"]["fetched"], told["tasks"]);
    assert_eq!(Schema::open("training.schema.json").refusal(&told), None);
    for line in second.bench.read("events").lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            Schema::open("events.schema.json").refusal(&event),
            None,
            "{line}"
        );
    }
}

#[test]
fn a_workspace_file_does_not_decide_where_secrets_of_the_environment_go() {
    let machine = Machine::new();
    let workspace = "version: 1\nassistants: [{path: ., name: bot}]\nremote: http://127.0.0.1:9\n";
    machine.bench.write("tabella.yml", workspace);
    machine
        .bench
        .write("headers", "Authorization: Bearer s3cret\n");
    let run = |variables: &[(&str, &str)]| {
        let mut command = program(&machine.bench.root(), machine.bench.cache());
        command
            .args(["train", "--all", "--quiet"])
            .envs(variables.iter().copied());
        let output = command.output().unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    for variable in [
        ("TABELLA_REMOTE_HEADER_FILE", "headers"),
        ("TABELLA_REMOTE_CLIENT_KEY", "headers"),
        ("TABELLA_REMOTE_MODE", "read-write"),
    ] {
        let (code, told) = run(&[variable]);
        assert_eq!(code, Some(64), "{told}");
        assert!(told.contains("give its address with `--remote`"), "{told}");
    }
    let address = ("TABELLA_REMOTE", "http://127.0.0.1:9");
    let (code, told) = run(&[address, ("TABELLA_REMOTE_HEADER_FILE", "headers")]);
    assert_eq!(code, Some(0), "{told}");
}

#[test]
fn a_workspace_says_whether_its_tasks_run_elsewhere_and_flags_go_before_it() {
    let server = Reapi::new(Habits {
        executes: true,
        ..Habits::default()
    });
    let run = |exec: &str, flags: &[&str]| {
        let machine = Machine::new();
        let text = format!(
            "version: 1\nremote:\n  url: {}\n  exec: {exec}\nassistants: [{{path: ., name: bot}}]\n",
            server.url
        );
        machine.bench.write("tabella.yml", &text);
        let before = server.jobs.asked.load(Ordering::SeqCst);
        let output = program(&machine.bench.root(), machine.bench.cache())
            .args(["train", "--all"])
            .args(flags)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        assert!(!told.contains("remote cache"), "{told}");
        server.jobs.asked.load(Ordering::SeqCst) - before
    };
    assert_eq!(run("{jobs: 2}", &[]), 1);
    assert_eq!(run("false", &["--remote-exec"]), 1);
    assert_eq!(run("true", &["--remote-exec=false"]), 0);
    assert_eq!(run("true", &["--remote", "none"]), 0);
    // What the workspace says is about its own server.
    assert_eq!(run("true", &["--remote", &server.url]), 0);
}
