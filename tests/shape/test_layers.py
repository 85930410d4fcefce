"""The shape of the tree: which room may know which, what is pure, and where money, SQL and the web are."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for folder in ("desk", "parsers", "brokers")
    for path in (ROOT / folder).rglob("*.py")
} | {"webhook_server": ROOT / "webhook_server.py"}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}
OURS = ("desk", "parsers", "brokers", "webhook_server", "tests", "bench")
ROOMS = (
    *("webhook_server", "desk.api", "desk.engine", "desk.notify", "desk.outbox"),
    *("desk.venue", "desk.state", "desk.alerts"),
    *(
        "desk.decision",
        "desk.compare",
        "desk.process",
        "desk.performance",
        "desk.orders",
        "desk.config",
        "desk.formats",
    ),
    *("brokers", "parsers"),
)
"""The rooms, top down: each knows only rooms that stand behind it here."""
PURE_ROOMS = (
    "desk.decision",
    "desk.compare",
    "desk.performance",
    "desk.orders",
    "parsers",
    "brokers.instruments",
)
READ_AS_STREAM = {"desk.compare.report"}
"""A zipped file is one."""
PURE_MODULES = sorted(
    {name for name in MODULES for room in PURE_ROOMS if name == room or name.startswith(f"{room}.")}
    - READ_AS_STREAM
    | {"brokers.paper", "brokers.protocol", "brokers.simulated"}
    | {"desk.formats", "desk.config.trading_day", "desk.outbox.pace", "desk.notify.wording"}
)
"""What turns values into values."""
IMPURE = {
    *("time", "threading", "queue", "socket", "sqlite3", "requests", "urllib", "http", "logging"),
    *("os", "io", "sys", "pathlib", "random", "secrets", "subprocess", "asyncio", "concurrent"),
}
NO_MONEY = {
    *("desk.engine.loop", "desk.process.lock", "desk.process.logfile", "desk.engine.rates"),
    *(
        "desk.api.alert_api",
        "desk.api.polled",
        "desk.config.problems",
        "desk.engine.meter",
        "desk.config.env_file",
    ),
    *("brokers.tastytrade.session", "brokers.tradovate.session", "webhook_server"),
    "brokers.projectx.session",
}
"""Durations, and how alike two names are."""
CONNECTED = ("store", "reader", "upgrades", "backup", "wholeness")
"""The modules of `desk/state` that hold a connection."""
MOST_LINES, SERVER_LINES = 400, 450
CLOCKS = {"brokers.instruments.symbols": {"canonical"}}
"""`ESZ6` names a year by one digit; without a day as argument the name is read as of today."""


def room_of(name: str) -> str:
    """Return the room of a module."""
    top, *rest = name.split(".")
    return ".".join([top, *rest[:1]]) if top == "desk" and rest else top


def imports_of(name: str) -> set[str]:
    """Return what a module imports, in full: `from brokers import paper` is `brokers.paper`."""
    package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = f"{package}.{node.module or ''}".rstrip(".") if node.level else node.module or ""
            subs = {f"{base}.{alias.name}" for alias in node.names}
            modules = {sub for sub in subs if sub in MODULES}
            found |= modules if len(modules) == len(subs) else {base, *modules}
    return found


def ours(name: str) -> set[str]:
    """Return what a module imports of this project."""
    return {each for each in imports_of(name) if each.partition(".")[0] in OURS}


def members(package: str) -> list[str]:
    """Return the modules of a package."""
    return sorted(name for name in MODULES if name.partition(".")[0] == package)


def test_every_module_is_seen():
    """The tables of this file name modules that exist, and no module lies outside a room."""
    assert len(MODULES) > 100
    assert {*PURE_MODULES, *NO_MONEY} <= set(MODULES)
    assert {room_of(name) for name in MODULES} <= {*ROOMS, "desk"}


@pytest.mark.parametrize("room", ROOMS)
def test_arrows_run_one_way(room):
    """A room knows itself and the rooms behind it, and none that stands before it."""
    below = {*ROOMS[ROOMS.index(room) :], "desk"}
    for name in MODULES:
        if room_of(name) == room:
            known = {room_of(each) for each in ours(name)}
            assert known <= below, f"{name} knows {sorted(known - below)}"


def test_each_room_says_what_it_is_for():
    """In one sentence at its door."""
    doors = [name for name, path in MODULES.items() if path.name == "__init__.py"]
    assert len(doors) > 10
    for door in doors:
        said = ast.get_docstring(TREES[door]) or ""
        assert len(said.split()) >= 6, door


@pytest.mark.parametrize("name", sorted(MODULES))
def test_no_file_is_too_long_to_be_read(name):
    """A file is one idea; above this it is two."""
    lines = len(MODULES[name].read_text(encoding="utf-8").splitlines())
    assert lines <= (SERVER_LINES if name == "webhook_server" else MOST_LINES)


def test_nothing_is_changed_that_is_not_there():
    """`evolve` and `replace` are checked when they run; here every name that is given to them is."""
    known = {
        field.target.id
        for tree in TREES.values()
        for noun in ast.walk(tree)
        if isinstance(noun, ast.ClassDef)
        for field in noun.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }
    known |= {"tzinfo", "fold"}  # a datetime's
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("evolve", "replace"):
                given = {keyword.arg for keyword in node.keywords if keyword.arg}
                assert given <= known, f"{name}, line {node.lineno}: {sorted(given - known)}"


@pytest.mark.parametrize("name", members("parsers"))
def test_parsers_know_only_each_other(name):
    """A parser imports the standard library and its neighbours, nothing of the desk or of a broker."""
    assert {each.partition(".")[0] for each in ours(name)} <= {"parsers"}


@pytest.mark.parametrize("name", members("brokers"))
def test_brokers_know_nothing_of_the_desk(name):
    """A broker imports the protocol and its neighbours, nothing of the desk, of a parser or of the table."""
    assert {each.partition(".")[0] for each in ours(name)} <= {"brokers"}
    assert "brokers" not in ours(name)


@pytest.mark.parametrize("name", members("desk"))
def test_the_desk_knows_an_alert_and_the_protocol(name):
    """Of parsers and brokers the desk imports the nouns alone."""
    others = {each for each in ours(name) if each.partition(".")[0] != "desk"}
    assert others <= {"parsers.alert", "brokers.protocol", "brokers.simulated"}


def test_only_the_server_knows_the_web_and_wires():
    """Flask, the function that parses and the table of brokers are imported in one place."""
    for name in MODULES:
        known = {each.partition(".")[0] for each in imports_of(name)} & {"flask", "werkzeug"}
        wires = ours(name) & {"parsers", "brokers", "webhook_server"}
        if name != "webhook_server":
            assert not known, name
            assert not wires, name
    assert {"flask", "parsers", "brokers"} <= imports_of("webhook_server")


def test_only_the_store_speaks_sql():
    """But for what upgrades a state, copies it and looks whether it is whole; and its schema."""
    connected = {f"desk.state.{each}" for each in CONNECTED}
    with_statements = connected | {"desk.state.loading", "desk.state.schema"}
    for name, tree in TREES.items():
        assert ("sqlite3" in imports_of(name)) is (name in connected)
        texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
        statements = [
            text
            for text in texts
            if isinstance(text, str)
            and text.lstrip().startswith(("SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE "))
        ]
        assert name in with_statements or not statements, name


@pytest.mark.parametrize("name", PURE_MODULES)
def test_pure_modules_have_no_clock_and_no_io(name):
    """No time, no thread, no socket, no file, no log: what they need is an argument."""
    assert not {each.partition(".")[0] for each in imports_of(name)} & IMPURE
    for function in ast.walk(TREES[name]):
        if isinstance(function, ast.FunctionDef) and function.name not in CLOCKS.get(name, ()):
            calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
            called = {getattr(call, "attr", getattr(call, "id", "")) for call in calls}
            assert not called & {"now", "utcnow", "today", "open", "print", "input"}, function.name


def test_chance_names_alerts_and_nothing_else():
    """One place draws lots, for the id of an alert; ids of orders are hashes of what caused them."""
    drawing = [name for name in TREES if "random" in imports_of(name)]
    assert drawing == ["desk.engine.intake"]
    text = MODULES["desk.engine.intake"].read_text()
    assert text.count("random.") == text.count("random.getrandbits(32)") == 1


@pytest.mark.parametrize("name", sorted(set(MODULES) - NO_MONEY))
def test_money_is_never_a_float(name):
    """No float literal and no call of float(), but for names that say seconds."""
    tree = TREES[name]
    allowed = {
        id(value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.arg | ast.FunctionDef | ast.keyword)
        and "seconds" in ast.unparse(node).partition("=")[0].lower()
        for value in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            assert id(node) in allowed, f"line {node.lineno}: {node.value}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "float", f"line {node.lineno}"


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_stand_at_the_top(name):
    """A module's needs are seen at once; only what may be missing on a system is imported later."""
    late = [
        node
        for function in ast.walk(TREES[name])
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert all((node.module or "").startswith(("apprise", "gunicorn", "openpyxl")) for node in late)


def test_no_two_modules_import_each_other():
    """What a module knows never knows it: there is one order to read them in."""
    graph = {name: {each for each in ours(name) if each in MODULES} for name in MODULES}
    order: list[str] = []
    waiting = dict(graph)
    while waiting:
        ready = [name for name, needs in waiting.items() if needs <= set(order)]
        assert ready, f"in a circle: {sorted(waiting)}"
        order += ready
        waiting = {name: needs for name, needs in waiting.items() if name not in ready}
    assert order[-1] == "webhook_server"
