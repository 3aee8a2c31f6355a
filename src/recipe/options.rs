//! A component's options as the user wrote them, and what is wrong with them.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::data::Component;
use crate::diagnostic::Diagnostic;
use crate::dialogue::TrackerFeaturizer;
use crate::nlu::diet::OptionProblem;
use crate::nlu::diet::OptionProblems;
use crate::tokenize::OptionError;
use crate::tokenize::read_options;
use crate::tokenize::unknown_options;

/// A component of the configuration whose options are being read.
pub struct Written<'a>(pub &'a Component);

impl Written<'_> {
    /// Returns the options after defaults; tells what is unknown or wrong.
    pub fn read<T>(&self, diagnostics: &mut Vec<Diagnostic>) -> Option<T>
    where
        T: Default + Serialize + DeserializeOwned,
    {
        let known = serde_json::to_value(T::default()).unwrap_or_default();
        let known: Vec<String> = known
            .as_object()
            .map_or_else(Vec::new, |map| map.keys().cloned().collect());
        self.unknown(&unknown_options::<T>(&self.0.options), &known, diagnostics);
        match read_options(&self.0.options) {
            Ok(options) => Some(options),
            Err(error) => {
                self.wrong_option(&error, diagnostics);
                None
            }
        }
    }

    /// Tells which options nobody knows.
    pub fn unknown(&self, names: &[String], known: &[String], diagnostics: &mut Vec<Diagnostic>) {
        for name in names {
            let message = format!("`{}` has no option `{name}`: it is ignored", self.0.name);
            let diagnostic = match self.0.option_places.get(name) {
                Some(place) => {
                    let length = name.chars().count() as u32;
                    Diagnostic::new("W108", place.name.clone(), message).length(length)
                }
                None => Diagnostic::new("W108", self.0.place.clone(), message),
            };
            diagnostics.push(diagnostic.suggest(name, known.iter().map(String::as_str)));
        }
    }

    /// Tells what nobody knows of a policy's featurizer, the option `option`.
    pub fn unknown_within(&self, option: &str, diagnostics: &mut Vec<Diagnostic>) {
        for unknown in TrackerFeaturizer::unknown_options(&self.0.options) {
            let message = format!(
                "`{}` in `{option}` of `{}` has no option `{}`: it is ignored",
                unknown.class, self.0.name, unknown.name
            );
            let place = self.0.option_places.get(option);
            let place = place.map_or(&self.0.place, |place| &place.name);
            let length = option.chars().count() as u32;
            let diagnostic = Diagnostic::new("W108", place.clone(), message).length(length);
            diagnostics.push(diagnostic.suggest(&unknown.name, unknown.known.iter().copied()));
        }
    }

    /// Tells that an option cannot be used.
    pub fn wrong_option(&self, error: &OptionError, diagnostics: &mut Vec<Diagnostic>) {
        self.wrong(&error.option, &error.reason, diagnostics);
    }

    /// Tells that the option `name` cannot be used.
    pub fn wrong(&self, name: &str, reason: &str, diagnostics: &mut Vec<Diagnostic>) {
        let message = format!(
            "option `{name}` of `{}` cannot be used: {reason}",
            self.0.name
        );
        diagnostics.push(self.about_value(name, message));
    }

    /// Tells that the option `name` cannot be used, and what to do about it.
    pub fn wrong_with_help(
        &self,
        name: &str,
        reason: &str,
        help: &str,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        self.wrong(name, reason, diagnostics);
        if let Some(told) = diagnostics.pop() {
            diagnostics.push(told.help(help));
        }
    }

    /// Tells something about the component as a whole.
    pub fn remark(&self, text: &str, diagnostics: &mut Vec<Diagnostic>) {
        let message = format!("`{}`: {text}", self.0.name);
        diagnostics.push(Diagnostic::new("N109", self.0.place.clone(), message));
    }

    /// Tells that a name in an option's value is none of the `known` ones, and may
    /// be meant all the same.
    pub fn remark_about(
        &self,
        option: &str,
        message: String,
        name: &str,
        known: &[&str],
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let message = format!("`{}`: {message}", self.0.name);
        let about = match self.0.option_places.get(option) {
            Some(place) => Diagnostic::new("N109", place.value.clone(), message),
            None => Diagnostic::new("N109", self.0.place.clone(), message),
        };
        diagnostics.push(about.suggest(name, known.iter().copied()));
    }

    /// Tells everything that is wrong with the options of a network.
    pub fn problems(&self, problems: &OptionProblems, diagnostics: &mut Vec<Diagnostic>) {
        for problem in &problems.0 {
            let option = match problem {
                OptionProblem::Value { option, .. } | OptionProblem::Unsupported { option, .. } => {
                    option.as_str()
                }
                _ => "",
            };
            let message = format!("`{}`: {problem}", self.0.name);
            diagnostics.push(self.about_value(option, message));
        }
    }

    /// Returns a mistake in the value of an option, or in the component if the value
    /// is a default.
    fn about_value(&self, option: &str, message: String) -> Diagnostic {
        match self.0.option_places.get(option) {
            Some(place) => {
                let value = place.value.clone();
                Diagnostic::new("E107", value, message).length(place.value_length)
            }
            None => Diagnostic::new("E107", self.0.place.clone(), message),
        }
    }
}

/// Returns an error and its causes as one sentence.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
