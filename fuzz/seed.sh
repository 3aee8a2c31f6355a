#!/usr/bin/env bash
# Fills the corpora: our own samples of examples/ and schemas/samples/, a piece of
# each syntax below, and projects of a folder of assistants, if one is given.
#
#   fuzz/seed.sh [FOLDER]
set -euo pipefail
bots=${1:+$(realpath "$1")}
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# add TARGET: standard input as an entry of its corpus, and once more with the line
# ends and the byte order mark of Windows.
add() {
    mkdir -p "corpus/$1"
    cat > "$scratch/entry"
    [ -s "$scratch/entry" ] || return 0
    cp "$scratch/entry" "corpus/$1/$(sha256sum "$scratch/entry" | cut -c1-16)"
    [ -n "${no_windows:-}" ] && return 0
    { printf '\xef\xbb\xbf'; sed 's/$/\r/' "$scratch/entry"; } > "$scratch/windows"
    cp "$scratch/windows" "corpus/$1/$(sha256sum "$scratch/windows" | cut -c1-16)"
}

# joined FILE...: files with the byte 0xff between them; `-` is an empty one.
joined() {
    for file in "$@"; do
        [ "$file" = - ] || cat "$file"
        printf '\xff'
    done
}

# --- Samples ---------------------------------------------------------------

no_windows=1
while IFS= read -r file; do
    for target in yaml_tree config domain nlu_json; do add "$target" < "$file"; done
    for target in nlu_yaml stories_yaml; do
        { grep -vE '^(version|nlu|stories|rules):' "$file" || true; } | add "$target"
    done
    { grep -E '^ +- .*\[' "$file" || true; } | sed -E 's/^ +- //' | add annotation
done < <(find ../examples ../schemas/samples -name '*.yml')
while IFS= read -r file; do add workspace < "$file"; done \
    < <(find ../examples ../schemas/samples/workspace -name '*.yml')
