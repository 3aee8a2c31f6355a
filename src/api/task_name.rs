//! Finds the tasks that a user's word means.

use crate::api::TrainError;
use crate::diagnostic::did_you_mean;
use crate::engine::Graph;
use crate::engine::TaskId;

/// Returns the tasks that `word` means, in the order of the graph: all that a
/// pattern takes, or else the one of that name, of that component's name
/// (`DIETClassifier`), or whose name starts so.
///
/// # Errors
///
/// If there is none, or more than one without a pattern.
pub fn find(graph: &Graph, word: &str) -> Result<Vec<TaskId>, TrainError> {
    let those = |is_meant: &dyn Fn(&str) -> bool| -> Vec<TaskId> {
        let named = |id: &TaskId| is_meant(&graph.task(*id).name);
        graph.ids().filter(named).collect()
    };
    let exact = those(&|name| name == word);
    if !exact.is_empty() {
        return Ok(exact);
    }
    if word.contains(['*', '?']) {
        let taken = those(&|name| takes(word, name));
        return match taken.is_empty() {
            true => Err(unknown(graph, word)),
            false => Ok(taken),
        };
    }
    let by_component = those(&|name| component(name) == word);
    let by_start = || those(&|name| name.starts_with(word));
    let meant = match by_component.is_empty() {
        true => by_start(),
        false => by_component,
    };
    match meant.as_slice() {
        [] => Err(unknown(graph, word)),
        [_] => Ok(meant),
        several => Err(TrainError::SeveralTasks {
            word: word.to_owned(),
            tasks: several
                .iter()
                .map(|id| graph.task(*id).name.clone())
                .collect(),
        }),
    }
}

/// The name of a task without its place: `DIETClassifier` of
/// `nlu.4.DIETClassifier`.
fn component(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn unknown(graph: &Graph, word: &str) -> TrainError {
    let names: Vec<&str> = graph.ids().map(|id| graph.task(id).name.as_str()).collect();
    let components = names.iter().map(|name| component(name));
    let meant = did_you_mean(word, names.iter().copied().chain(components));
    TrainError::NoTask {
        word: word.to_owned(),
        meant: meant.map(str::to_owned),
        tasks: names.into_iter().map(str::to_owned).collect(),
    }
}

/// Returns whether `pattern` takes the whole of `name`: `*` stands for any
/// characters, `?` for one. Time is at most the product of the two lengths.
pub fn takes(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    // Where to go on when what follows the last star does not fit.
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            retry = Some((p, n));
            p += 1;
        } else if pattern.get(p).is_some_and(|c| *c == '?' || *c == name[n]) {
            p += 1;
            n += 1;
        } else if let Some((star, taken)) = retry {
            retry = Some((star, taken + 1));
            p = star + 1;
            n = taken + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_take_any_characters_and_question_marks_one() {
        for (pattern, name, want) in [
            ("*", "", true),
            ("nlu.*", "nlu.4.DIETClassifier", true),
            ("nlu.?.*Featurizer", "nlu.3.CountVectorsFeaturizer", true),
            ("nlu.?.*Featurizer", "nlu.13.CountVectorsFeaturizer", false),
            ("*a*b", "xaxbxab", true),
            ("*a*b", "xaxbxa", false),
            ("core", "core.trackers", false),
        ] {
            assert_eq!(takes(pattern, name), want, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_ends_soon() {
        assert!(!takes(&"*a".repeat(200), &"a".repeat(199)));
    }
}
