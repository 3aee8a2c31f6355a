//! `DucklingEntityExtractor` adds what a server finds, and no server, whatever it
//! does, keeps a message from being answered.

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::thread;

use serde_json::Value;
use serde_json::json;
use tabella::api::Assistant;
use tabella::nlu::Parse;

use crate::workbench::Workbench;
use crate::workbench::mistakes;
use crate::workbench::program;

const CONFIG: &str = "\
recipe: default.v1
language: en
pipeline:
- name: KeywordIntentClassifier
- name: DucklingEntityExtractor
  url: http://127.0.0.1:9
  dimensions: [number]
  timeout: 0.4
policies:
- name: RulePolicy
";

const NLU: &str = "\
version: \"3.1\"
nlu:
- intent: greet
  examples: |
    - hello
- intent: order
  examples: |
    - pizzas
";

const FOUND: &str = r#"[
  {"body": "two", "start": 0, "end": 3, "dim": "number", "latent": false,
   "value": {"value": 2, "type": "value"}},
  {"body": "two", "start": 0, "end": 3, "dim": "time", "latent": true,
   "value": {"value": "02:00", "type": "value"}}
]"#;

fn bench() -> Workbench {
    Workbench::new(&[
        ("config.yml", CONFIG),
        ("domain.yml", "version: \"3.1\"\nintents: [greet, order]\n"),
        ("data/nlu.yml", NLU),
    ])
}

/// Serves one connection after the other on a port of its own; returns its address
/// and the requests as they come.
fn serve(answer: impl Fn(TcpStream) + Send + 'static) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (requests, received) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            if requests.send(request(&mut stream)).is_err() {
                return;
            }
            answer(stream);
        }
    });
    (url, received)
}

/// Reads a request to the end that it announces.
fn request(stream: &mut TcpStream) -> String {
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut buffer).unwrap_or(0);
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            assert!(count > 0, "a request without an end: {text}");
            continue;
        };
        let head = head.to_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap();
        let length: usize = length.split_whitespace().next().unwrap().parse().unwrap();
        if body.len() >= length {
            return text;
        }
    }
}

fn respond(mut stream: TcpStream, status: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    // A client that has had enough may be gone.
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body));
}

/// Parses a message with the server at `url`.
fn parse_at(url: &str, text: &str) -> Parse {
    let model = bench().train().unwrap().model.map(|model| {
        let mut assistant = Assistant::load(&model).unwrap();
        assistant.ask_duckling_at(url).unwrap();
        assistant
    });
    model.unwrap().parse(text).unwrap()
}

#[test]
fn what_the_server_finds_becomes_entities() {
    let (url, requests) = serve(|stream| respond(stream, "200 OK", FOUND.as_bytes()));
    let parse = parse_at(&url, "two pizzas & more");
    assert_eq!(parse.warnings, [""; 0]);
    let shown = serde_json::to_value(&parse).unwrap();
    assert_eq!(shown["intent"]["name"], "order");
    assert_eq!(
        shown["entities"],
        json!([{
            "entity": "number", "start": 0, "end": 3, "text": "two", "value": 2,
            "confidence": 1.0, "additional_info": {"value": 2, "type": "value"},
            "extractor": "DucklingEntityExtractor",
        }])
    );
    let request = requests.recv().unwrap();
    assert!(request.starts_with("POST /parse HTTP/1.1\r\n"), "{request}");
    let (_, form) = request.split_once("\r\n\r\n").unwrap();
    let fields: Vec<&str> = form.split('&').collect();
    assert!(
        matches!(
            fields[0],
            "text=two+pizzas+%26+more" | "text=two%20pizzas%20%26%20more"
        ),
        "{form}"
    );
    assert_eq!(fields[1], "locale=en_EN", "{form}");
    assert_eq!(fields[2], "dims=%5B%22number%22%5D", "{form}");
    let reference = fields[3].strip_prefix("reftime=").unwrap();
    assert!(reference.parse::<u64>().unwrap() > 1_600_000_000_000);
}

