//! What a step of a build reads of a project makes the tasks that the whole project
//! makes: no component reads what its portion lacks, of anybody's assistant.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rayon::ThreadPoolBuilder;
use tabella::archive::TrainingType;
use tabella::data::Project;
use tabella::engine::Source;
use tabella::import::Sources;
use tabella::import::import_project;
use tabella::recipe::Order;
use tabella::recipe::core_portion;
use tabella::recipe::nlu_portion;
use tabella::recipe::recipe;

use crate::shared::shared;

/// Every component that learns, and the policies that learn from any story.
const CONFIG: &str = "\
language: en
pipeline:
- name: WhitespaceTokenizer
- name: RegexFeaturizer
- name: LexicalSyntacticFeaturizer
- name: CountVectorsFeaturizer
- name: CRFEntityExtractor
- name: DIETClassifier
- name: LogisticRegressionClassifier
- name: KeywordIntentClassifier
- name: RegexEntityExtractor
- name: EntitySynonymMapper
- name: ResponseSelector
- name: FallbackClassifier
  threshold: 0.4
policies:
- name: MemoizationPolicy
- name: AugmentedMemoizationPolicy
- name: RulePolicy
";

/// What a portion holds only if one of these components is there.
const OPTIONAL: [&str; 4] = [
    "- name: RegexFeaturizer\n",
    "- name: RegexEntityExtractor\n",
    "- name: EntitySynonymMapper\n",
    "- name: ResponseSelector\n",
];

/// What tasks are made of, by name: kind, options and digests of what is at hand.
type Tasks = BTreeMap<String, String>;

fn tasks(project: &Arc<Project>, training_type: TrainingType, half: &str) -> Option<Tasks> {
    let order = Order {
        training_type,
        augmentation: 20,
        persist_nlu_data: false,
        project_name: "test".into(),
        learned: None,
    };
    let pool = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let recipe = recipe(project, &order, Arc::new(pool)).ok()?;
    let graph = &recipe.graph;
    let of_half = graph
        .ids()
        .filter(|id| graph.task(*id).name.starts_with(half));
    let told = of_half.map(|id| {
        let task = graph.task(id);
        let mut text = format!("{} {} {}", task.kind, task.version, task.options);
        for input in &task.inputs {
            let source = match &input.source {
                Source::Leaf(leaf) => leaf.digest().to_string(),
                Source::Output { task, output } => format!("{} {output}", graph.task(*task).name),
            };
            text.push_str(&format!("\n  {}: {source}", input.role));
        }
        (task.name.clone(), text)
    });
    Some(told.collect())
}

/// A portion as the next step reads it.
fn written_and_read(portion: &Project) -> Arc<Project> {
    let bytes = serde_json::to_vec(portion).unwrap();
    Arc::new(serde_json::from_slice(&bytes).unwrap())
}

/// Compares the tasks of both halves; returns whether there are any.
fn compare(project: &Arc<Project>, bot: &str) -> bool {
    let mut is_any = false;
    for (kind, half, portion) in [
        (TrainingType::Nlu, "nlu.", nlu_portion(project)),
        (TrainingType::Core, "core.", core_portion(project)),
    ] {
        let Some(whole) = tasks(project, kind, half) else {
            continue;
        };
        let alone = tasks(&written_and_read(&portion), kind, half);
        assert_eq!(alone.as_ref(), Some(&whole), "{half} of {bot}");
        is_any |= !whole.is_empty();
    }
    is_any
}

/// Reads the domain and data of a folder with a configuration of ours.
fn read(folder: &Path, config: &str) -> Option<Arc<Project>> {
    let own = tempfile::tempdir().unwrap();
    let path = own.path().join("config.yml");
    fs::write(&path, config).unwrap();
    let there = |names: &[&str]| -> Vec<PathBuf> {
        let paths = names.iter().map(|name| folder.join(name));
        paths.filter(|path| path.exists()).take(1).collect()
    };
    let imported = import_project(&Sources {
        root: folder.to_owned(),
        config: path,
        domain: there(&["domain.yml", "domain"]),
        data: there(&["data"]),
        want: Default::default(),
        language: None,
        environment: BTreeMap::new(),
        ..Sources::default()
    });
    let project = imported.ok()?.project;
    let has_data = !project.nlu.examples.is_empty() || !project.stories.steps.is_empty();
    has_data.then(|| Arc::new(project))
}

#[test]
fn portions_of_anybodys_assistant_make_the_tasks_of_the_whole() {
    let Some(bots) = shared("bots") else {
        return;
    };
    let mut compared = 0;
    for entry in fs::read_dir(bots).unwrap() {
        let folder = entry.unwrap().path();
        let bot = folder.display().to_string();
        let configs = OPTIONAL.iter().map(|part| CONFIG.replacen(part, "", 1));
        let without_all = OPTIONAL.iter().fold(CONFIG.to_owned(), |config, part| {
            config.replacen(part, "", 1)
        });
        for config in configs.chain([CONFIG.to_owned(), without_all]) {
            let Some(project) = read(&folder, &config) else {
                continue;
            };
            compared += usize::from(compare(&project, &bot));
        }
    }
    assert!(compared > 100, "{compared} projects");
}