for project in ../examples/*/; do
    find "$project" -name '*.yml' | sort | while IFS= read -r file; do
        cat "$file"; printf '\xff'
    done | add whole_project
done
no_windows=

# --- A piece of each syntax ------------------------------------------------

annotations() {
    cat <<'END'
go to [Rome](city) now
[New York](city:NYC) and [x](t:a:b)
[x]{"entity": "city", "role": "from", "group": "1", "value": "y"}
[x][{"entity": "city"}, {"entity": "dish", "role": "to"}] both
[a](b)[c]{"entity":"d"}
[x](y:) z [two] (city) [x]() [a [b](c)
[x]{"entity": "city"}} [x](city)) [[x]](city) [x]{"entity": "city"}]
[x]{"entity": "city", "value": "a}b"} [x]{"entity": "city"
[large(size) large](city) (large)[city] {large}(city)
naïve 🍕 [pízza](city) שלום [תל אביב](city) [x](city) half
 [x](city) [x](city:a b) non-breaking
see [the page](https://example.com/a_(b)) and ![picture](a.png)
END
}
annotations | add annotation
printf 'new york\n  Rome \n\nSão Paulo\n"quoted"\n- dashed\n\xc2\xa0blank\xc2\xa0\n' | add lookup

cat > "$scratch/nlu.yml" <<END
version: "3.1"
nlu:
- intent: greet
  metadata: {sentiment: neutral}
  examples: |
$(annotations | sed 's/^/    - /')
- intent: faq/opening
  examples:
  - text: |
      when [now](city) open?
    metadata: {source: web}
  - text: open today
- {intent: "a}b", examples: "- x\n- y"}
- synonym: "2"
  examples: |
    - two
    - a couple
- regex: zip
  examples: |
    - \\d{5}
    - [a-z
- lookup: city
  examples: |
    - Rome
    - data/city.txt
responses:
  utter_faq/opening:
  - text: We open at nine.
END
cat > "$scratch/stories.yml" <<'END'
stories:
- story: one
  metadata: {author: x}
  steps:
  - checkpoint: start
    slot_was_set: [{size: a}]
  - intent: greet
    entities: [{city: Rome, role: to}, city, {city: null}]
  - or:
    - intent: faq
    - slot_was_set: [{city: x}]
  - action: f
  - active_loop: f
  - slot_was_set: [requested_slot: city, city]
  - active_loop: null
  - user: "I love [pizza](city)"
    intent: faq/opening
  - bot: Great!
  - action: utter_greet
  - checkpoint: end
- story: two
  steps: [{intent: greet}, {action: utter_greet}, {intent: /greet}, {action: action_x}]
- story: two
  steps: [{intent: greet}, {action: action_x}]
rules:
- rule: r
  condition: [{active_loop: f}, {slot_was_set: [{size: b}]}]
  conversation_start: true
  wait_for_user_input: false
  steps: [{intent: greet}, {action: utter_greet}]
- rule: s
  steps: [{intent: greet}, {action: action_x}]
END
cat > "$scratch/domain.yml" <<'END'
version: "3.1"
session_config: {session_expiration_time: 60, carry_over_slots_to_new_session: true}
intents:
- greet
- faq: {use_entities: [city], is_retrieval_intent: true}
- bye: {ignore_entities: [city], triggers: utter_greet}
entities:
- city: {roles: [from, to], groups: ["1"]}
- dish
slots:
  city: &text
    type: text
    mappings: [{type: from_entity, entity: city, role: to, conditions: [{active_loop: f, requested_slot: city}]}]
  size: {type: categorical, values: [a, b, yes], initial_value: c, mappings: [{type: custom, action: action_x}]}
  money: {type: float, min_value: 1e3, max_value: 0x10, mappings: [{type: from_intent, intent: bye, value: 3}]}
  other: {<<: *text, influence_conversation: no}
responses:
  utter_greet:
  - text: "Hi {city} {nobody}!"
    condition: [{type: slot, name: size, value: b}]
    channel: slack
    buttons: [{title: Yes, payload: '/greet{"city": "Rome"}'}, {title: No, payload: /nothing}]
    metadata: {k: v}
  - custom: {blocks: []}
  utter_ask_city: [{text: "Where?\u00a0", image: "https://x.example/a.png", id: "1"}]
actions: [action_x, validate_f, {action_y: {send_domain: true}}]
forms:
  f: {ignored_intents: [bye], required_slots: [city, size]}
END
cat > "$scratch/domain2.yml" <<'END'
# Rasa 2
version: "2.0"
intents: [greet, {bye: {triggers: utter_bye}}]
entities: [city, 'größe']
slots:
  city: {type: text, auto_fill: false}   # here
  größe:
    type: unfeaturized
    # there
templates:
  utter_bye: [{text: bye}]
forms:
  f:
    required_slots:
      city:
      - {type: from_entity, entity: city, intent: [greet], not_intent: bye}
      - type: from_trigger_intent
        intent: bye
        value: "yes"
  g:
    größe: [{type: from_text}]
  h: {}
END
printf 'forms: [f, g]\nslots: {city: {type: text}}\nactions: [utter_a, respond_faq]\ntemplates: {utter_a: [hi]}\nintents: [greet, faq]\n' > "$scratch/domain1.yml"
cat > "$scratch/config.yml" <<'END'
recipe: default.v1
language: en
pipeline:
- name: WhitespaceTokenizer
- {name: CountVectorsFeaturizer, analyzer: char_wb, min_ngram: 1, max_ngram: 4}
- name: DIETClassifier
  epochs: 100
- name: ResponseSelector
  retrieval_intent: faq
- {name: FallbackClassifier, threshold: .3}
policies: [{name: MemoizationPolicy, max_history: 5}, {name: RulePolicy}, {name: TEDPolicy, epochs: 1}]
END
cat > "$scratch/nlu.md" <<END
## intent:greet
<!-- a
remark -->
$(annotations | sed 's/^/- /')
* a \\t tab
+ plus
## intent:faq/opening
- when
## synonym:NYC
- new york
## regex:zip
- [0-9]{5}
## lookup:city
- Rome
## lookup:table
data/city.txt
END
cat > "$scratch/stories.md" <<'END'
## story
* faq{"city": "x", "dish": ["a", 1]} OR greet
  - action_x
  - slot{"city": "x", "size": null}
  - f
  - form{"name": "f"}
  - form: action_x
  - active_loop{"name": null}
> check
## next
> check
* greet: hello [Rome](city)
  - utter_greet
>> rule
* greet
  - ...
END
cat > "$scratch/nlu.json" <<'END'
{"rasa_nlu_data": {"common_examples": [
  {"text": "hi Rome", "intent": "greet", "entities": [{"start": 3, "end": 7, "value": "Rome", "entity": "city", "role": "to"}]},
  {"text": "a [b](c) }", "intent": "faq/opening"}, {"text": "nothing"}],
 "entity_synonyms": [{"value": "a", "synonyms": ["b", "c\nd"]}],
 "regex_features": [{"name": "zip", "pattern": "[0-9]"}],
 "lookup_tables": [{"name": "c", "elements": ["d"]}]}}
END
printf '{"luis_schema_version": "2.0", "utterances": [{"text": "hi Rome", "intent": "greet", "entities": [{"entity": "city", "startPos": 3, "endPos": 6}]}]}' > "$scratch/luis.json"
printf '{"utterances": [{"text": "hi Rome", "intent": "greet", "entities": [{"entity": "city:to", "start": 3, "end": 7, "body": "Rome", "entities": []}], "traits": []}]}' > "$scratch/wit.json"
printf '## q\n* faq/opening\n- at nine\\nsharp\n* faq/b\n- b\n' > "$scratch/responses.md"

sed '1,2d' "$scratch/nlu.yml" | add nlu_yaml
sed '1d' "$scratch/stories.yml" | add stories_yaml
sed '1d' "$scratch/nlu.md" | add nlu_markdown
sed '1,2d' "$scratch/stories.md" | add stories_markdown
for file in nlu luis wit; do add nlu_json < "$scratch/$file.json"; done
for file in domain domain1 domain2; do add domain < "$scratch/$file.yml"; done
for target in config yaml_tree; do add "$target" < "$scratch/config.yml"; done
cat > "$scratch/workspace" <<'END'
version: 1
cache: {dir: .cache}
matrix: {config: {small: config.yml, large: shared.yml}}
domain: shared.yml
data: [shared, other]
assistants: [bots/*, {path: bots/a, name: x, config: [config.yml], out: models}, "bots/**/b?"]
remote: {url: "grpc://localhost:1", headers: {a: b}}
END
add workspace < "$scratch/workspace"

