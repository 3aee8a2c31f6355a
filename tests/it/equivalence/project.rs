//! A project that has a bit of everything, and trains in a moment.

const DOMAIN: &str = "\
version: \"3.1\"
intents:
- greet
- leave
- order
- faq
entities:
- dish
- size
slots:
  dish:
    type: text
    mappings:
    - type: from_entity
      entity: dish
  size:
    type: categorical
    values:
    - small
    - large
    mappings:
    - type: from_entity
      entity: size
forms:
  order_form:
    required_slots:
    - dish
actions:
- action_bill
responses:
  utter_greet:
  - text: Good day!
  utter_leave:
  - text: See you.
  utter_order:
  - text: One {dish}, coming.
  utter_ask_dish:
  - text: Which dish?
  utter_faq/hours:
  - text: From nine to five.
  utter_faq/place:
  - text: At the corner.
session_config:
  session_expiration_time: 60
";

const CONFIG: &str = "\
recipe: default.v1
assistant_id: counter
language: en
pipeline:
- name: WhitespaceTokenizer
- name: RegexFeaturizer
- name: LexicalSyntacticFeaturizer
- name: CountVectorsFeaturizer
- name: CountVectorsFeaturizer
  analyzer: char_wb
  max_ngram: 3
- name: KeywordIntentClassifier
- name: DIETClassifier
  epochs: 1
  transformer_size: 8
  number_of_transformer_layers: 1
- name: RegexEntityExtractor
- name: EntitySynonymMapper
- name: ResponseSelector
  epochs: 1
  transformer_size: 8
- name: FallbackClassifier
policies:
- name: MemoizationPolicy
- name: RulePolicy
- name: TEDPolicy
  max_history: 3
  epochs: 1
  transformer_size: 8
";

const NLU: &str = "\
version: \"3.1\"
nlu:
- intent: greet
  examples: |
    - hello
    - good morning
    - hi there
- intent: leave
  examples: |
    - bye
    - see you
- intent: order
  examples: |
    - one [soup](dish) please
    - i want [bread](dish)
    - a [large](size) [salad](dish) for me
- intent: faq/hours
  examples: |
    - when are you open
    - your hours
- intent: faq/place
  examples: |
    - where are you
    - how do i find you
- synonym: soup
  examples: |
    - broth
- regex: number
  examples: |
    - \\d+
- lookup: dish
  examples: |
    - stew
    - pie
";

const STORIES: &str = "\
version: \"3.1\"
stories:
- story: order and leave
  steps:
  - intent: greet
  - action: utter_greet
  - intent: order
    entities:
    - dish: soup
  - slot_was_set:
    - dish: soup
  - action: utter_order
  - checkpoint: served
- story: served and leave
  steps:
  - checkpoint: served
  - or:
    - intent: leave
    - intent: greet
  - action: utter_leave
- story: ask
  steps:
  - intent: faq
  - action: utter_faq
- story: only order
  steps:
  - intent: order
  - action: order_form
  - active_loop: order_form
  - active_loop: null
  - action: utter_order
";

const RULES: &str = "\
version: \"3.1\"
rules:
- rule: bill
  condition:
  - slot_was_set:
    - size: large
  steps:
  - intent: leave
  - action: action_bill
- rule: questions
  steps:
  - intent: faq
  - action: utter_faq
";

/// Names a table that has a file of its own, as Markdown can.
const TABLES: &str = "\
## lookup:size
  data/sizes.txt
";

const SIZES: &str = "\
small
large
";

/// The files of the project.
pub const FILES: &[(&str, &str)] = &[
    ("domain.yml", DOMAIN),
    ("config.yml", CONFIG),
    ("data/nlu.yml", NLU),
    ("data/stories.yml", STORIES),
    ("data/rules.yml", RULES),
    ("data/tables.md", TABLES),
    ("data/sizes.txt", SIZES),
];
