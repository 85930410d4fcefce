#!/usr/bin/env bash
# With pytest 9.2 no test that schemathesis makes from a fixture is ever run: it ends before it asks anything.
#
# Seen with schemathesis 4.32.5 and pytest 9.2.0 (and flask 3.1.2), which its requirements allow. The documented way of testing an
# application from a fixture (`schemathesis.pytest.from_fixture` and `@schema.parametrize()`) fails inside its
# plugin, and every traceback is hidden, so that it looks like a fault of the test.
#
# Expected: one test that passes, an answer being as it is described.
# Output seen:
#     AttributeError: 'Function' object has no attribute '_nodeid'
#     1 failed
# What to do: make the test by hand, with `@given(case=description[path][method].as_strategy())`.
#
# Ends with 0 while this is so, and with 1 as soon as it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check schemathesis==4.32.5 pytest==9.2.0 flask==3.1.2
cat > test_finding.py <<'PYTHON'
import pytest
import schemathesis
from flask import Flask

app = Flask(__name__)
DESCRIPTION = {
    "openapi": "3.1.0",
    "info": {"title": "One route", "version": "1"},
    "paths": {"/hello": {"get": {"responses": {"200": {"description": "It is there."}}}}},
}


@app.get("/openapi.json")
def describe():
    return DESCRIPTION


@app.get("/hello")
def hello():
    return "hello"


@pytest.fixture
def description():
    return schemathesis.openapi.from_wsgi("/openapi.json", app)


schema = schemathesis.pytest.from_fixture("description")


@schema.parametrize()
def test_every_answer_is_as_described(case):
    case.call_and_validate()
PYTHON
env/bin/python -m pytest -q -p no:cacheprovider test_finding.py > said.txt 2>&1 && status=0 || status=$?
grep -E "AttributeError|passed|failed" said.txt | tail -2
grep -q "has no attribute '_nodeid'" said.txt && [ "$status" = 1 ]
