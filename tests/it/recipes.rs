//! The recipes for CI services in `docs/ci.md` are YAML as those services read it, and
//! their steps do what they should with the real program.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Output;

use serde_yaml::Value;

use crate::rules::is_there;
use crate::workbench::Workbench;

const CONFIG: &str = "\
recipe: default.v1
language: en
pipeline:
- name: WhitespaceTokenizer
- name: KeywordIntentClassifier
policies:
- name: RulePolicy
";

const DOMAIN: &str = "\
version: \"3.1\"
intents: [greet]
responses:
  utter_greet:
  - text: Hi
";

const DATA: &str = "\
version: \"3.1\"
nlu:
- intent: greet
  examples: |
    - hi
    - hello
rules:
- rule: greet
  steps:
  - intent: greet
  - action: utter_greet
";

const STORIES: &str = "\
version: \"3.1\"
stories:
- story: greet
  steps:
  - user: hi
    intent: greet
  - action: utter_greet
";

const NLU: &str = "\
version: \"3.1\"
nlu:
- intent: greet
  examples: |
    - hello
";

/// Returns the blocks of this language in the page, in their order.
fn blocks(language: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md");
    let page = fs::read_to_string(page).unwrap();
    let fence = format!("```{language}\n");
    let parts = page.split(&fence).skip(1);
    let blocks = parts.map(|part| part.split("```\n").next().unwrap().to_owned());
    blocks.collect()
}

fn bench() -> Workbench {
    let bench = Workbench::new(&[
        ("config.yml", CONFIG),
        ("domain.yml", DOMAIN),
        ("data/all.yml", DATA),
        ("tests/test_stories.yml", STORIES),
        ("tests/nlu.yml", NLU),
        (
            "tabella.yml",
            "version: 1\nassistants:\n- {path: ., name: bot}\n",
        ),
    ]);
    // What other steps bring is there.
    fs::create_dir_all(bench.root().join(".tabella")).unwrap();
    bench
}

/// Runs a script as a service does: a shell that ends at the first failure.
fn run(bench: &Workbench, script: &str) -> Output {
    let own = Path::new(env!("CARGO_BIN_EXE_tabella")).parent().unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", own.display());
    let file = |name: &str| bench.root().join(name);
    Command::new("bash")
        .args(["-e", "-o", "pipefail", "-c", script])
        .current_dir(bench.root())
        .env_clear()
        .env("PATH", path)
        .env("TABELLA_CACHE_DIR", file(".tabella"))
        .env("TABELLA_CACHE_MAX_SIZE", "2GB")
        .env("GITHUB_STEP_SUMMARY", file("summary.md"))
        .env("GITHUB_OUTPUT", file("outputs"))
        .output()
        .unwrap()
}

#[track_caller]
fn succeeds(bench: &Workbench, script: &str) {
    let output = run(bench, script);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{told}");
}

/// Returns the scripts of all steps of a workflow by job, as far as they are not about
/// the service itself.
fn steps(workflow: &Value) -> Vec<String> {
    let jobs = workflow["jobs"].as_mapping().unwrap().values();
    let steps = jobs.flat_map(|job| {
        assert!(job["runs-on"].is_string(), "{job:?}");
        job["steps"].as_sequence().unwrap()
    });
    let runs = steps.filter_map(|step| {
        let is_one = step["run"].is_string() != step["uses"].is_string();
        assert!(is_one, "a step either runs or uses: {step:?}");
        step["run"].as_str()
    });
    let is_ours = |run: &&str| *run != "install" && !run.starts_with("gh ");
    runs.filter(is_ours).map(str::to_owned).collect()
}

#[test]
fn the_lines_for_any_service_do_what_they_should() {
    let bench = bench();
    let blocks = blocks("sh");
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        succeeds(&bench, &block);
    }
    for path in ["models/bot.tar.gz", "stale.txt", "results.cache"] {
        assert!(bench.root().join(path).is_file(), "{path}");
    }
}

#[test]
fn the_workflow_trains_tests_and_says_what_is_stale() {
    let bench = bench();
    let workflow: Value = serde_yaml::from_str(&blocks("yaml")[0]).unwrap();
    let steps = steps(&workflow);
    assert_eq!(steps.len(), 5, "{steps:?}");
    for step in &steps {
        succeeds(&bench, step);
    }
    assert!(bench.read("comment.md").contains("never run before"));
    assert_eq!(bench.read("summary.md"), bench.read("comment.md"));
    let findings: Value = serde_yaml::from_str(&bench.read("findings.sarif")).unwrap();
    assert_eq!(findings["version"], "2.1.0");
    assert!(bench.root().join("models/bot.tar.gz").is_file());
    // What is wrong ends it, before anything is trained.
    bench.replace(
        "data/all.yml",
        "- intent: greet\n  - action",
        "- intent: gret\n  - action",
    );
    assert_eq!(run(&bench, &steps[0]).status.code(), Some(65));
    bench.replace("config.yml", "pipeline:", "pipeline: [");
    assert_eq!(run(&bench, &steps[1]).status.code(), Some(1));
}

#[test]
fn the_workflow_of_many_assistants_names_those_that_a_change_affects() {
    if !is_there("jq") || !is_there("git") {
        return;
    }
    let bench = bench();
    bench.write(
        ".gitignore",
        "/.tabella\n/models\n/outputs\n/affected.json\n",
    );
    let git = "git -c user.name=a -c user.email=a@example.org";
    succeeds(
        &bench,
        &format!(
            "git init -q && git add -A && {git} commit -qm a && \
             git update-ref refs/remotes/origin/main HEAD"
        ),
    );
    let workflow: Value = serde_yaml::from_str(&blocks("yaml")[1]).unwrap();
    let steps = steps(&workflow);
    let [affected, train] = &steps[..] else {
        panic!("{steps:?}");
    };
    let affected = affected.replace("${{ github.base_ref }}", "main");
    succeeds(&bench, &affected);
    assert_eq!(bench.read("outputs"), "names=[]\n");
    bench.append("data/all.yml", "# nothing of weight\n");
    bench.replace("domain.yml", "text: Hi", "text: Hello");
    succeeds(&bench, &affected);
    assert!(bench.read("outputs").ends_with("names=[\"bot\"]\n"));
    succeeds(&bench, &train.replace("${{ matrix.name }}", "bot"));
}

#[test]
fn the_pipeline_for_gitlab_trains_tests_and_keeps_what_it_names() {
    let bench = bench();
    let pipeline: Value = serde_yaml::from_str(&blocks("yaml")[2]).unwrap();
    let job = &pipeline["assistant"];
    let lines = job["script"].as_sequence().unwrap();
    let lines: Vec<&str> = lines.iter().map(|line| line.as_str().unwrap()).collect();
    assert_eq!(lines.len(), 6);
    // All lines are one script there.
    succeeds(&bench, &lines.join("\n"));
    for path in job["artifacts"]["paths"].as_sequence().unwrap() {
        let path = bench.root().join(path.as_str().unwrap());
        assert!(path.exists(), "{}", path.display());
    }
}
