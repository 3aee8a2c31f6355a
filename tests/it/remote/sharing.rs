//! What one machine has trained, another gets: the same bytes, and nothing trains.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use tabella::api::CrossValidation;
use tabella::api::MemoryLimit;
use tabella::api::Notice;
use tabella::api::Observer;
use tabella::api::TrainingResult;
use tabella::api::Validation;
use tabella::api::WitnessSettings;
use tabella::api::cross_validate_nlu;
use tabella::data::Remote;
use tabella::digest::Digest;
use tabella::remote::RemoteCache;

use crate::command;
use crate::remote::Machine;
use crate::remote::liar::Liar;
use crate::remote::reading;
use crate::remote::reapi::Counts;
use crate::remote::reapi::Habits;
use crate::remote::reapi::Reapi;
use crate::remote::servers::CASD;
use crate::remote::servers::Server;
use crate::remote::writing;

/// Two checkouts with two caches in two folders share through a server.
fn two_machines_share_through(server: Server) {
    let (first, second) = (Machine::new(), Machine::new());
    let trained = first.train(&writing(&server.url));
    assert!(trained.ran > 5 && trained.fetched == 0, "{trained:?}");
    let told = first.told().join("\n");
    let uploaded = format!("upload {} results", trained.ran);
    assert!(told.starts_with(&uploaded), "{told}");

    let restored = second.train(&reading(&server.url));
    assert_eq!((restored.ran, restored.fetched), (0, trained.ran));
    assert_eq!(second.told(), [""; 0], "what goes well is not told");
    assert_eq!(second.models(), first.models());

    // All is in the second machine's own cache by now.
    drop(server);
    let again = second.train(&reading("http://127.0.0.1:9"));
    assert_eq!((again.ran, again.fetched, again.is_new), (0, 0, false));
    assert_eq!(second.told(), [""; 0], "nobody was asked");
    let offline = second.bench.train().unwrap();
    assert_eq!(offline.ran, 0);
}

#[test]
fn a_second_machine_trains_nothing_and_has_the_same_archive_by_http() {
    let Some(server) = Server::nginx() else {
        return;
    };
    two_machines_share_through(server);
}

#[test]
fn a_second_machine_trains_nothing_and_has_the_same_archive_by_grpc() {
    for version in CASD {
        let Some(server) = Server::casd(version) else {
            return;
        };
        two_machines_share_through(server);
    }
}

#[test]
fn what_goes_over_the_line_is_what_is_needed_and_no_more() {
    let Some(server) = Server::nginx() else {
        return;
    };
    let (first, second) = (Machine::new(), Machine::new());
    let trained = first.train(&writing(&server.url)).ran;
    let count = |requests: &[String], begin: &str| {
        let such = requests.iter().filter(|request| request.starts_with(begin));
        such.count()
    };
    let sent = server.requests();
    assert_eq!(count(&sent, "PUT ac 201"), trained);
    assert_eq!(count(&sent, "PUT cas 201"), server.files("cas").len());
    assert_eq!(count(&sent, "GET cas"), 0);
    second.train(&reading(&server.url));
    let got = server.requests().split_off(sent.len());
    assert_eq!(count(&got, "GET ac 200"), trained, "{got:?}");
    assert!(count(&got, "GET cas 200") > trained);
    assert_eq!(count(&got, "GET"), got.len(), "{got:?}");
}

#[test]
fn a_dry_run_tells_what_would_be_fetched_and_writes_nothing() {
    let server = Liar::new(|_, _, _| {});
    let (first, second) = (Machine::new(), Machine::new());
    let trained = first.train(&writing(&server.url));
    let report = second.dry_run(&reading(&server.url));
    let tasks = report.dry_run_results.unwrap().tasks;
    let words: Vec<&str> = tasks
        .iter()
        .filter(|task| task.fetch_size.is_some())
        .map(|task| task.name.as_str())
        .collect();
    assert_eq!(words.len(), trained.ran);
    assert_eq!(report.code, 7, "there is no archive yet");
    assert!(!second.bench.cache().exists());
    assert_eq!(second.bench.files("models").len(), 0);
    // What it told is what a training does.
    assert_eq!(second.train(&reading(&server.url)).fetched, words.len());
    assert_eq!(second.dry_run(&reading(&server.url)).code, 0);
}

