//! Whatever a server does, the training gives the archive that it would give
//! without one; a server that is no use costs one time-out and one warning.

use std::collections::HashMap;
use std::collections::HashSet;
use std::fs;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use tabella::api::TrainError;
use tabella::data::Remote;

use crate::remote::Machine;
use crate::remote::liar::Answer;
use crate::remote::liar::Liar;
use crate::remote::proxy::Fault;
use crate::remote::proxy::Proxy;
use crate::remote::reading;
use crate::remote::servers::CASD;
use crate::remote::servers::Server;
use crate::remote::servers::free_port;
use crate::remote::timed;
use crate::remote::writing;

/// What a server has after a training, and the archives of it.
fn stored() -> (HashMap<String, Vec<u8>>, Machine) {
    let server = Liar::new(|_, _, _| {});
    let machine = Machine::new();
    machine.train(&writing(&server.url));
    (server.stored(), machine)
}

/// Trains with a server that lies; returns what was fetched, and the one warning.
#[track_caller]
fn check(lie: impl Fn(&str, &str, &mut Answer) + Send + Sync + 'static) -> (usize, String) {
    let (stored, honest) = stored();
    let server = Liar::with(&stored, lie);
    let machine = Machine::new();
    let trained = machine.train(&reading(&server.url));
    assert!(trained.ran > 0, "nothing of a lie is used");
    assert_eq!(machine.models(), honest.models());
    // What was not fetched is right in the machine's own cache.
    assert_eq!(machine.bench.train().unwrap().ran, 0);
    let warnings = machine.warnings();
    assert!(!warnings.is_empty() && warnings.len() <= 2, "{warnings:?}");
    (trained.fetched, warnings[0].clone())
}

fn is_blob(path: &str) -> bool {
    path.starts_with("/cas/")
}

#[test]
fn bytes_that_are_others_are_not_used() {
    let (fetched, warning) = check(|_, path, answer| {
        if is_blob(path) && !answer.body.is_empty() {
            answer.body[0] ^= 1;
        }
    });
    assert_eq!(fetched, 0);
    assert!(
        warning.contains("gave something that is not used: the bytes of blob"),
        "{warning}"
    );
}

#[test]
fn a_body_that_is_cut_is_not_used() {
    let (fetched, warning) = check(|_, path, answer| {
        if is_blob(path) && !answer.body.is_empty() {
            answer.length = Some(answer.body.len() as u64);
            answer.body.pop();
        }
    });
    assert_eq!(fetched, 0);
    assert!(warning.contains("going on without it"), "{warning}");
}

#[test]
fn a_length_that_cannot_be_is_refused_before_a_byte_is_read() {
    let (fetched, warning) = check(|_, path, answer| {
        if is_blob(path) {
            answer.length = Some(1 << 60);
        }
    });
    assert_eq!(fetched, 0);
    assert!(warning.contains("bytes came where"), "{warning}");
}

#[test]
fn an_answer_without_end_is_left() {
    let (fetched, warning) = check(|_, path, answer| {
        if path.starts_with("/ac/") {
            answer.status = 200;
            answer.body = vec![0; 5 << 20];
        }
    });
    assert_eq!(fetched, 0);
    assert!(
        warning.contains("gave something that is not used"),
        "{warning}"
    );
}

#[test]
fn nonsense_where_a_result_should_be_is_a_miss() {
    let (fetched, warning) = check(|_, path, answer| {
        if path.starts_with("/ac/") {
            answer.status = 200;
            answer.body = b"\xff\xff\xff\xffno message".to_vec();
        }
    });
    assert_eq!(fetched, 0);
    assert!(warning.contains("no such message"), "{warning}");
}

#[test]
fn a_result_under_the_key_of_another_is_not_used() {
    let (stored, _) = stored();
    let mut results: Vec<Vec<u8>> = Vec::new();
    for (path, bytes) in &stored {
        if path.starts_with("/ac/") {
            results.push(bytes.clone());
        }
    }
    results.sort();
    let (_, warning) = check(move |_, path, answer| {
        if path.starts_with("/ac/") && answer.status == 200 {
            answer.body.clone_from(&results[0]);
        }
    });
    assert!(
        warning.contains("under a key that is not its own"),
        "{warning}"
    );
}

#[test]
fn a_result_whose_blobs_are_gone_is_a_miss() {
    let (stored, honest) = stored();
    let server = Liar::with(&stored, |_, path, answer| {
        if is_blob(path) {
            *answer = Answer {
                status: 404,
                body: Vec::new(),
                length: None,
                headers: String::new(),
            };
        }
    });
    let machine = Machine::new();
    let trained = machine.train(&reading(&server.url));
    assert_eq!(trained.fetched, 0);
    assert!(trained.ran > 5);
    assert_eq!(machine.models(), honest.models());
    // That is what a server does that throws old blobs away: nothing to warn of.
    assert_eq!(machine.warnings(), [""; 0]);
    let log = machine.bench.log();
    assert!(log.contains("its result could not be fetched"), "{log}");
}

