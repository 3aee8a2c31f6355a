//! Edits of a project's contents, each with what it makes stale.

/// A piece of a file and what it is replaced by.
pub struct Edit {
    /// The file.
    pub file: &'static str,
    /// The piece, which is there once; the whole file if empty.
    pub old: &'static str,
    /// What stands there afterwards; a whole file that is empty is removed.
    pub new: &'static str,
    /// The code of a dry run after this edit alone.
    pub code: u8,
}

/// Instead of a code: the edit alone contradicts the rest of the project.
pub const REFUSED: u8 = u8::MAX;

const fn edit(file: &'static str, old: &'static str, new: &'static str, code: u8) -> Edit {
    Edit {
        file,
        old,
        new,
        code,
    }
}

/// Edits that can be made in any combination: each touches a line of its own.
pub const EDITS: &[Edit] = &[
    // The domain.
    edit(
        "domain.yml",
        "- leave\n",
        "- leave:\n    use_entities: []\n",
        1,
    ),
    edit("domain.yml", "Good day!", "Welcome!", 4),
    edit(
        "domain.yml",
        "  - text: See you.\n",
        "  - text: See you.\n  - text: So long.\n",
        4,
    ),
    edit(
        "domain.yml",
        "  utter_ask_dish:\n",
        "  utter_spare:\n  - text: Hm.\n  utter_ask_dish:\n",
        5,
    ),
    edit(
        "domain.yml",
        "    - small\n",
        "    - small\n    - huge\n",
        1,
    ),
    edit(
        "domain.yml",
        "  size:\n    type: categorical\n",
        "  size:\n    type: categorical\n    influence_conversation: false\n",
        REFUSED,
    ),
    edit(
        "domain.yml",
        "  dish:\n    type: text\n",
        "  dish:\n    type: text\n    initial_value: stew\n",
        1,
    ),
    edit(
        "domain.yml",
        "    - dish\nactions",
        "    - dish\n    - size\nactions",
        1,
    ),
    edit(
        "domain.yml",
        "  order_form:\n",
        "  order_form:\n    ignored_intents:\n    - greet\n",
        1,
    ),
    edit(
        "domain.yml",
        "- action_bill\n",
        "- action_bill\n- action_help\n",
        1,
    ),
    edit(
        "domain.yml",
        "- size\nslots",
        "- size:\n    roles:\n    - cup\nslots",
        1,
    ),
    edit(
        "domain.yml",
        "session_expiration_time: 60",
        "session_expiration_time: 5",
        1,
    ),
    edit("domain.yml", "From nine to five.", "Always.", 6),
    edit(
        "domain.yml",
        "- greet\n- leave",
        "- greet # hello\n- leave",
        0,
    ),
    edit(
        "domain.yml",
        "entities:\n- dish\n",
        "entities:\n- dish:\n    groups:\n    - first\n",
        1,
    ),
    edit(
        "domain.yml",
        "- order\n",
        "- order:\n    ignore_entities:\n    - size\n",
        1,
    ),
    edit(
        "domain.yml",
        "- faq\nentities",
        "- faq\n- spare\nentities",
        1,
    ),
    edit(
        "domain.yml",
        "      entity: size\n",
        "      entity: size\n    - type: from_intent\n      intent: order\n      value: large\n",
        1,
    ),
    edit(
        "domain.yml",
        "forms:\n",
        "  note:\n    type: any\n    mappings:\n    - type: custom\nforms:\n",
        1,
    ),
    edit(
        "domain.yml",
        "actions:\n",
        "  bill_form:\n    required_slots:\n    - size\nactions:\n",
        1,
    ),
    edit(
        "domain.yml",
        "One {dish}, coming.",
        "One {dish}, coming.\n    condition:\n    - type: slot\n      name: size\n      value: large\n  - text: Coming.",
        4,
    ),
    edit(
        "domain.yml",
        "Which dish?",
        "Which dish?\n    buttons:\n    - title: Soup\n      payload: /order{\"dish\":\"soup\"}",
        4,
    ),
    edit("domain.yml", "At the corner.", "Round the corner.", 6),
    edit(
        "domain.yml",
        "  utter_leave:\n",
        "  # At the door.\n  utter_leave:\n",
        0,
    ),
    edit(
        "domain.yml",
        "session_config:\n",
        "session_config:\n  carry_over_slots_to_new_session: false\n",
        1,
    ),
    // The configuration.
    edit("config.yml", "language: en", "language: de", 2),
    edit(
        "config.yml",
        "assistant_id: counter",
        "assistant_id: waiter",
        3,
    ),
    edit(
        "config.yml",
        "- name: WhitespaceTokenizer\n",
        "- name: WhitespaceTokenizer\n  intent_tokenization_flag: true\n  intent_split_symbol: /\n",
        2,
    ),
    edit(
        "config.yml",
        "- name: RegexFeaturizer\n",
        "- name: RegexFeaturizer\n  use_word_boundaries: false\n",
        2,
    ),
    edit(
        "config.yml",
        "- name: LexicalSyntacticFeaturizer\n",
        "- name: LexicalSyntacticFeaturizer\n  features: [[low], [low, title], [low]]\n",
        2,
    ),
    edit(
        "config.yml",
        "- name: CountVectorsFeaturizer\n- name",
        "- name: CountVectorsFeaturizer\n  alias: words\n- name",
        2,
    ),
    edit(
        "config.yml",
        "  max_ngram: 3\n",
        "  max_ngram: 4\n  alias: letters\n",
        2,
    ),
    edit(
        "config.yml",
        "- name: KeywordIntentClassifier\n",
        "- name: KeywordIntentClassifier\n  case_sensitive: false\n",
        2,
    ),
    edit(
        "config.yml",
        "- name: DIETClassifier\n  epochs: 1\n",
        "- name: DIETClassifier\n  epochs: 2\n",
        2,
    ),
    edit(
        "config.yml",
        "  number_of_transformer_layers: 1\n",
        "  number_of_transformer_layers: 1\n  constrain_similarities: true\n",
        2,
    ),
    edit(
        "config.yml",
        "- name: RegexEntityExtractor\n",
        "- name: RegexEntityExtractor\n  use_word_boundaries: false\n",
        2,
    ),
    edit(
        "config.yml",
        "- name: ResponseSelector\n",
        "- name: ResponseSelector\n  retrieval_intent: faq\n",
        2,
    ),
    edit(
        "config.yml",
        "- name: FallbackClassifier\n",
        "- name: FallbackClassifier\n  threshold: 0.5\n",
        2,
    ),
    edit(
        "config.yml",
        "- name: MemoizationPolicy\n",
        "- name: MemoizationPolicy\n  max_history: 2\n",
        1,
    ),
    edit(
        "config.yml",
        "- name: RulePolicy\n",
        "- name: RulePolicy\n  core_fallback_threshold: 0.5\n",
        1,
    ),
    edit(
        "config.yml",
        "- name: TEDPolicy\n",
        "- name: AugmentedMemoizationPolicy\n  priority: 2\n- name: TEDPolicy\n  random_seed: 3\n",
        1,
    ),
    edit("config.yml", "  max_history: 3\n", "  max_history: 4\n", 1),
    edit(
        "config.yml",
        "pipeline:\n",
        "# From words to intents.\npipeline:\n",
        0,
    ),
    edit(
        "config.yml",
        "  analyzer: char_wb\n",
        "  analyzer: char_wb\n  min_ngram: 1\n",
        0,
    ),
    edit("config.yml", "- name: EntitySynonymMapper\n", "", 2),
    edit(
        "config.yml",
        "policies:\n",
        "- name: KeywordIntentClassifier\npolicies:\n",
        2,
    ),
    // NLU data.
    edit(
        "data/nlu.yml",
        "    - hello\n",
        "    - hello\n    - hey\n",
        2,
    ),
    edit(
        "data/nlu.yml",
        "    - good morning\n    - hi there\n",
        "    - hi there\n    - good morning\n",
        0,
    ),
    edit("data/nlu.yml", "    - see you\n", "", 2),
    edit(
        "data/nlu.yml",
        "[soup](dish)",
        "[soup]{\"entity\": \"dish\", \"role\": \"first\"}",
        2,
    ),
    edit("data/nlu.yml", "[bread](dish)", "bread", 2),
    edit(
        "data/nlu.yml",
        "[salad](dish)",
        "[salad]{\"entity\": \"dish\", \"value\": \"soup\"}",
        2,
    ),
    edit(
        "data/nlu.yml",
        "    - your hours\n",
        "    - your hours\n    - hello\n",
        2,
    ),
    edit(
        "data/nlu.yml",
        "- intent: faq/place\n",
        "- intent: faq/where\n",
        2,
    ),
    edit(
        "data/nlu.yml",
        "    - broth\n",
        "    - broth\n    - bouillon\n",
        2,
    ),
    edit("data/nlu.yml", "\\d+", "\\d{2}", 2),
    edit("data/nlu.yml", "    - pie\n", "    - pie\n    - cake\n", 2),
    edit(
        "data/nlu.yml",
        "- regex: number\n",
        "# numbers\n- regex: number\n",
        0,
    ),
    edit(
        "data/nlu.yml",
        "- synonym: soup\n",
        "- synonym: bread\n  examples: |\n    - loaf\n- synonym: soup\n",
        2,
    ),
    edit(
        "data/nlu.yml",
        "[large](size)",
        "[large]{\"entity\": \"size\", \"group\": \"1\"}",
        2,
    ),
    edit("data/nlu.yml", "    - bye\n", "    - bye\n    - bye\n", 0),
    edit(
        "data/nlu.yml",
        "- intent: leave\n",
        "- intent: leave\n  metadata:\n    sentiment: neutral\n",
        0,
    ),
    edit(
        "data/nlu.yml",
        "    - where are you\n",
        "    - where are you  \n",
        0,
    ),
    edit(
        "data/nlu.yml",
        "    - how do i find you\n",
        "    - how do i find you\n- intent: greet\n  examples: |\n    - hello\n",
        0,
    ),
    edit(
        "data/nlu.yml",
        "    - when are you open\n",
        "    - when are you open\n    - order\n",
        2,
    ),
    edit(
        "data/nlu.yml",
        "- lookup: dish\n",
        "- regex: zip\n  examples: |\n    - [0-9]{5}\n- lookup: dish\n",
        2,
    ),
    edit(
        "data/nlu.yml",
        "    - stew\n",
        "    - stew\n    - stew\n",
        2,
    ),
    // Stories.
    edit("data/stories.yml", "story: only order", "story: hungry", 0),
    edit(
        "data/stories.yml",
        "  - action: utter_leave\n",
        "  - action: utter_leave\n  - action: action_bill\n",
        1,
    ),
    edit(
        "data/stories.yml",
        "    - dish: soup\n  - slot",
        "    - dish: pie\n  - slot",
        1,
    ),
    edit(
        "data/stories.yml",
        "    - intent: greet\n  - action: utter_leave",
        "    - intent: order\n  - action: utter_leave",
        1,
    ),
    edit(
        "data/stories.yml",
        "  - checkpoint: served\n- story",
        "  - checkpoint: done\n- story",
        1,
    ),
    edit("data/stories.yml", "  - active_loop: null\n", "", 1),
    edit(
        "data/stories.yml",
        "    - dish: soup\n  - action",
        "    - dish: bread\n  - action",
        1,
    ),
    edit(
        "data/stories.yml",
        "- story: ask\n",
        "- story: ask again\n  steps:\n  - intent: faq\n  - action: utter_faq\n- story: ask\n",
        1,
    ),
    edit(
        "data/stories.yml",
        "stories:\n",
        "stories:\n- story: bye\n  steps:\n  - intent: greet\n  - action: utter_leave\n",
        1,
    ),
    edit(
        "data/stories.yml",
        "  - checkpoint: served\n  - or:\n",
        "  - checkpoint: served # with or without a word\n  - or:\n",
        0,
    ),
    edit(
        "data/stories.yml",
        "  - action: order_form\n  - active_loop: order_form\n",
        "  - action: order_form\n  - active_loop: order_form\n  - slot_was_set:\n    - requested_slot: dish\n",
        1,
    ),
    // Rules; the last one removes the file.
    edit(
        "data/rules.yml",
        "    - size: large\n",
        "    - size: small\n",
        1,
    ),
    edit("data/rules.yml", "rule: questions", "rule: asked", 0),
    edit(
        "data/rules.yml",
        "  - action: action_bill\n",
        "  - action: action_bill\n  wait_for_user_input: false\n",
        1,
    ),
    edit(
        "data/rules.yml",
        "rules:\n",
        "rules:\n- rule: form\n  condition:\n  - active_loop: order_form\n  steps:\n  - action: order_form\n  - active_loop: null\n  - action: utter_order\n",
        1,
    ),
    edit(
        "data/rules.yml",
        "- rule: bill\n",
        "- rule: good day\n  conversation_start: true\n  steps:\n  - intent: greet\n  - action: utter_greet\n- rule: bill\n",
        1,
    ),
    edit("data/rules.yml", "", "", 1),
    // A table with a file of its own.
    edit(
        "data/tables.md",
        "## lookup:size\n",
        "<!-- sizes -->\n## lookup:size\n",
        0,
    ),
    edit("data/sizes.txt", "small\n", "small\nmedium\n", 2),
    edit("data/sizes.txt", "large\n", "large\n\n", 0),
    // A new file.
    edit(
        "data/more.yml",
        "",
        "nlu:\n- intent: leave\n  examples: |\n    - cheerio\n",
        2,
    ),
];