#[test]
fn what_the_other_machine_has_not_trained_is_trained() {
    let server = Liar::new(|_, _, _| {});
    let (first, second) = (Machine::new(), Machine::new());
    let all = first.train(&writing(&server.url));
    second
        .bench
        .replace("domain.yml", "text: hi", "text: hello");
    let report = second
        .dry_run(&reading(&server.url))
        .dry_run_results
        .unwrap();
    assert_eq!(report.stale_count, 1);
    let trained = second.train(&reading(&server.url));
    assert_eq!((trained.ran, trained.fetched), (1, all.ran - 1));
    assert!(
        second.bench.log().contains("run     package"),
        "{}",
        second.bench.log()
    );
    let archive = fs::read(trained.model.unwrap()).unwrap();
    assert!(archive == second.bench.clean_archive());
}

#[test]
fn a_result_is_asked_for_when_its_key_comes_to_be_known() {
    let server = Liar::new(|_, _, _| {});
    let (first, second) = (Machine::new(), Machine::new());
    let remote = writing(&server.url);
    let all = first.train(&remote);
    // The second has another word in its data, and the tokenizer runs; a name of a
    // component is in no key of what follows.
    second.bench.replace(
        "config.yml",
        "- name: WhitespaceTokenizer\n",
        "- name: WhitespaceTokenizer\n  intent_split_symbol: \"+\"\n",
    );
    let trained = second.train(&reading(&server.url));
    assert!(trained.ran > 0 && trained.ran < all.ran, "{trained:?}");
    assert!(trained.fetched > 0, "{}", second.bench.log());
    let archive = fs::read(trained.model.unwrap()).unwrap();
    assert!(archive == second.bench.clean_archive());
}

#[test]
fn one_who_only_reads_sends_nothing() {
    let server = Liar::new(|_, _, _| {});
    let machine = Machine::new();
    let trained = machine.train(&reading(&server.url));
    assert!(trained.ran > 5);
    assert_eq!(server.count("PUT", "/"), 0);
    assert_eq!(server.count("HEAD", "/"), 0);
    assert_eq!(server.count("GET", "/cas/"), 0);
    assert!(server.count("GET", "/ac/") > 0);
}

#[test]
fn what_the_server_has_is_not_sent_again() {
    let server = Liar::new(|_, _, _| {});
    let remote = writing(&server.url);
    Machine::new().train(&remote);
    let puts = server.count("PUT", "/cas/");
    let second = Machine::new();
    let mut options = second.options(&remote);
    options.force_training = true;
    let forced = second.bench.train_with(&options).unwrap();
    assert!(forced.ran > 5 && forced.fetched == 0);
    assert_eq!(
        server.count("PUT", "/cas/"),
        puts,
        "same inputs, same bytes"
    );
}