#[test]
fn redirections_are_not_followed() {
    let other = Liar::new(|_, _, _| {});
    let target = format!("Location: {}/ac/x\r\n", other.url);
    let (_, warning) = check(move |_, _, answer| {
        answer.status = 302;
        answer.headers.clone_from(&target);
    });
    assert!(
        warning.contains("redirections are not followed"),
        "{warning}"
    );
    assert_eq!(
        other.count("GET", "/"),
        0,
        "no header goes to another server"
    );
}

#[test]
fn what_may_pass_is_asked_again() {
    let (stored, honest) = stored();
    let asked: Mutex<HashSet<String>> = Mutex::default();
    let server = Liar::with(&stored, move |_, path, answer| {
        // Whatever is asked for the first time finds the server busy.
        if asked.lock().unwrap().insert(path.to_owned()) {
            answer.status = 503;
            answer.body.clear();
        }
    });
    let machine = Machine::new();
    let trained = machine.train(&reading(&server.url));
    assert_eq!(machine.warnings(), [""; 0]);
    assert_eq!(trained.ran, 0, "{}", machine.bench.log());
    assert_eq!(machine.models(), honest.models());
}

/// Trains with a server that is no use; returns how often it was asked at most
/// that long, and what was said.
#[track_caller]
fn useless(remote: &Remote) -> (Duration, String) {
    let (_, without) = timed(|| Machine::new().bench.train().unwrap());
    let machine = Machine::new();
    let (trained, with) = timed(|| machine.train(remote));
    assert!(trained.ran > 5 && trained.fetched == 0);
    let warnings = machine.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    (with.saturating_sub(without), warnings[0].clone())
}

fn hasty(url: String) -> Remote {
    Remote {
        timeout_ms: 400,
        ..reading(url)
    }
}

/// What one time-out and its surroundings take on a machine that is busy.
const ONCE: Duration = Duration::from_millis(2_500);

#[test]
fn a_server_that_is_not_there_costs_no_more_than_a_time_out() {
    for scheme in ["http", "grpc"] {
        let (cost, warning) = useless(&hasty(format!("{scheme}://127.0.0.1:{}", free_port())));
        assert!(cost < ONCE, "{cost:?}");
        assert!(warning.contains("cannot be used"), "{warning}");
    }
}

#[test]
fn a_server_that_says_nothing_costs_one_time_out() {
    for scheme in ["http", "grpc"] {
        let proxy = Proxy::before(free_port(), Fault::Silence);
        let (cost, warning) = useless(&hasty(format!("{scheme}://127.0.0.1:{}", proxy.port)));
        assert!(cost < ONCE, "{cost:?}");
        assert!(
            warning.contains("did not answer within 400 ms"),
            "{warning}"
        );
        assert!(proxy.connections() <= 32, "{}", proxy.connections());
    }
}

#[test]
fn a_server_that_hangs_up_costs_no_more_than_a_time_out() {
    for scheme in ["http", "grpc"] {
        let proxy = Proxy::before(free_port(), Fault::Close);
        let (cost, warning) = useless(&hasty(format!("{scheme}://127.0.0.1:{}", proxy.port)));
        assert!(cost < ONCE, "{cost:?}");
        assert!(warning.contains("cannot be used"), "{warning}");
    }
}

