#!/usr/bin/env bash
# Fills the corpora with our own samples: examples/ and schemas/samples/.
set -euo pipefail
cd "$(dirname "$0")"
into() { mkdir -p "corpus/$1"; cp "$2" "corpus/$1/$(sha256sum "$2" | cut -c1-16)"; }
while IFS= read -r file; do
    into yaml_tree "$file"
    into config "$file"
    into domain "$file"
    into nlu_json "$file"
    for target in nlu_yaml stories_yaml; do
        mkdir -p "corpus/$target"
        grep -vE '^(version|nlu|stories|rules):' "$file" > "corpus/$target/$(sha256sum "$file" | cut -c1-16)" || true
    done
    grep -E '^ +- .*\[' "$file" | sed -E 's/^ +- //' > line || true
    [ ! -s line ] || into annotation line
done < <(find ../examples ../schemas/samples -name '*.yml')
printf 'new york\n  Rome \n\nSão Paulo\n' > line && into lookup line
printf -- '- hi\n- go to [Rome](city)\n- [x]{"entity": "city", "role": "from"}\n## synonym:NYC\n- new york\n## regex:zip\n- [0-9]{5}\n## lookup:city\ndata/city.txt\n' > line && into nlu_markdown line
printf -- '* faq{"city": "x"} OR greet\n  - action_x\n  - slot{"city": "x"}\n  - f\n  - form{"name": "f"}\n> check\n## next\n> check\n' > line && into stories_markdown line
printf '{"rasa_nlu_data": {"common_examples": [{"text": "hi Rome", "intent": "greet", "entities": [{"start": 3, "end": 7, "value": "Rome", "entity": "city"}]}], "entity_synonyms": [{"value": "a", "synonyms": ["b"]}], "regex_features": [{"name": "zip", "pattern": "[0-9]"}], "lookup_tables": [{"name": "c", "elements": ["d"]}]}}' > line && into nlu_json line
rm -f line
mkdir -p corpus/whole_project
for project in ../examples/*/; do
    find "$project" -name '*.yml' | sort | while IFS= read -r file; do
        cat "$file"; printf '\xff'
    done > "corpus/whole_project/$(basename "$project")"
done
