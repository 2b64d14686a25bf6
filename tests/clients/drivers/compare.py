"""compare.py BEFORE AFTER MODULES FILE…: each file before and after `client wrap`, read by Python's json and tomllib.

Files with comments are left to the other parser: Python's json takes none.
"""

import json
import sys

try:
    import tomllib
except ImportError:  # before Python 3.11 it is pip that has it
    from pip._vendor import tomli as tomllib

before, after, _, *files = sys.argv[1:]


def read(folder, file):
    with open(f"{folder}/{file}", "rb") as opened:
        text = opened.read().decode("utf-8-sig")
    return tomllib.loads(text) if file.endswith(".toml") else json.loads(text)


def bare(value):
    """Takes caponier away from every server that has it, as its user would read the file."""
    global wrapped
    if isinstance(value, list):
        return [bare(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    copy = {key: bare(inner) for key, inner in value.items()}
    words = [copy.get("command"), *copy.get("args", [])] if isinstance(copy.get("args", []), list) else []
    if words[:2] == ["@CAPONIER@", "run"]:
        copy["command"], *copy["args"] = words[words.index("--") + 1 :]
        wrapped += 1
    if copy.get("args") == []:
        del copy["args"]
    return copy


for file in files:
    wrapped = 0
    try:
        was, is_ = bare(read(before, file)), bare(read(after, file))
    except json.JSONDecodeError:
        continue
    assert wrapped, f"{file}: nothing is wrapped"
    assert is_ == was, f"{file}:\n{is_}\n{was}"
    print(f"same: {file}, {wrapped} wrapped")