#[test]
fn a_server_that_is_slow_each_time_costs_one_time_out_in_all() {
    let (stored, honest) = stored();
    // Each answer comes in time; all of them together would not.
    let server = Liar::with(&stored, |_, _, _| thread::sleep(Duration::from_millis(350)));
    let remote = Remote {
        timeout_ms: 500,
        ..reading(&server.url)
    };
    let machine = Machine::new();
    let (_, took) = timed(|| machine.train(&remote));
    assert_eq!(machine.models(), honest.models());
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[test]
fn a_server_that_is_slow_to_hand_out_costs_one_time_out_in_all() {
    let (stored, honest) = stored();
    // Each blob comes in time; all of them together would not.
    let server = Liar::with(&stored, |_, path, _| {
        if is_blob(path) {
            thread::sleep(Duration::from_millis(900));
        }
    });
    let remote = Remote {
        timeout_ms: 1_000,
        ..reading(&server.url)
    };
    let machine = Machine::new();
    let (_, without) = timed(|| Machine::new().bench.train().unwrap());
    let (_, took) = timed(|| machine.train(&remote));
    assert_eq!(machine.models(), honest.models());
    assert!(took < without + Duration::from_millis(4_000), "{took:?}");
    let blobs = stored.keys().filter(|path| is_blob(path)).count();
    let asked = server.count("GET", "/cas/");
    assert!(
        asked <= 2 * 8 + 8 && 2 * asked < blobs,
        "{asked} of {blobs}"
    );
    let warnings = machine.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let told = "has kept this run waiting for 1 s in all, going on without it";
    assert!(warnings[0].ends_with(told), "{warnings:?}");
}

#[test]
fn a_server_of_another_kind_is_given_up() {
    let Some(server) = Server::nginx() else {
        return;
    };
    let (_, warning) = useless(&reading(format!("grpc://127.0.0.1:{}", server.port())));
    assert!(warning.contains("cannot be used"), "{warning}");
    let down = format!("{}/down", server.url);
    let (_, warning) = useless(&reading(down));
    assert!(warning.contains("503"), "{warning}");
}

#[test]
fn one_who_has_had_enough_does_not_wait_for_the_server() {
    let proxy = Proxy::before(free_port(), Fault::Silence);
    let remote = Remote {
        timeout_ms: 60_000,
        ..writing(format!("http://127.0.0.1:{}", proxy.port))
    };
    let machine = Machine::new();
    let options = machine.options(&remote);
    let cancel = options.run.cancel.clone();
    let (result, took) = timed(|| {
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(300));
            cancel.set();
        });
        machine.bench.train_with(&options)
    });
    assert!(matches!(result, Err(TrainError::Interrupted)), "{result:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn uploads_are_given_up_after_a_time_that_is_said() {
    let server = Liar::new(|method, _, _| {
        if method == "PUT" {
            thread::sleep(Duration::from_secs(30));
        }
    });
    let machine = Machine::new();
    let remote = Remote {
        upload_wait_ms: 1_000,
        ..writing(&server.url)
    };
    let (trained, took) = timed(|| machine.train(&remote));
    assert!(trained.ran > 5);
    assert!(took < Duration::from_secs(15), "{took:?}");
    let wanted = format!(
        "{} of {} results were not uploaded",
        trained.ran, trained.ran
    );
    let warnings = machine.warnings();
    assert!(warnings[0].contains(&wanted), "{warnings:?}");
    assert!(warnings[0].ends_with("within 1 s"), "{warnings:?}");
}

#[test]
fn a_server_that_takes_nothing_at_the_moment_still_gives() {
    let (stored, honest) = stored();
    let server = Liar::with(&stored, |method, _, answer| {
        if method == "PUT" {
            answer.status = 429;
        }
    });
    let machine = Machine::new();
    let options = machine.options(&writing(&server.url));
    machine
        .bench
        .replace("data/nlu.yml", "- hello\n", "- hello you\n");
    assert!(machine.bench.train_with(&options).unwrap().ran > 0);
    let told = machine.told().join("\n");
    assert!(
        told.contains("does not take results at the moment"),
        "{told}"
    );

    // As it was, on a machine that has nothing: the same server is asked.
    machine
        .bench
        .replace("data/nlu.yml", "- hello you\n", "- hello\n");
    fs::remove_dir_all(machine.bench.cache()).unwrap();
    let again = machine.bench.train_with(&options).unwrap();
    assert_eq!(again.ran, 0, "{again:?}");
    let archive = honest.models().into_values().next();
    assert!(
        machine
            .models()
            .into_values()
            .any(|model| Some(model) == archive)
    );
}

#[test]
fn a_line_that_flips_cuts_and_delays_changes_no_archive() {
    for version in CASD {
        let Some(server) = Server::casd(version) else {
            return;
        };
        let honest = Machine::new();
        honest.train(&writing(&server.url));
        let cut = |after| Fault::Cut {
            after,
            connections: 2,
        };
        let flips = (0..6).map(|n| Fault::Flip { at: 40 + n * 701 });
        let cuts = [1, 100, 1_000, 5_000].map(cut);
        let delay = Fault::Delay(Duration::from_millis(5));
        for fault in flips.chain(cuts).chain([delay]) {
            let proxy = Proxy::before(server.port(), fault);
            let machine = Machine::new();
            let url = format!("grpc://127.0.0.1:{}", proxy.port);
            let remote = Remote {
                timeout_ms: 2_000,
                ..reading(url)
            };
            machine.train(&remote);
            assert_eq!(machine.models(), honest.models(), "{fault:?}");
            let warnings = machine.warnings();
            assert!(warnings.len() <= 2, "{fault:?}: {warnings:?}");
        }
    }
}

#[test]
fn a_poisoned_store_of_a_real_server_is_noticed() {
    let Some(server) = Server::nginx() else {
        return;
    };
    let honest = Machine::new();
    honest.train(&writing(&server.url));
    for file in server.files("cas") {
        std::fs::write(file, "poison").unwrap();
    }
    let machine = Machine::new();
    let trained = machine.train(&writing(&server.url));
    assert_eq!(trained.fetched, 0);
    assert_eq!(machine.models(), honest.models());
    // Blobs of another length were written anew, so that a third can have them.
    let third = Machine::new();
    let restored = third.train(&reading(&server.url));
    assert_eq!(
        restored.ran,
        0,
        "{:?} {}",
        third.warnings(),
        third.bench.log()
    );
    assert_eq!(third.models(), honest.models());
}