/// Asserts that a server which does so costs the entities, and what is told of it.
#[track_caller]
fn check_failure(says: &str, answer: impl Fn(TcpStream) + Send + 'static) {
    let (url, _requests) = serve(answer);
    let parse = parse_at(&url, "two pizzas");
    assert_eq!(parse.intent.name.as_deref(), Some("order"));
    assert!(parse.entities.is_empty(), "{parse:?}");
    let [warning] = &parse.warnings[..] else {
        panic!("{:?}", parse.warnings);
    };
    assert!(
        warning.contains(says) && warning.contains(&url),
        "{warning}"
    );
}

#[test]
fn a_server_that_fails_costs_the_entities_alone() {
    check_failure("status 500: out of memory", |stream| {
        respond(stream, "500 Internal Server Error", b"out of\n memory")
    });
    check_failure("status 302", |stream| {
        respond(stream, "302 Found\r\nLocation: http://127.0.0.1:9/", b"")
    });
    check_failure("not Duckling's", |stream| {
        respond(stream, "200 OK", b"<html>")
    });
    check_failure("not Duckling's", |stream| {
        respond(
            stream,
            "200 OK",
            FOUND.replace("\"end\": 3", "\"end\": 99").as_bytes(),
        )
    });
    check_failure("cannot be asked", |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n[{\"body\"");
    });
    check_failure("cannot be asked", drop);
}

#[test]
fn a_server_that_does_not_end_is_left() {
    // Reading on returns when the client has hung up.
    let wait = |mut stream: TcpStream| {
        let _ = stream.read(&mut [0; 64]);
    };
    check_failure("no answer in 0.4 s", wait);
    check_failure("no answer in 0.4 s", move |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n[");
        wait(stream);
    });
    check_failure("more than", |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        let blanks = [b' '; 1 << 16];
        while stream.write_all(&blanks).is_ok() {}
    });
}

#[test]
fn nobody_is_asked_while_training_and_one_warning_is_told() {
    let bench = bench();
    bench.train().unwrap();
    let root = bench.root();
    let run = |url: Option<&str>| {
        let mut parse = program(&root, bench.cache());
        parse.args(["parse", "hello", "two pizzas", "pizzas"]);
        if let Some(url) = url {
            parse.env("RASA_DUCKLING_HTTP_URL", url);
        }
        let output = parse.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        assert!(output.status.success());
        (text(output.stdout), text(output.stderr))
    };
    // Nobody listens on this port.
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (out, told) = run(Some(&format!("http://{free}")));
    assert_eq!(out.lines().count(), 3);
    assert_eq!(told.lines().count(), 1, "{told}");
    let start = format!("warning: `DucklingEntityExtractor` finds nothing: http://{free}/parse");
    assert!(told.starts_with(&start), "{told}");
    let (url, _requests) = serve(|stream| respond(stream, "200 OK", FOUND.as_bytes()));
    let (out, told) = run(Some(&url));
    assert_eq!(told, "");
    let last: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!(last["entities"][0]["value"], 2);
}

#[test]
fn options_that_cannot_be_are_told_before_anything_trains() {
    let bench = bench();
    bench.replace("config.yml", "http://127.0.0.1:9", "https://duckling");
    let told = mistakes(&bench.train().unwrap_err());
    assert_eq!(
        told,
        "E107 config.yml:6:8: option `url` of `DucklingEntityExtractor` cannot be used: encrypted \
         connections are not built in; write `http://`"
    );
    bench.replace("config.yml", "https://duckling", "http://duckling");
    bench.replace("config.yml", "timeout: 0.4", "timeout: 0");
    let told = mistakes(&bench.train().unwrap_err());
    assert!(told.contains("config.yml:8:12: option `timeout`"), "{told}");
}

#[test]
fn a_wrong_address_in_the_environment_is_told_as_such() {
    let bench = bench();
    bench.train().unwrap();
    let mut parse = program(&bench.root(), bench.cache());
    parse.args(["parse", "hello"]);
    parse.env("RASA_DUCKLING_HTTP_URL", "http://me:secret@duckling:99999");
    let output = parse.output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: the environment variable `RASA_DUCKLING_HTTP_URL` cannot be used: \
         `http://***@duckling:99999`: its port is none of 1 to 65535\n"
    );
}
