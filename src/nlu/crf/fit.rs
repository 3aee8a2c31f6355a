//! Finds the weights of a tagger.

use std::ops::ControlFlow;
use std::ops::Range;

use rayon::prelude::*;

use crate::data::Annotation;
use crate::nlu::TagKind;
use crate::nlu::TagSet;
use crate::nlu::crf::CrfOptions;
use crate::nlu::crf::Sentence;
use crate::nlu::crf::Tagger;
use crate::nlu::crf::attributes::Window;
use crate::nlu::crf::data::Data;
use crate::nn::Crf;
use crate::nn::Iterate;
use crate::nn::Lbfgs;
use crate::tokenize::OptionError;

/// CRFsuite's defaults: steps that the search remembers; how small the gradient
/// must be beside the weights; how little the loss may improve over a period.
const MEMORY: usize = 6;
const FLAT: f64 = 1e-5;
const PERIOD: usize = 10;
const LEAST_IMPROVEMENT: f64 = 1e-5;

/// Into at most so many pieces sentences and weights are cut: by their number
/// alone, so that the threads cannot change a sum.
const PIECES: usize = 64;

/// What a step of the search did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrfStep {
    /// What is tagged.
    pub kind: TagKind,
    /// Steps done, those for other kinds included.
    pub done: usize,
    /// Steps at most, for all kinds.
    pub most: usize,
    /// The loss, penalties included.
    pub loss: f64,
}

/// A text with its annotations.
pub type Annotated<'a> = (Sentence<'a>, &'a [Annotation]);

