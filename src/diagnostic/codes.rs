//! The table of all codes. A code that was ever released keeps its meaning;
//! one that is no longer given stays in the table.

/// Every code with one line that says what it is about.
///
/// `E` is an error, `W` a warning, `N` a note. The first digit is the subject:
/// 0 files and YAML, 1 config, 2 domain, 3 NLU data, 4 stories and rules, 5 the
/// project as a whole, 6 conversion, 7 the workspace file.
pub const CODES: &[(&str, &str)] = &[
    ("E001", "a file is not UTF-8"),
    ("E002", "a file holds a NUL character"),
    ("E003", "a file or folder that was named does not exist"),
    ("E004", "a file is not valid YAML"),
    ("E005", "a key stands twice in one map"),
    ("E006", "YAML is nested too deeply"),
    ("E007", "YAML aliases expand to too much"),
    ("E008", "a file holds more than one YAML document"),
    ("E009", "a file is not a map of sections"),
    ("E010", "a value has the wrong type"),
    ("E011", "an environment variable is not set"),
    ("E012", "a `\\u` escape is broken"),
    ("E013", "a YAML tag is unknown"),
    ("E014", "no longer given: Markdown training data is read"),
    ("E015", "no longer given: JSON training data is read"),
    ("W016", "`version` is not text"),
    ("W017", "`version` is newer than 3.1: the file is skipped"),
    (
        "W019",
        "a file that was named has another suffix than data files",
    ),
    ("W020", "a folder links back into itself"),
    ("E021", "a folder stands where a file is needed"),
    ("E030", "a file is too large"),
    (
        "E031",
        "a pipe, device or socket stands where a file is needed",
    ),
    (
        "E032",
        "a story's `or`s and checkpoints make too much of it",
    ),
    ("N022", "a file is in an older format of Rasa"),
    ("E023", "a file of training data is not valid JSON"),
    ("W024", "a file that was named holds no training data"),
    ("W025", "a key stands twice in a map of JSON"),
    ("W026", "a file looks like training data and is not read"),
    (
        "W040",
        "a word is true or false in YAML 1.1 and text in YAML 1.2",
    ),
    ("N041", "a value is text here and true or false in YAML 1.1"),
    ("W042", "a name holds a character that cannot be seen"),
    ("W043", "a name mixes letters that look alike"),
    ("W044", "a value ends in a quote that was never opened"),
    ("W046", "a link to a data file leads nowhere"),
    ("W047", "a lookup table names a file that is not there"),
    (
        "E101",
        "an entry of `pipeline` or `policies` is not a component",
    ),
    ("E103", "a recipe other than `default.v1`"),
    ("N104", "`pipeline` is missing: the default is used"),
    ("N105", "`policies` is missing: the default is used"),
    (
        "E106",
        "a component is unknown, not there yet, or in the wrong place",
    ),
    ("E107", "an option of a component cannot be used"),
    ("W108", "an option of a component is unknown"),
    ("N109", "advice about a component"),
    ("W110", "a component has too little to learn from"),
    ("W111", "the choice of policies is odd"),
    ("E112", "forms need `RulePolicy`"),
    ("E113", "a policy would have to learn from texts of stories"),
    ("N114", "several languages: the first one is trained"),
    ("W115", "`assistant_id` is that of the template"),
    ("E116", "a pipeline is a name, as in Rasa 1"),
    ("W118", "an importer is not known"),
    ("W119", "a path of `imports` cannot be imported"),
    ("W120", "`imports` without the importer that reads them"),
    ("W121", "a section of an imported file is not read"),
    ("N122", "an importer need not be named"),
    ("W123", "a key of the configuration is misspelt"),
    ("N130", "`assistant_id` is missing"),
    ("N132", "`language` is missing"),
    ("E201", "something is listed twice in a domain file"),
    ("E202", "a slot type is unknown"),
    ("E204", "a slot mapping is wrong"),
    ("E205", "a slot option is wrong"),
    ("W206", "a form asks for an unknown slot"),
    ("E207", "a form is not written as one"),
    ("E208", "an intent or entity has an empty map of options"),
    (
        "E209",
        "a response variation has neither text nor custom content",
    ),
    ("E210", "an intent triggers an unknown action"),
    ("N211", "`templates` of Rasa 1 is read as `responses`"),
    ("W212", "something is defined in two domain files"),
    ("W213", "an entity is both used and ignored by an intent"),
    ("W214", "a slot option has no effect or is out of range"),
    (
        "W215",
        "a slot mapping names an unknown entity, form or intent",
    ),
    ("W216", "an intent uses or ignores an unknown entity"),
    ("W217", "a retrieval intent's action has no response"),
    ("W218", "a domain key is unknown"),
    ("E219", "a response has no variations"),
    ("E220", "a response variation has an unknown key"),
    ("N221", "slots have no `mappings`: Rasa 2's are used"),
    ("N222", "forms are listed by name, as in Rasa 1"),
    ("N223", "forms hold slot mappings, as in Rasa 2"),
    ("N224", "slots have the type `unfeaturized` of Rasa 2"),
    ("E225", "a session setting is out of range"),
    (
        "E226",
        "options of an intent or entity are not below its name",
    ),
    ("N229", "two domain files list the same"),
    ("W240", "an intent of the domain has no examples"),
    ("W241", "an intent is used in no story, rule or form"),
    ("W242", "a response is sent by no story, rule or form"),
    ("W243", "an action is run by no story, rule or form"),
    ("W244", "a slot is read by nothing"),
    ("W245", "a form is started by no story or rule"),
    ("W246", "an entity is annotated in no example"),
    ("W247", "a response names a slot that is not defined"),
    (
        "W248",
        "a button sends an intent or entity that is not defined",
    ),
    (
        "W249",
        "a condition of a response names a slot that is not defined",
    ),
    ("W250", "a form has no question for one of its slots"),
    ("W251", "two names differ in upper and lower case alone"),
    ("W252", "a name holds a character that ends names"),
    ("W253", "a response does not start with `utter_`"),
    (
        "W254",
        "a mapping applies in a form that does not ask for the slot",
    ),
    ("W255", "an intent has `triggers`, which nothing follows"),
    ("W257", "a slot mapping names an unknown action"),
    ("W258", "a form ignores an unknown intent"),
    (
        "W259",
        "the values of a categorical slot are missing or repeated",
    ),
    ("W260", "a listed `utter_` action has no response"),
    ("W261", "a key within the domain is misspelt"),
    (
        "E301",
        "an entry of `nlu` is none of intent, synonym, regex, lookup",
    ),
    ("W302", "an entry of `nlu` has an empty name"),
    ("W303", "an entry of `nlu` has no examples"),
    ("W304", "a line of examples does not start with a dash"),
    ("W305", "an example has no text"),
    ("E306", "an entity annotation is not valid"),
    ("E307", "an intent has more than one `/`"),
    ("W308", "a synonym has two meanings"),
    ("W309", "an intent of the NLU data is not in the domain"),
    ("W310", "an entity of the NLU data is not in the domain"),
    ("E311", "examples are not written as a block"),
    ("E312", "a lookup file cannot be used"),
    ("W313", "a response is defined twice"),
    ("E314", "an entry of `nlu` has an unknown key"),
    ("E315", "an example of a list is not a map"),
    ("W340", "a text is an example of two intents"),
    ("N341", "an example is written twice"),
    ("W342", "an entity does not start or end where a word does"),
    ("W343", "two entities lie over each other"),
    ("W344", "an intent has one example only"),
    ("E345", "a regular expression cannot be used"),
    ("W346", "a regular expression matches the empty text"),
    ("W347", "a lookup table has no phrases"),
    ("W348", "examples lack the `|` before them"),
    ("W349", "an example starts with two dashes"),
    ("N350", "an example has no blank after its dash"),
    ("W351", "Markdown stands in a YAML file"),
    ("W352", "an entity annotation is left as text"),
    ("W353", "a key of an entity annotation is misspelt"),
    ("W354", "a text is annotated in two ways"),
    ("W355", "an entity has one example only"),
    ("W356", "a role or group is not listed in the domain"),
    ("N357", "a lookup table repeats phrases"),
    ("W358", "an example starts with a tab"),
    ("W359", "a bracket too many stands behind an annotation"),
    (
        "E320",
        "a section of Markdown NLU data is of an unknown kind",
    ),
    (
        "W321",
        "an item of Markdown NLU data stands before all headings",
    ),
    ("W322", "a heading of Markdown NLU data starts no section"),
    ("E323", "an entity lies outside its text"),
    ("W324", "two entities of a text overlap"),
    ("E326", "a key is missing in JSON training data"),
    ("E327", "a key stands beside `rasa_nlu_data`"),
    ("W328", "a schema of LUIS is not known"),
    (
        "W329",
        "a file of Dialogflow has no examples in the language",
    ),
    ("W331", "a lookup file is not there"),
    ("W333", "a section of `rasa_nlu_data` is not read"),
    ("W334", "an entity ends behind its text"),
    ("W335", "a response text in Markdown belongs to no intent"),
    ("W336", "an entry of `entity_synonyms` says nothing"),
    ("E337", "a name in NLU data is too long"),
    ("E401", "a step is none that is known"),
    ("W402", "a story or rule has no steps"),
    ("E403", "an entry of `stories` or `rules` is none"),
    ("W404", "an intent of a story is not in the domain"),
    ("W405", "an action of a story is not in the domain"),
    (
        "E406",
        "a slot that a story names alone is not in the domain",
    ),
    ("W407", "a slot is named without its value"),
    ("W408", "an intent is written with a leading `/`"),
    (
        "W409",
        "a story names a retrieval intent with its response key",
    ),
    ("W410", "a checkpoint after the start has conditions"),
    ("E411", "a rule holds a step that rules may not have"),
    ("E412", "an `or` holds an item that it may not have"),
    ("W413", "`action_deactivate_form` is an old name"),
    ("W414", "an action has no name"),
    ("W415", "a form of a story is not in the domain"),
    ("W416", "a checkpoint is never set"),
    ("W417", "an entity of a story is not in the domain"),
    ("W418", "an intent of a story has no name"),
    ("W419", "a story or rule has no name"),
    ("E435", "a story or rule has an unknown key"),
    ("E436", "a step has a key that it cannot have"),
    ("W437", "an alternative of an `or` has no intent"),
    ("W438", "a condition of a checkpoint has no value"),
    ("W439", "entities stand beside a text"),
    ("W440", "a checkpoint has no name"),
    ("W441", "a text of a story looks like an intent"),
    ("W442", "entities of a text `/intent{…}` cannot be read"),
    ("E420", "a Markdown story has a variable in backticks"),
    ("E421", "an event of a Markdown story is not written as one"),
    ("W422", "an event of a Markdown story teaches nothing"),
    ("W423", "entities of a Markdown story are not JSON"),
    ("W424", "a slot of a story is not in the domain"),
    (
        "E425",
        "a line of Markdown stories stands before all headings",
    ),
    ("W426", "a line of Markdown stories says nothing"),
    ("W427", "a comment in Markdown stories never ends"),
    ("W428", "a message of a Markdown story has no intent"),
    ("W429", "a test story lies among training stories"),
    ("W450", "two stories or two rules have the same name"),
    ("W451", "stories contradict each other"),
    ("E452", "a rule contradicts another rule or a story"),
    (
        "E453",
        "a rule leaves out what its action does in other rules",
    ),
    ("E454", "a rule has more than one user message"),
    ("W455", "a value is none of a categorical slot"),
    ("W456", "a value does not fit the type of its slot"),
    (
        "W457",
        "`requested_slot` names a slot that no form asks for",
    ),
    (
        "E459",
        "the fallback action of `RulePolicy` is not in the domain",
    ),
    ("W462", "no story goes on from a checkpoint"),
    ("N463", "two stories or rules say the same"),
    ("N500", "remarks on style were counted and not shown"),
    ("W501", "there is no domain, so stories are not trained"),
    ("W601", "something cannot be kept by a conversion"),
    ("E602", "a file cannot be converted"),
    ("W603", "something is left to do by hand after a conversion"),
    ("N604", "something stays in JSON after a conversion"),
    ("E701", "`version` of a workspace is missing or not 1"),
    ("E702", "a path of a workspace does not exist"),
    ("W703", "a pattern of folders finds no assistant"),
    ("E704", "an assistant is listed twice"),
    ("E705", "two assistants have the same name"),
    ("E706", "a key of a workspace is unknown"),
    ("E707", "an entry of `assistants` is none"),
    ("E708", "a workspace has no assistants"),
    ("E709", "two variants of an assistant have the same name"),
    ("E710", "a name cannot be that of an assistant or variant"),
    ("E711", "two assistants write their models to one folder"),
    ("E712", "a value of `remote` cannot be"),
];

/// Codes of remarks on style: nothing is wrong with the model that is trained.
/// `train` counts them, `data validate` shows them.
const LINTS: &[&str] = &[
    "N041", "N130", "N132", "W240", "W241", "W242", "W243", "W244", "W245", "W246", "W250", "W251",
    "W252", "W253", "W259", "N341", "W344", "W347", "N350", "W354", "W355", "W356", "N357", "W450",
    "W462", "N463",
];

/// Returns whether a code is a remark on style, which a training only counts.
pub fn is_lint(code: &str) -> bool {
    LINTS.contains(&code)
}

/// Returns the line that says what a code is about.
pub fn title(code: &str) -> Option<&'static str> {
    let entry = CODES.iter().find(|(known, _)| *known == code);
    entry.map(|(_, title)| *title)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_number_is_given_twice() {
        let numbers: BTreeSet<&str> = CODES.iter().map(|(code, _)| &code[1..]).collect();
        assert_eq!(numbers.len(), CODES.len());
    }

    #[test]
    fn remarks_on_style_are_codes_and_no_errors() {
        for code in LINTS {
            assert!(title(code).is_some(), "{code}");
            assert!(!code.starts_with('E'), "{code}");
        }
    }
}
