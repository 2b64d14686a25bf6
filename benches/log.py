"""scripts/bench-log.sh: the same questions to caponier, jq and DuckDB, in turn, over the same files."""

import os
import re
import statistics
import subprocess
import sys
import time

import duckdb

caponier, log, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
files = os.path.join(log, "*", "*.jsonl")
sessions = sorted(name[:26] for day in os.listdir(log) if day[0] == "2" for name in os.listdir(os.path.join(log, day)))
middle = sessions[len(sessions) // 2]
COLUMNS = "{'verdict': 'VARCHAR', 'event': 'VARCHAR', 'path': 'VARCHAR', 'asked': 'VARCHAR'}"


def program(words, count):
    """Seconds, peak MiB, and what it counted."""
    begin = time.perf_counter()
    done = subprocess.run(["/usr/bin/time", "-f", "peak %M", *words], capture_output=True, text=True, check=True)
    took = time.perf_counter() - begin
    peak = int(re.search(r"peak (\d+)", done.stderr).group(1)) / 1024
    return took, peak, count(done.stdout)


def ours(*words):
    return program([caponier, "audit", *words, "--audit-dir", log], lambda out: max(out.count('{"v":1,"seq":'), 0))


def jq(test):
    shell = f"cat {files} | jq -c '{test}'"
    return program(["sh", "-c", shell], lambda out: out.count("\n"))


def duck(test):
    # Every field of a line that matches comes back, as with the others: the line itself is read as text beside it.
    code = (
        "import duckdb,sys\n"
        f"rows = duckdb.sql(\"\"\"SELECT json FROM read_json_objects('{files}', format='newline_delimited') WHERE {test}\"\"\").fetchall()\n"
        "sys.stdout.write(''.join(row[0] + '\\n' for row in rows))"
    )
    return program([sys.executable, "-c", code], lambda out: out.count("\n"))


def duck_columns(test):
    code = (
        "import duckdb\n"
        f"print(duckdb.sql(\"\"\"SELECT count(*) FROM read_json('{files}', format='newline_delimited', columns={COLUMNS}) WHERE {test}\"\"\").fetchall()[0][0])"
    )
    return program([sys.executable, "-c", code], lambda out: int(out))


DENIED = "verdict = 'deny' OR event IN ('syscall.denied', 'message.denied')"
KEY = "path LIKE '%/id_rsa'"
QUESTIONS = {
    "query --denied --json": {
        "caponier": lambda: ours("query", "--denied", "--json"),
        "jq -c": lambda: jq('select(.verdict=="deny" or (.event|endswith(".denied")))'),
        "DuckDB read_json": lambda: duck_columns(DENIED),
        "DuckDB read_json_objects": lambda: duck(
            "json->>'verdict' = 'deny' OR json->>'event' IN ('syscall.denied', 'message.denied')"
        ),
    },
    "query --path '**/id_rsa' --json": {
        "caponier": lambda: ours("query", "--path", "**/id_rsa", "--json"),
        "jq -c": lambda: jq('select((.path // "") | endswith("/id_rsa"))'),
        "DuckDB read_json": lambda: duck_columns(KEY),
        "DuckDB read_json_objects": lambda: duck("json->>'path' LIKE '%/id_rsa'"),
    },
    f"timeline of one of {len(sessions)} sessions": {
        "caponier": lambda: ours("timeline", "--session", middle, "--json"),
        "caponier, by the beginning of its name": lambda: ours("timeline", "--session", middle[:18], "--json"),
    },
}

broken = False
for question, tools in QUESTIONS.items():
    seen = {name: [] for name in tools}
    for name, ask in tools.items():
        ask()
    for _ in range(runs):
        for name, ask in tools.items():
            seen[name].append(ask())
    print(f"\n{question}")
    base = statistics.median(took for took, _, _ in seen["caponier"])
    counts = {name: samples[0][2] for name, samples in seen.items()}
    for name, samples in seen.items():
        took = statistics.median(sample[0] for sample in samples)
        peak = max(sample[1] for sample in samples)
        print(f"  {name:40} {took * 1000:10.1f} ms  {took / base:7.2f}x  peak {peak:7.1f} MiB  {counts[name]} found")
    if len(set(counts.values())) > 1:
        broken = True
        print("  THE ANSWERS DIFFER")

took, peak, _ = program([caponier, "audit", "verify", "--audit-dir", log], len)
print(f"\nverify: {took * 1000:.0f} ms, peak {peak:.1f} MiB, DuckDB {duckdb.__version__}")
sys.exit(1 if broken else 0)
