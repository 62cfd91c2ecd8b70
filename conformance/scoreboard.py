#!/usr/bin/env python3
"""Plays the conformance suite to this project's executors and to other runtimes, and keeps their scores.

    conformance/scoreboard.py [--record] [NAME ...]

Without --record, the results must be those in scores.json: a runtime that fails another scenario, or passes one that it
failed, is an error. With --record they are written there, and SCOREBOARD.md and scoreboard.svg from them. By default all
runtimes are played; their packages are installed under target/.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import venv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
HANDLERS = FOLDER / "handlers"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
INSTALLED = TARGET / "conformance"
SCORES = FOLDER / "scores.json"
LEVELS = ("must", "should", "may")
AWSLAMBDARIC = "4.2.2"


def run(*command, **options) -> str:
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def cargo(*arguments, folder=ROOT) -> None:
    environment = {**os.environ, "CARGO_TARGET_DIR": str(TARGET)}
    run("cargo", "build", "-q", *arguments, cwd=folder, env=environment)


def executor(name: str) -> list:
    cargo("-p", "conformance-handlers", "--bin", f"conformance-{name}")
    return [TARGET / "debug" / f"conformance-{name}"]


def lambda_runtime() -> list:
    cargo(folder=HANDLERS / "lambda_runtime")
    return [TARGET / "debug/conformance-lambda-runtime"]


def python() -> list:
    folder = INSTALLED / "python"
    if not (folder / "bin/python3").exists():
        venv.create(folder, with_pip=True)
    run(folder / "bin/python3", "-m", "pip", "install", "-q", f"awslambdaric=={AWSLAMBDARIC}")
    return [folder / "bin/python3", "-m", "awslambdaric", "handler.handler"]


def node(handler: str) -> list:
    folder = INSTALLED / "node"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "index.mjs"):
        (folder / name).write_bytes((HANDLERS / "node" / name).read_bytes())
    if not (folder / "node_modules/aws-lambda-ric/dist/rapid-client.node").exists():
        run("npm", "install", "--no-audit", "--no-fund", cwd=folder)
        # npm does not run the scripts of a package until they are approved. This one compiles its C++ part.
        run("npm", "rebuild", "aws-lambda-ric", cwd=folder)
        if not (folder / "node_modules/aws-lambda-ric/dist/rapid-client.node").exists():
            run("npm", "install-scripts", "approve", "aws-lambda-ric", cwd=folder)
            run("npm", "rebuild", "aws-lambda-ric", cwd=folder)
    return [folder / "node_modules/.bin/aws-lambda-ric", f"index.{handler}"]


def cpp() -> list:
    node("handler")
    source = INSTALLED / "node/node_modules/aws-lambda-ric/deps/aws-lambda-cpp-0.2.8"
    version = INSTALLED / "version.cpp"
    text = (source / "src/version.cpp.in").read_text()
    version.write_text(re.sub("@PROJECT_VERSION_[A-Z]+@", "0", text).replace("@PROJECT_VERSION@", "0.2.8"))
    sources = [HANDLERS / "cpp/handler.cpp", source / "src/runtime.cpp", source / "src/logging.cpp", version]
    command = INSTALLED / "cpp"
    run("g++", "-std=c++11", "-O1", f"-I{source}/include", *sources, "-lcurl", "-lpthread", "-o", command)
    return [command]


@dataclass
class Runtime:
    """A runtime, and how its handler is built and started."""

    title: str
    command: Callable[[], list]
    folder: Path
    without: list = field(default_factory=list)
    only: str = ""


def ours(name: str) -> Runtime:
    return Runtime(f"this project, on {name}", lambda: executor(name), HANDLERS)


RUNTIMES = {
    "tokio": ours("tokio"),
    "smol": ours("smol"),
    "blocking": ours("blocking"),
    "lambda_runtime": Runtime("lambda_runtime 1.5.0 (Rust)", lambda_runtime, HANDLERS, ["init"]),
    "awslambdaric": Runtime(f"awslambdaric {AWSLAMBDARIC} (Python)", python, HANDLERS / "python", ["streaming"]),
    "node": Runtime(
        "aws-lambda-ric 3.3.0 (Node.js)",
        lambda: node("handler"),
        INSTALLED / "node",
        ["streaming", "snapstart", "concurrency"],
    ),
    "node-streaming": Runtime(
        # Its other responses and its errors would be streams, too.
        "aws-lambda-ric 3.3.0 (Node.js), scenarios of streams",
        lambda: node("streaming"),
        INSTALLED / "node",
        ["snapstart", "concurrency"],
        "stream",
    ),
    "cpp": Runtime("aws-lambda-cpp 0.2.8 (C++)", cpp, HANDLERS, ["streaming", "snapstart", "concurrency", "init"]),
    "baseline": Runtime(
        "a bootstrap from the documentation alone",
        lambda: [HANDLERS / "baseline/bootstrap.py"],
        HANDLERS,
        ["streaming", "snapstart", "concurrency"],
    ),
}


def play(name: str) -> dict:
    runtime = RUNTIMES[name]
    command = runtime.command()
    results = INSTALLED / f"{name}.json"
    results.parent.mkdir(parents=True, exist_ok=True)
    results.unlink(missing_ok=True)
    tool = [TARGET / "debug/lambda-conformance", "--json", results]
    if runtime.without:
        tool += ["--without", ",".join(runtime.without)]
    if runtime.only:
        tool += ["--only", runtime.only]
    log = INSTALLED / f"{name}.log"
    with log.open("w") as output:
        subprocess.run([str(part) for part in [*tool, "--", *command]], cwd=runtime.folder, stdout=output)
    if not results.exists():
        sys.exit(f"{name}: the suite was not played:\n{log.read_text()[-2000:]}")
    played = json.loads(results.read_text())
    score = {level: played[level] for level in LEVELS}
    print(f"{runtime.title}: " + ", ".join(f"{level} {passed(score, level)}" for level in LEVELS), flush=True)
    failed = [scenario for scenario in played["scenarios"] if scenario["result"] == "failed"]
    return {
        "title": runtime.title,
        "without": runtime.without,
        **score,
        "failed": {scenario["id"]: describe(scenario) for scenario in failed},
    }


def passed(score: dict, level: str) -> str:
    return f"{score[level]['passed']} of {score[level]['applicable']}"


def describe(scenario: dict) -> dict:
    """A failure without what differs from run to run."""
    reason = re.sub(r"(127\.0\.0\.1|localhost|\[::1\]):\d+", r"\1", scenario["reason"])
    reason = re.sub(r"\d+ connections", "connections", reason)
    reason = re.sub(r"; record: \S+", "", reason)
    return {"level": scenario["level"], "title": scenario["title"], "reason": reason}


def compare(name: str, played: dict, recorded: dict) -> list[str]:
    """The differences to what is recorded."""
    before, now = recorded.get("failed", {}), played["failed"]
    differences = [f"{name} fails {id}, which is not recorded: {now[id]['reason']}" for id in now.keys() - before.keys()]
    differences += [f"{name} passes {id}, which is recorded as failed" for id in before.keys() - now.keys()]
    if not differences and any(played[level] != recorded.get(level) for level in LEVELS):
        differences.append(f"{name} was played other scenarios than recorded")
    return sorted(differences)


def check(name: str, recorded: dict) -> list[str]:
    """Plays the suite and compares. What other runtimes do may depend on the machine's load: a difference counts if it is
    found twice."""
    found = compare(name, play(name), recorded)
    if found and not RUNTIMES[name].title.startswith("this project"):
        print(f"{name}: played again, because of:\n" + "\n".join(found), flush=True)
        before = {line.split(":")[0] for line in found}
        found = [line for line in compare(name, play(name), recorded) if line.split(":")[0] in before]
    return found


def markdown(scores: dict) -> str:
    lines = [
        "# Scoreboard",
        "",
        "Written by `conformance/scoreboard.py --record`. [`handlers`](handlers) contains the function of each runtime, and",
        "[docs/conformance.md](../docs/conformance.md) explains the levels: compare runtimes by *must* first.",
        "",
        "| runtime | *must* | *should* | *may* | not applicable |",
        "|---|---|---|---|---|",
    ]
    for score in scores.values():
        counts = " | ".join(passed(score, level) for level in LEVELS)
        lines.append(f"| {score['title']} | {counts} | {', '.join(score['without']) or 'none'} |")
    for score in scores.values():
        if not score["failed"]:
            continue
        lines += ["", f"## {score['title']}", ""]
        for level in LEVELS:
            failed = {id: it for id, it in score["failed"].items() if it["level"] == level}
            if not failed:
                continue
            lines += [f"<details{' open' if level == 'must' else ''}><summary>{level}: {len(failed)} failed</summary>", ""]
            lines += ["| scenario | expected | found |", "|---|---|---|"]
            lines += [f"| `{id}` | {cell(it['title'])} | {cell(it['reason'])} |" for id, it in failed.items()]
            lines += ["", "</details>", ""]
    return "\n".join(lines).rstrip() + "\n"


def cell(text: str) -> str:
    """Text that Markdown and HTML show as it is."""
    for character, escape in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|"), ("`", "'")):
        text = text.replace(character, escape)
    return text


def chart(scores: dict) -> str:
    """Bars of the share that passed: must and should."""
    left, width, row = 330, 400, 46
    height = 40 + row * len(scores)
    colours = {"must": "#2563eb", "should": "#93c5fd"}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 110} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for at, (level, colour) in enumerate(colours.items()):
        x = left + 90 * at
        parts.append(f'<rect x="{x}" y="10" width="12" height="12" fill="{colour}"/><text x="{x + 18}" y="21">{level}</text>')
    for at, score in enumerate(scores.values()):
        y = 36 + row * at
        title = cell(score["title"])
        parts.append(f'<text x="{left - 10}" y="{y + 22}" text-anchor="end">{title}</text>')
        for bar, (level, colour) in enumerate(colours.items()):
            share = score[level]["passed"] / max(score[level]["applicable"], 1)
            top = y + 4 + 16 * bar
            parts.append(f'<rect x="{left}" y="{top}" width="{width}" height="13" fill="#f1f5f9"/>')
            parts.append(f'<rect x="{left}" y="{top}" width="{share * width:.1f}" height="13" fill="{colour}"/>')
            parts.append(f'<text x="{left + width + 8}" y="{top + 11}">{passed(score, level)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--record", action="store_true", help="write the results instead of comparing them")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RUNTIMES))
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - RUNTIMES.keys():
        parser.error(f"unknown: {', '.join(unknown)}; expected some of {', '.join(RUNTIMES)}")
    cargo("-p", "lambda-conformance")
    recorded = json.loads(SCORES.read_text()) if SCORES.exists() else {}
    names = arguments.names or list(RUNTIMES)
    if arguments.record:
        played = {name: play(name) for name in names}
        scores = {name: score for name in RUNTIMES if (score := played.get(name) or recorded.get(name))}
        SCORES.write_text(json.dumps(scores, indent=1, ensure_ascii=False) + "\n")
        (FOLDER / "SCOREBOARD.md").write_text(markdown(scores))
        (FOLDER / "scoreboard.svg").write_text(chart(scores))
        return
    differences = [line for name in names for line in check(name, recorded.get(name, {}))]
    if differences:
        sys.exit("\n".join(differences) + "\nExplain the change, and record it: conformance/scoreboard.py --record NAME")


if __name__ == "__main__":
    main()
