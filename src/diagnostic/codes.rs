//! The table of all codes. A code that was ever released keeps its meaning;
//! one that is no longer given stays in the table.

/// Every code with one line that says what it is about.
///
/// `E` is an error, `W` a warning, `N` a note. The first digit is the subject:
/// 0 files and YAML, 1 config, 2 domain, 3 NLU data, 4 stories and rules,
/// 6 conversion, 7 the workspace file.
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
    ("E014", "Markdown training data is not read yet"),
    ("E015", "JSON training data is not read yet"),
    ("W016", "`version` is not text"),
    ("W017", "`version` is newer than 3.1: the file is skipped"),
    (
        "W019",
        "a file that was named has another suffix than data files",
    ),
    ("W020", "a folder links back into itself"),
    ("E021", "a folder stands where a file is needed"),
    (
        "E101",
        "an entry of `pipeline` or `policies` is not a component",
    ),
    (
        "E102",
        "`importers` other than RasaFileImporter are not read yet",
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
    (
        "W301",
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
    ("W311", "examples as a list are for intents only"),
    ("E312", "a lookup file cannot be used"),
    ("W313", "a response is defined twice"),
    ("W401", "a step is none that is known"),
    ("W402", "a story or rule has no steps"),
    ("W403", "an entry of `stories` or `rules` is none"),
    ("W404", "an intent of a story is not in the domain"),
    ("W405", "an action of a story is not in the domain"),
    ("E406", "a slot of a story is not in the domain"),
    ("W407", "a slot is named without its value"),
    ("W408", "an intent is written with a leading `/`"),
    (
        "W409",
        "a story names a retrieval intent with its response key",
    ),
    ("W410", "a checkpoint after the start has conditions"),
    ("E411", "a rule holds a step that rules may not have"),
    ("W412", "an `or` holds an item that it may not have"),
    ("W413", "`action_deactivate_form` is an old name"),
    ("W414", "an action has no name"),
    ("W415", "a form of a story is not in the domain"),
    ("W416", "a checkpoint is never set"),
    ("W417", "an entity of a story is not in the domain"),
    ("E701", "`version` of a workspace is missing or not 1"),
    ("E702", "a path of a workspace does not exist"),
    ("W703", "a pattern of folders finds no assistant"),
    ("E704", "an assistant is listed twice"),
    ("E705", "two assistants have the same name"),
    ("E706", "a key of a workspace is unknown"),
    ("E707", "an entry of `assistants` is none"),
    ("E708", "a workspace has no assistants"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_number_is_given_twice() {
        let numbers: BTreeSet<&str> = CODES.iter().map(|(code, _)| &code[1..]).collect();
        assert_eq!(numbers.len(), CODES.len());
    }
}
