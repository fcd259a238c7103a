import re

import jsonschema_rs


def test_every_operation_tells_its_scope_and_its_problems(served):
    document = served.get("/v1/openapi.json").json()
    open_paths = {"/v1/health", "/v1/ready"}
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["summary"]
            assert ("security" in operation) == (path not in open_paths), path
            for status, answer in operation["responses"].items():
                if status.startswith(("4", "5")):
                    assert list(answer["content"]) == ["application/problem+json"], (path, status)
            assert not any(key.startswith("x-") for key in operation)
            if path not in open_paths:
                assert re.search(r"Scope: `(query|ingest|admin)`", operation["description"])


def test_all_that_is_pointed_to_is_there(served):
    document = served.get("/v1/openapi.json").json()
    assert set(re.findall(r'#/components/schemas/([^"\']+)', str(document))) <= set(document["components"]["schemas"])
    assert document["openapi"].startswith("3.1")


def test_there_are_examples_that_fit(served):
    document = served.get("/v1/openapi.json").json()
    frames = document["components"]["schemas"]["FramesIn"]
    schema = {**frames, "components": document["components"]}
    for example in frames["examples"]:
        jsonschema_rs.validator_for(schema).validate(example)