#[test]
fn the_trainings_of_a_cross_validation_are_shared() {
    let misses = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&misses);
    let server = Liar::new(move |method, _, answer| {
        if method == "GET" && answer.status == 404 {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    let validate = |remote: &Remote| {
        let machine = Machine::new();
        let options = CrossValidation {
            nlu: vec!["data".into()],
            config: "config.yml".into(),
            domain: Vec::new(),
            folds: 3,
            seed: 0,
            num_threads: Some(1),
            out_of_scope: Vec::new(),
            validation: Validation::default(),
            run: machine.options(remote).run,
        };
        let tested = cross_validate_nlu(&options, &|_, _| {}).unwrap().tested;
        (
            format!("{:?}", tested.scores),
            misses.swap(0, Ordering::SeqCst),
        )
    };
    let (first, all) = validate(&writing(&server.url));
    assert!(all > 10 && server.count("PUT", "/ac/") > 10);
    let (second, missed) = validate(&reading(&server.url));
    assert_eq!((second, missed), (first, 0));
}

#[test]
fn without_a_cache_of_ones_own_what_is_fetched_is_used_all_the_same() {
    let server = Liar::new(|_, _, _| {});
    let (first, second) = (Machine::new(), Machine::new());
    let all = first.train(&writing(&server.url));
    let mut options = second.options(&reading(&server.url));
    options.run.cache = tabella::api::CacheSettings::Off;
    let restored = second.bench.train_with(&options).unwrap();
    assert_eq!((restored.ran, restored.fetched), (0, all.ran));
    assert_eq!(second.models(), first.models());
}

/// Trains as the program does, which asks a witness whether there is anything to do.
#[track_caller]
fn train(machine: &Machine, remote: Option<&Remote>) -> TrainingResult {
    machine.told.lock().unwrap().clear();
    let mut options = match remote {
        Some(remote) => machine.options(remote),
        None => machine.bench.options(),
    };
    options.run.witness = WitnessSettings::Ask {
        program: Digest::of(b"this program"),
    };
    machine.bench.train_with(&options).unwrap()
}

#[test]
fn what_was_trained_before_the_server_was_named_is_uploaded_once() {
    let seeds = |server: &dyn Fn() -> (String, Box<dyn Fn() -> usize>)| {
        let (url, asked) = server();
        let first = Machine::new();
        let tasks = train(&first, None).tasks;
        let trained = train(&first, Some(&writing(&url)));
        assert_eq!((trained.ran, trained.fetched), (0, 0));
        let told = first.told().join("\n");
        assert!(told.contains(&format!("upload {tasks} results")), "{told}");
        // Nothing to do stays nothing to do: nobody is asked any more.
        let before = asked();
        train(&first, Some(&writing(&url)));
        assert_eq!(first.told(), [""; 0]);
        assert_eq!(asked(), before);
        let second = Machine::new();
        let restored = second.train(&reading(&url));
        assert_eq!((restored.ran, restored.fetched), (0, tasks));
        assert_eq!(second.models(), first.models());
    };
    seeds(&|| {
        let server = Liar::new(|_, _, _| {});
        let asked = Arc::clone(&server.asked);
        (server.url, Box::new(move || asked.lock().unwrap().len()))
    });
    seeds(&|| {
        let server = Reapi::new(Habits::default());
        let counts = Arc::clone(&server.counts);
        (
            server.url,
            Box::new(move || Counts::of(&counts.capabilities)),
        )
    });
}

#[test]
fn many_assistants_ask_no_more_at_a_time_than_one() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let highest = Arc::clone(&most);
    let server = Liar::new(move |_, _, _| {
        let count = now.fetch_add(1, Ordering::SeqCst) + 1;
        highest.fetch_max(count, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(5));
        now.fetch_sub(1, Ordering::SeqCst);
    });
    let remote = RemoteCache::new(&writing(&server.url), &|_| None, || false);
    let remote = Arc::new(remote.unwrap());
    remote.begin();
    for assistant in 0..200 {
        let keys = (0..4).map(|task| Digest::of(format!("{assistant} {task}").as_bytes()));
        // One of them all have in common.
        let keys = keys.chain([Digest::of(b"shared")]).collect();
        remote.seed(keys, |_| None);
    }
    remote.finish();
    assert_eq!(server.count("GET", "/ac/"), 801);
    let most = most.load(Ordering::SeqCst);
    assert!(most <= 32, "{most}");
}

#[test]
fn a_witness_of_another_process_is_not_taken_for_the_one_whose_results_were_handed_over() {
    let server = Liar::new(|_, _, _| {});
    let machine = Arc::new(Machine::new());
    let tasks = train(&machine, None).tasks;
    let mut options = machine.options(&writing(&server.url));
    options.run.witness = WitnessSettings::Ask {
        program: Digest::of(b"this program"),
    };
    // Another process trains another state while this one waits for its uploads.
    let (other, before) = (Arc::clone(&machine), options.run.observer.clone());
    options.run.observer = Observer::new(move |notice| {
        if matches!(&notice, Notice::Info(text) if text.starts_with("upload ")) {
            other
                .bench
                .replace("data/nlu.yml", "- hello\n", "- hello you\n");
            let mut options = other.bench.options();
            options.run.witness = WitnessSettings::Ask {
                program: Digest::of(b"this program"),
            };
            assert!(other.bench.train_with(&options).unwrap().ran > 0);
        }
        before.tell(notice);
    });
    machine.bench.train_with(&options).unwrap();
    assert_eq!(server.count("PUT", "/ac/"), tasks);
    train(&machine, Some(&writing(&server.url)));
    let told = machine.told().join("\n");
    assert!(told.contains("upload "), "{told}");
    let second = Machine::new();
    second
        .bench
        .replace("data/nlu.yml", "- hello\n", "- hello you\n");
    assert_eq!(second.train(&reading(&server.url)).ran, 0);
}

#[test]
fn what_was_here_is_uploaded_also_when_a_task_fails() {
    let server = Liar::new(|_, _, _| {});
    let machine = Machine::new();
    machine.bench.write("config.yml", command::CONFIG);
    machine.bench.write("finder.sh", command::FINDER);
    machine.bench.write("words/kind.txt", "word\n");
    train(&machine, None);
    machine.bench.write("finder.sh", "exit 3\n");
    machine.try_train(&writing(&server.url)).unwrap_err();
    let uploaded = server.count("PUT", "/ac/");
    assert!(uploaded >= 3, "{uploaded}");
    // Those that failed, and what reads them, are not among them.
    let second = Machine::new();
    for (path, text) in [
        ("config.yml", command::CONFIG),
        ("finder.sh", command::FINDER),
        ("words/kind.txt", "word\n"),
    ] {
        second.bench.write(path, text);
    }
    let trained = second.train(&reading(&server.url));
    assert_eq!(trained.fetched, uploaded);
    assert!(trained.ran >= 3, "{trained:?}");
}

#[test]
fn what_was_here_is_uploaded_by_a_cross_validation_as_well() {
    let server = Liar::new(|_, _, _| {});
    let validate = |machine: &Machine, remote: Option<&Remote>| {
        let options = CrossValidation {
            nlu: vec!["data".into()],
            config: "config.yml".into(),
            domain: Vec::new(),
            folds: 3,
            seed: 0,
            num_threads: Some(1),
            out_of_scope: Vec::new(),
            validation: Validation::default(),
            run: match remote {
                Some(remote) => machine.options(remote).run,
                None => machine.bench.options().run,
            },
        };
        cross_validate_nlu(&options, &|_, _| {}).unwrap();
    };
    let (first, second) = (Machine::new(), Machine::new());
    validate(&first, None);
    validate(&first, Some(&writing(&server.url)));
    let uploaded = server.count("PUT", "/ac/");
    assert!(uploaded > 10, "{uploaded}");
    // All is found: nothing is left to upload.
    validate(&second, Some(&writing(&server.url)));
    assert_eq!(server.count("PUT", "/ac/"), uploaded);
}

#[test]
fn a_run_that_failed_has_handed_nothing_over() {
    let server = Liar::new(|_, _, _| {});
    let machine = Machine::new();
    let tasks = train(&machine, None).tasks;
    let nlu = "data/nlu.yml";
    machine.bench.replace(nlu, "- hello\n", "- hello you\n");
    let mut options = machine.options(&writing(&server.url));
    options.run.witness = WitnessSettings::Ask {
        program: Digest::of(b"this program"),
    };
    // There is never enough.
    options.run.memory = Some(MemoryLimit {
        max_bytes: 1,
        in_use: || 0,
    });
    machine.bench.train_with(&options).unwrap_err();
    machine.bench.replace(nlu, "- hello you\n", "- hello\n");
    train(&machine, Some(&writing(&server.url)));
    let told = machine.told().join("\n");
    assert!(told.contains(&format!("upload {tasks} results")), "{told}");
    assert_eq!(server.count("PUT", "/ac/"), tasks);
}

#[test]
fn an_edit_asks_one_who_writes_for_no_more_than_one_who_reads() {
    let edit = |machine: &Machine| {
        let nlu = "data/nlu.yml";
        machine.bench.replace(nlu, "- hello\n", "- hello you\n");
    };
    let (empty, reader) = (Liar::new(|_, _, _| {}), Machine::new());
    train(&reader, None);
    edit(&reader);
    train(&reader, Some(&reading(&empty.url)));
    let wanted = empty.count("GET", "/ac/");

    let (server, writer) = (Liar::new(|_, _, _| {}), Machine::new());
    let trained = train(&writer, Some(&writing(&server.url)));
    assert_eq!(server.count("PUT", "/ac/"), trained.ran);
    edit(&writer);
    let before = server.count("GET", "/ac/");
    let again = train(&writer, Some(&writing(&server.url)));
    assert!(again.ran > 0 && again.ran < trained.ran, "{again:?}");
    // What the witness says was handed over is not asked for.
    let asked = server.count("GET", "/ac/") - before;
    assert_eq!(asked, wanted, "{}", writer.bench.log());
    assert_eq!(server.count("PUT", "/ac/"), trained.ran + again.ran);
}

#[test]
fn a_server_that_takes_no_seeds_is_offered_them_again_the_next_time() {
    let is_full = Arc::new(AtomicBool::new(true));
    let full = Arc::clone(&is_full);
    let server = Liar::new(move |method, _, answer| {
        if method == "PUT" && full.load(Ordering::SeqCst) {
            answer.status = 507;
        }
    });
    let machine = Machine::new();
    let tasks = train(&machine, None).tasks;
    train(&machine, Some(&writing(&server.url)));
    let told = machine.told();
    assert!(told[0].contains("takes no results (507"), "{told:?}");
    let count = server.count("PUT", "/");
    assert!(count <= 8, "{count}");
    is_full.store(false, Ordering::SeqCst);
    train(&machine, Some(&writing(&server.url)));
    // What the first run had begun may have come in meanwhile.
    assert_eq!(server.count("PUT", "/ac/"), tasks);
    let told = machine.told().join("\n");
    assert!(told.contains("upload "), "{told}");
    // One who only reads, or does not ask, is as quick as ever.
    let asked = server.asked.lock().unwrap().len();
    train(&machine, Some(&reading(&server.url)));
    train(&machine, None);
    assert_eq!(server.asked.lock().unwrap().len(), asked);
}