no_windows=1
cd "$scratch"
joined domain.yml nlu.yml stories.yml config.yml > a
joined domain.yml - - - nlu.md stories.md nlu.json > b
joined domain2.yml - - - nlu.md stories.md > c
joined domain1.yml nlu.md stories.md luis.json > d
joined domain2.yml - stories.md nlu.json nlu.yml > e
joined domain.yml nlu.md stories.md wit.json - - responses.md > f
joined config.yml domain.yml nlu.yml stories.yml nlu.md stories.md nlu.json > g
{ printf '\xc0'; joined nlu.yml nlu.md nlu.json; } > h
{ printf '\x80'; joined - nlu.md; } > i
{ printf '\x20'; joined - - nlu.json; } > j
cd - > /dev/null
for file in a b; do add check < "$scratch/$file"; done
for file in c d e f; do add convert < "$scratch/$file"; done
for file in h i j; do add split < "$scratch/$file"; done
add whole_project < "$scratch/g"

# --- Other people's assistants ---------------------------------------------

# first NAME...: the first of these files that is there and not too large, or `-`.
first() {
    for name in "$@"; do
        if [ -f "$name" ] && [ "$(stat -c %s "$name")" -lt 12000 ]; then echo "$name"; return; fi
    done
    echo -
}
[ -n "$bots" ] || exit 0
for bot in "$bots"/*/; do
    domain=$(first "$bot"domain.yml "$bot"domain/*.yml)
    nlu=$(first "$bot"data/nlu.yml "$bot"data/nlu/*.yml "$bot"data/*.yml)
    stories=$(first "$bot"data/stories.yml "$bot"data/rules.yml "$bot"data/*/stories.yml)
    old_nlu=$(first "$bot"data/nlu.md "$bot"data/*.md)
    old_stories=$(first "$bot"data/stories.md "$bot"data/core/*.md)
    joined "$domain" "$nlu" "$stories" "$(first "$bot"config.yml)" "$old_nlu" "$old_stories" | add check
    joined "$domain" "$old_nlu" "$old_stories" - "$nlu" "$stories" | add convert
    { printf '\x90'; joined "$nlu" "$old_nlu"; } | add split
done
