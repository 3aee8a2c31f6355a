"""Finds addresses, and knows those whose domains it has seen in training.

The protocol is docs/command.md: a JSON object a line, one answer a request.
"""

import json
import re
import sys

ADDRESS = re.compile(r"[\w.+-]+@([\w-]+\.[\w.-]*\w)")


def fit(request, entity):
    """Learns the domains of the annotated addresses."""
    domains = set()
    for _ in range(request["examples"]):
        example = json.loads(sys.stdin.readline())
        for found in example["entities"]:
            if found["entity"] == entity:
                domains.update(ADDRESS.findall(found["value"]))
    return {"learnt": sorted(domains)}


def predict(request, entity, domains):
    """Finds every address; it is surer of domains that it knows."""
    found = []
    for match in ADDRESS.finditer(request["text"]):
        found.append(
            {
                "entity": entity,
                "start": match.start(),
                "end": match.end(),
                "value": match.group().lower(),
                "confidence_entity": 1.0 if match.group(1) in domains else 0.5,
                "extractor": "emails.py",
            }
        )
    return {"entities": found}


def main():
    entity, domains = "email", []
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        if request["do"] in ("fit", "load"):
            entity = request["options"]["entity"]
        if request["do"] == "fit":
            answer = fit(request, entity)
        elif request["do"] == "load":
            domains, answer = request["learnt"], {}
        else:
            answer = predict(request, entity, domains)
        print(json.dumps(answer), flush=True)


main()