/// Learns a tagger for entities, one for roles and one for groups, as far as
/// `sets` names them; asks `on_step` whether to go on, and returns nothing if it
/// is to stop.
///
/// The loss is the sum of −ln p of the right tags, `L1_c` times the sum of the
/// weights' magnitudes and `L2_c` times that of their squares. The same data
/// gives the same weights for any number of threads.
///
/// # Errors
///
/// If a function of the window does not exist.
///
/// # Source
///
/// Rasa 3.6, which takes CRFsuite's `lbfgs` with all transitions, and weights for
/// the pairs of attribute and tag that occur.
pub fn fit(
    options: &CrfOptions,
    sets: &[TagSet],
    sentences: &[Annotated<'_>],
    on_step: &mut dyn FnMut(CrfStep) -> ControlFlow<()>,
) -> Result<Option<Vec<Tagger>>, OptionError> {
    let window = Window::new(&options.features)?;
    let entities = sets.iter().find(|set| set.kind() == TagKind::Entity);
    let mut taggers = Vec::with_capacity(sets.len());
    for (place, set) in sets.iter().enumerate() {
        let entity_tags = entities.filter(|_| set.kind() != TagKind::Entity);
        let data = in_numbers(set, entity_tags, &window, sentences);
        let mut report = |iterate: &Iterate| {
            on_step(CrfStep {
                kind: set.kind(),
                done: place * options.max_iterations + iterate.iteration,
                most: sets.len() * options.max_iterations,
                loss: iterate.value,
            })
        };
        match tagger(options, &data, &mut report) {
            Some(tagger) => taggers.push(tagger),
            None => return Ok(None),
        }
    }
    Ok(Some(taggers))
}

fn in_numbers(
    set: &TagSet,
    entity_tags: Option<&TagSet>,
    window: &Window,
    sentences: &[Annotated<'_>],
) -> Data {
    let names: Vec<Vec<String>> = sentences
        .iter()
        .map(|(sentence, annotations)| match entity_tags {
            None => Vec::new(),
            Some(tags) => {
                let ids = tags.ids(sentence.tokens, annotations).into_iter();
                ids.map(|id| tags.name(id)).collect()
            }
        })
        .collect();
    let tagged = sentences
        .iter()
        .zip(&names)
        .map(|((sentence, annotations), names)| {
            let seen = Sentence {
                entity_tags: names,
                ..*sentence
            };
            (seen, set.ids(sentence.tokens, annotations))
        });
    Data::new(set.clone(), window, tagged)
}

/// Learns the tags of one kind.
fn tagger(
    options: &CrfOptions,
    data: &Data,
    report: &mut dyn FnMut(&Iterate) -> ControlFlow<()>,
) -> Option<Tagger> {
    let problem = Problem::new(data, options.l2_c);
    let labels = data.labels.len();
    let mut weights = vec![0.0; data.pairs.items.len() + labels * labels];
    let search = Lbfgs {
        memory: MEMORY,
        max_iterations: options.max_iterations,
        l1: options.l1_c,
    };
    let (mut losses, mut is_stopped) = (Vec::new(), false);
    search.minimise(
        &mut weights,
        &mut |x, gradient| problem.loss(x, gradient),
        &mut |iterate| {
            is_stopped = report(iterate).is_break();
            let is_flat = iterate.gradient_norm < FLAT * iterate.point_norm.max(1.0);
            let before = losses.len().checked_sub(PERIOD).map(|at| losses[at]);
            let is_slow = before.is_some_and(|before: f64| {
                (before - iterate.value) / iterate.value < LEAST_IMPROVEMENT
            });
            losses.push(iterate.value);
            match is_stopped || is_flat || is_slow {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        },
    );
    (!is_stopped).then(|| Tagger::new(data, &weights))
}

/// The loss as a function of the weights: one for each pair, then `[labels,
/// labels]` transitions.
struct Problem<'a> {
    data: &'a Data,
    l2: f64,
    /// Sentences that are worked on together, and their first tokens.
    sentences: Vec<Range<usize>>,
    /// Attributes likewise, and their first pairs.
    attributes: Vec<Range<usize>>,
}

/// What the sentences of one piece teach.
struct Lesson {
    log_likelihood: f64,
    transitions: Vec<f32>,
}

impl<'a> Problem<'a> {
    fn new(data: &'a Data, l2: f64) -> Self {
        Self {
            data,
            l2,
            sentences: pieces(data.sentences.len() - 1),
            attributes: pieces(data.names.len()),
        }
    }

    fn loss(&self, weights: &[f64], gradient: &mut [f64]) -> f64 {
        let (data, labels) = (self.data, self.data.labels.len());
        let (pairs, transitions) = split(weights, data.pairs.items.len());
        let crf = Crf::new(&transitions, labels);
        let mut slopes = vec![0.0; data.right.len() * labels];
        let ends = self
            .sentences
            .iter()
            .map(|piece| data.sentences[piece.end] * labels);
        let lessons: Vec<Lesson> = self
            .sentences
            .par_iter()
            .zip(cut(&mut slopes, ends))
            .map(|(piece, slopes)| self.lesson(&crf, &pairs, piece.clone(), slopes))
            .collect();
        let (pair_gradient, transition_gradient) = gradient.split_at_mut(pairs.len());
        let ends = self
            .attributes
            .iter()
            .map(|piece| data.pairs.offsets[piece.end]);
        self.attributes
            .par_iter()
            .zip(cut(pair_gradient, ends))
            .for_each(|(piece, sums)| self.pair_gradient(piece.clone(), &slopes, sums));
        transition_gradient.fill(0.0);
        for lesson in &lessons {
            let sums = transition_gradient.iter_mut().zip(&lesson.transitions);
            sums.for_each(|(sum, part)| *sum += f64::from(*part));
        }
        let mut squares = 0.0;
        for (slope, weight) in gradient.iter_mut().zip(weights) {
            *slope += 2.0 * self.l2 * weight;
            squares += weight * weight;
        }
        let likelihood: f64 = lessons.iter().map(|lesson| lesson.log_likelihood).sum();
        self.l2 * squares - likelihood
    }

    /// Learns from the sentences of a piece; fills in the slope of each score.
    fn lesson(&self, crf: &Crf, pairs: &[f32], piece: Range<usize>, slopes: &mut [f32]) -> Lesson {
        let (data, labels) = (self.data, self.data.labels.len());
        let mut lesson = Lesson {
            log_likelihood: 0.0,
            transitions: vec![0.0; labels * labels],
        };
        let first = data.sentences[piece.start];
        for sentence in piece {
            let tokens = data.sentences[sentence]..data.sentences[sentence + 1];
            let mut logits = vec![0.0; tokens.len() * labels];
            for (token, row) in tokens.clone().zip(logits.chunks_exact_mut(labels)) {
                for (attribute, value) in data.attributes.valued(token) {
                    let range = data.pairs.range(attribute as usize);
                    for (&label, weight) in
                        data.pairs.items[range.clone()].iter().zip(&pairs[range])
                    {
                        row[label as usize] += weight * value;
                    }
                }
            }
            let learnt = crf.learn(&logits, &data.right[tokens.clone()]);
            lesson.log_likelihood += f64::from(learnt.log_likelihood);
            let own = (tokens.start - first) * labels..(tokens.end - first) * labels;
            slopes[own].copy_from_slice(&learnt.d_logits);
            crf.add_transition_gradient(&[learnt], &[1.0], &mut lesson.transitions);
        }
        lesson
    }

    /// Sums the slopes of the pairs of a piece of the attributes.
    fn pair_gradient(&self, piece: Range<usize>, slopes: &[f32], sums: &mut [f64]) {
        let (data, labels) = (self.data, self.data.labels.len());
        let first = data.pairs.offsets[piece.start];
        for attribute in piece {
            let range = data.pairs.range(attribute);
            let own = &mut sums[range.start - first..range.end - first];
            own.fill(0.0);
            for (token, value) in data.tokens.valued(attribute) {
                let row = &slopes[token as usize * labels..][..labels];
                for (sum, &label) in own.iter_mut().zip(&data.pairs.items[range.clone()]) {
                    *sum += f64::from(row[label as usize] * value);
                }
            }
        }
    }
}

/// Cuts `0..count` into equal ranges.
fn pieces(count: usize) -> Vec<Range<usize>> {
    let length = count.div_ceil(PIECES).max(1);
    let starts = (0..count).step_by(length);
    starts
        .map(|start| start..(start + length).min(count))
        .collect()
}

/// Cuts a slice at the given places.
fn cut<T>(mut rest: &mut [T], ends: impl Iterator<Item = usize>) -> Vec<&mut [T]> {
    let (mut parts, mut start) = (Vec::new(), 0);
    for end in ends {
        let (part, after) = rest.split_at_mut(end - start);
        parts.push(part);
        (rest, start) = (after, end);
    }
    parts
}

/// Returns the weights of pairs and of transitions in single precision.
pub(super) fn split(weights: &[f64], pairs: usize) -> (Vec<f32>, Vec<f32>) {
    let single = |weights: &[f64]| weights.iter().map(|&weight| weight as f32).collect();
    (single(&weights[..pairs]), single(&weights[pairs..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Example;
    use crate::nlu::Tagging;
    use crate::tokenize::Token;
    use crate::tokenize::whitespace;

    fn example(text: &str, entities: &[(&str, usize, usize)]) -> Example {
        let annotation = |&(entity, start, end): &(&str, usize, usize)| Annotation {
            start,
            end,
            entity: entity.to_owned(),
            ..Annotation::default()
        };
        Example {
            text: text.to_owned(),
            entities: entities.iter().map(annotation).collect(),
            ..Example::default()
        }
    }

    fn examples() -> Vec<Example> {
        vec![
            example("fly to New York", &[("city", 7, 15)]),
            example("fly to Rome now", &[("city", 7, 11)]),
            example("from Paris to Rome", &[("city", 5, 10), ("city", 14, 18)]),
            example("a large pizza", &[("size", 2, 7)]),
            example("hello", &[]),
        ]
    }

    fn learnt(options: &CrfOptions) -> (Vec<Tagger>, Vec<Vec<Token>>) {
        let examples = examples();
        let tokens: Vec<Vec<Token>> = examples.iter().map(|e| whitespace(&e.text)).collect();
        let set = TagSet::of(&examples, TagKind::Entity, Tagging::Bilou);
        let sentences: Vec<Annotated<'_>> = examples
            .iter()
            .zip(&tokens)
            .map(|(example, tokens)| (sentence(tokens), &example.entities[..]))
            .collect();
        let taggers = fit(options, &[set], &sentences, &mut |_| {
            ControlFlow::Continue(())
        });
        (taggers.unwrap().unwrap(), tokens)
    }

    fn sentence(tokens: &[Token]) -> Sentence<'_> {
        Sentence {
            tokens,
            patterns: &[],
            entity_tags: &[],
            numbers: &[],
        }
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let examples = examples();
        let tokens: Vec<Vec<Token>> = examples.iter().map(|e| whitespace(&e.text)).collect();
        let set = TagSet::of(&examples, TagKind::Entity, Tagging::Bilou);
        let window = Window::new(&CrfOptions::default().features).unwrap();
        let tagged = examples
            .iter()
            .zip(&tokens)
            .map(|(e, tokens)| (sentence(tokens), set.ids(tokens, &e.entities)));
        let data = Data::new(set.clone(), &window, tagged);
        let problem = Problem::new(&data, 0.1);
        let count = data.pairs.items.len() + data.labels.len() * data.labels.len();
        let weights: Vec<f64> = (0..count).map(|at| (at as f64 * 0.7).sin()).collect();
        let (mut gradient, mut unused) = (vec![0.0; count], vec![0.0; count]);
        problem.loss(&weights, &mut gradient);
        for at in (0..count).step_by(7).chain(count - 20..count) {
            let mut loss = |change: f64| {
                let mut moved = weights.clone();
                moved[at] += change;
                problem.loss(&moved, &mut unused)
            };
            let want = (loss(0.01) - loss(-0.01)) / 0.02;
            assert!(
                (gradient[at] - want).abs() < 2e-3,
                "{at}: {} {want}",
                gradient[at]
            );
        }
    }

    #[test]
    fn training_sentences_are_tagged_right() {
        let options = CrfOptions::default();
        let (taggers, tokens) = learnt(&options);
        let window = Window::new(&options.features).unwrap();
        let tags = |at: usize| taggers[0].tag(&window, sentence(&tokens[at])).0;
        assert_eq!(tags(0), ["O", "O", "B-city", "L-city"]);
        assert_eq!(tags(2), ["O", "U-city", "O", "U-city"]);
        assert_eq!(tags(3), ["O", "U-size", "O"]);
    }

    /// Recorded from python-crfsuite 0.9.12 on the same sentences and options:
    /// the probability of `O`, and the tag with the highest one.
    #[test]
    fn confidences_are_those_of_crfsuite() {
        let options = CrfOptions::default();
        let (taggers, mut tokens) = learnt(&options);
        let window = Window::new(&options.features).unwrap();
        tokens.push(whitespace("to Bern now"));
        let recorded: [(usize, &[(&str, f64)]); 3] = [
            (
                0,
                &[
                    ("O", 0.93171),
                    ("O", 0.91877),
                    ("B-city", 0.91829),
                    ("L-city", 0.89469),
                ],
            ),
            (3, &[("O", 0.89492), ("U-size", 0.81552), ("O", 0.8751)]),
            (5, &[("O", 0.98553), ("U-city", 0.71726), ("O", 0.82539)]),
        ];
        for (at, want) in recorded {
            let (tags, confidences) = taggers[0].tag(&window, sentence(&tokens[at]));
            for ((tag, confidence), (want_tag, want)) in tags.iter().zip(confidences).zip(want) {
                assert_eq!(tag, want_tag);
                assert!(
                    (confidence - want).abs() < 5e-4,
                    "{at} {tag}: {confidence} {want}"
                );
            }
        }
    }

    /// Numbers of a token that anybody can make again.
    fn numbers(tokens: &[Token]) -> Vec<[f32; 3]> {
        let sum = |token: &Token| token.text.bytes().map(u32::from).sum::<u32>();
        let number = |sum: u32, k: u32| ((sum * (k + 3)) % 17) as f32 / 8.0 - 1.0;
        let of = |token| [0, 1, 2].map(|k| number(sum(token), k));
        tokens.iter().map(of).collect()
    }

    /// Recorded from python-crfsuite 0.9.12 with these numbers as Rasa's
    /// `text_dense_features` at the token and the one before it.
    #[test]
    fn confidences_from_numbers_are_those_of_crfsuite() {
        let window = [&["low", "text_dense_features"][..]; 2];
        let window = [window[0], window[1], &["low"]];
        let names = |place: &[&str]| place.iter().map(|&name| name.to_owned()).collect();
        let options = CrfOptions {
            features: window.map(names).to_vec(),
            ..CrfOptions::default()
        };
        let examples = examples();
        let texts = examples.iter().map(|example| example.text.as_str());
        let texts: Vec<&str> = texts.chain(["to Bern now"]).collect();
        let tokens: Vec<Vec<Token>> = texts.iter().map(|text| whitespace(text)).collect();
        let made: Vec<Vec<[f32; 3]>> = tokens.iter().map(|tokens| numbers(tokens)).collect();
        let rows: Vec<Vec<&[f32]>> = made
            .iter()
            .map(|rows| rows.iter().map(|row| &row[..]).collect())
            .collect();
        let seen = |at: usize| Sentence {
            numbers: &rows[at],
            ..sentence(&tokens[at])
        };
        let set = TagSet::of(&examples, TagKind::Entity, Tagging::Bilou);
        let all = examples.iter().enumerate();
        let sentences: Vec<Annotated<'_>> =
            all.map(|(at, e)| (seen(at), &e.entities[..])).collect();
        let taggers = fit(&options, &[set], &sentences, &mut |_| {
            ControlFlow::Continue(())
        });
        let tagger = &taggers.unwrap().unwrap()[0];
        let window = Window::new(&options.features).unwrap();
        let recorded: [(usize, &[(&str, f64)]); 4] = [
            (
                0,
                &[
                    ("O", 0.8779),
                    ("O", 0.82092),
                    ("B-city", 0.90475),
                    ("L-city", 0.83353),
                ],
            ),
            (
                2,
                &[
                    ("O", 0.88821),
                    ("U-city", 0.84256),
                    ("O", 0.88338),
                    ("U-city", 0.86289),
                ],
            ),
            (3, &[("O", 0.85594), ("U-size", 0.7611), ("O", 0.77872)]),
            (5, &[("O", 0.95612), ("U-city", 0.71243), ("O", 0.63854)]),
        ];
        for (at, want) in recorded {
            let (tags, confidences) = tagger.tag(&window, seen(at));
            for ((tag, confidence), (want_tag, want)) in tags.iter().zip(confidences).zip(want) {
                assert_eq!(tag, want_tag);
                let error = (confidence - want).abs();
                assert!(error < 5e-4, "{at} {tag}: {confidence} {want}");
            }
        }
    }

    #[test]
    fn a_greater_penalty_leaves_fewer_weights() {
        let kept = |l1_c: f64| {
            let options = CrfOptions {
                l1_c,
                ..CrfOptions::default()
            };
            learnt(&options).0[0].attribute_count()
        };
        assert!(kept(1.0) < kept(0.1));
    }
}
