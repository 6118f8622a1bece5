#!/usr/bin/env python3
"""Makes the table and the picture of what Scripts/bench has measured.

usage: Scripts/bench_report.py [--docs]

Reads .build-bench/results.jsonl and writes table.md and latency.svg beside it; with --docs also docs/latency.svg, and the
table into docs/performance.md, between the two lines that say so.
"""

import json
import math
import os
import re
import statistics
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUTPUT = os.path.join(ROOT, ".build-bench")
BEGIN = "<!-- bench: begin. Scripts/bench_report.py --docs writes what stands here. -->"
END = "<!-- bench: end -->"


class Limit:
    """What a figure is to be: at least, at most or below a value. The median counts, or the worst turn."""

    def __init__(self, relation, value, unit="", of="", judged=statistics.median):
        self.relation, self.value, self.unit, self.of, self.judged = relation, value, unit, of, judged

    def text(self):
        """For the table."""
        return " ".join(filter(None, (self.of, self.relation, number(self.value), self.unit)))

    def holds(self, value):
        """Whether a value is as it is to be."""
        return {"≥": value >= self.value, "≤": value <= self.value, "<": value < self.value}[self.relation]


# The rows of the table in their order: what is measured, and what it is to be.
ROWS = {
    "loop": ("throughput direct, one stream, 16 KiB objects: epoll / picoquic's loop", [Limit("≥", 2.0)]),
    "picoquicdemo": ("the same / `picoquicdemo -a perf`, both with CUBIC", [Limit("≥", 2.5)]),
    "bare": ("MoQ objects / the same bytes on a bare stream", [Limit("≥", 0.9)]),
    "cpu": (
        "CPU seconds per GB: epoll / picoquic's loop",
        [Limit("≤", 0.5, of="sender"), Limit("≤", 0.5, of="receiver")],
    ),
    "mixed": (
        "epoll's sender → a receiver on picoquic's loop / that loop on both sides",
        [Limit("≥", 1.0, of="goodput"), Limit("≤", 0.95, of="sender's CPU")],
    ),
    "spread": (
        "object latency at low load, 30 objects/s to each of 200 subscribers, one after the other, p50: epoll with `--busy-poll` / picoquic's loop",
        [Limit("≤", 1.5, of="publisher"), Limit("≤", 1.5, of="relay")],
    ),
    "relay": ("publisher → relay → subscriber, 16 KiB objects: our relay / aiomoqt's", [Limit("≥", 6)]),
    "fanout-loop": (
        "fan-out 1 → 200, 30 objects/s of 5 KB: relay CPU per GB, epoll / picoquic's loop, both with CUBIC",
        [Limit("≤", 0.8)],
    ),
    "fanout-cc": (
        "the same, the best congestion control found / picoquic's default, newreno, both with epoll", [Limit("≤", 0.75)],
    ),
    "fanout-aiomoqt": (
        "fan-out 1 → 50, 30 objects/s of 5 KB: relay CPU per GB, our relay / aiomoqt's", [Limit("≤", 0.33)],
    ),
    "fanout-1000": (
        "fan-out 1 → 1,000 at 0.5 Mbit/s each", [Limit("≥", 100, "%", "delivered", judged=min), Limit("<", 50, "ms", "p99")],
    ),
    "wake": ("call from another thread onto an idle loop", [Limit("<", 25, "µs", "p50"), Limit("<", 300, "µs", "p99")]),
    "latency": (
        "object latency through the relay at 1,000 objects/s of 1 KB",
        [Limit("<", 300, "µs", "p50"), Limit("<", 2_000, "µs", "p99")],
    ),
    "slow": ("10 % of 200 subscribers stop reading: p99 of the others, with / without", [Limit("≤", 1.2)]),
    "idle": ("idle session with one subscription: memory of the relay beyond picoquic's own", [Limit("<", 40, "KB")]),
    "churn": ("new sessions per second (full handshake, SETUP, close)", [Limit("≥", 500)]),
}


# --- Numbers


def median(values):
    """The middle of them."""
    return statistics.median(values)


def number(value):
    """About three digits: `1,234`, `12.3`, `1.23`."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def span(values):
    """`12.3 (11.0 to 14.1)`: the median, and the smallest and largest of several."""
    values = list(values)
    middle = number(median(values))
    return middle if len(values) < 2 else f"{middle} ({number(min(values))} to {number(max(values))})"


# --- Results


def load(path):
    """The lines of a file of results; none when there is no file."""
    try:
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.strip()]
    except FileNotFoundError:
        return []


def row(identifier, figures, detail):
    """A row as it stands in the results. `figures` has the values of all turns for each limit."""
    title, limits = ROWS[identifier]
    measured = []
    for limit, values in zip(limits, figures, strict=True):
        value = limit.judged(values)
        measured.append({"value": value, "low": min(values), "high": max(values), "turns": len(values), "met": limit.holds(value)})
    return {"id": identifier, "title": title, "figures": measured, "detail": detail}


def cells(entry):
    """Target, measured, spread and verdict of a row, for people."""
    limits = ROWS[entry["id"]][1]
    target = "; ".join(limit.text() for limit in limits)
    if "not_run" in entry:
        return target, "**not measured**", "", entry["not_run"].splitlines()[0][:200]
    parts = list(zip(limits, entry["figures"]))

    def words(limit, text):
        return " ".join(filter(None, (limit.of, text, limit.unit)))

    measured = "; ".join(words(limit, number(figure["value"])) for limit, figure in parts)
    spread = "; ".join(f"{number(figure['low'])} to {number(figure['high'])}" for _, figure in parts)
    if all(figure["met"] for _, figure in parts):
        return target, measured, spread, "met"
    missed = [limit.of for limit, figure in parts if not figure["met"]]
    return target, measured, spread, "**missed**" + (f" ({', '.join(missed)})" if len(parts) > 1 else "")


def in_words(entry):
    """A row in one line."""
    target, measured, spread, verdict = cells(entry)
    return f"{measured} ({spread}), wanted {target}: {verdict}"


# --- The table


def described(machine):
    """The machine in a sentence."""
    processor = machine["processor"] + (", a virtual machine" if machine["virtual"] else "")
    text = (
        f"{machine['cores']} cores of {processor}, {number(machine['memory_gib'])} GiB, {machine['kernel']}; "
        f"{machine['swift']}; release build of {machine['commit']}, {machine['date']}, load average before "
        f"{machine['load_before']:.2f}."
    )
    if machine["relay_options"]:
        text += f" Our relays ran with `{machine['relay_options']}`."
    if machine["quick"]:
        text += " **Measured with --quick: these figures say nothing.**"
    return text


def table(results):
    """All rows in Markdown."""
    machine = next((line["machine"] for line in results if "machine" in line), None)
    entries = {line["row"]["id"]: line for line in results if "row" in line}
    lines = []
    if machine:
        lines += [described(machine), ""]
    lines += ["| What | Target | Measured | Spread | |", "|---|---|---|---|---|"]
    notes = []
    for identifier, (title, limits) in ROWS.items():
        line = entries.get(identifier)
        if line is None:
            lines.append(f"| {title} | {'; '.join(limit.text() for limit in limits)} | not measured | | |")
            continue
        target, measured, spread, verdict = (cell.replace("|", "\\|") for cell in cells(line["row"]))
        lines.append(f"| {title} | {target} | {measured} | {spread} | {verdict} |")
        detail = line["row"].get("detail", "")
        detail = "; ".join(filter(None, (detail, elsewhere(line, machine))))
        if detail:
            notes.append(f"- {title}: {detail}.")
    if notes:
        lines += ["", "What is behind the ratios (medians, and the smallest and largest of all turns):", "", *notes]
    points = [line["point"] for line in results if "point" in line]
    if points:
        others = sorted({elsewhere(line, machine) for line in results if "point" in line} - {""})
        lines += [
            *(["", f"Of the points some were {'; '.join(others)}."] if others else []),
            "", "![Latency of objects against load, for both packet loops](latency.svg)", "",
            "| objects/s of 1 KB through the relay | " + " | ".join(f"{name} p50/p99 µs" for name in LOOPS) + " |",
            "|---|" + "---|" * len(LOOPS),
        ]
        for offered in sorted({point["load"] for point in points}):
            columns = []
            for name in LOOPS:
                point = next((point for point in points if point["load"] == offered and point["loop"] == name), None)
                columns.append("" if point is None else f"{number(point['p50'])} / {number(point['p99'])}{shortfall(point)}")
            lines.append(f"| {offered:,} | " + " | ".join(columns) + " |")
    return "\n".join(lines) + "\n"


def elsewhere(line, machine):
    """What a row or point that was kept was measured on and with; nothing when that is what the machine's line says."""
    if machine is None:
        return ""
    parts = []
    if line["commit"] != machine["commit"]:
        parts.append(f"on {line['commit']}")
    if line.get("relay_options", "") != machine["relay_options"]:
        parts.append(f"with RELAY_OPTIONS `{line['relay_options']}`" if line.get("relay_options") else "without RELAY_OPTIONS")
    return f"measured {' '.join(parts)}" if parts else ""


def shortfall(point):
    """What is added when not all that was offered arrived in time."""
    return f" ({number(point['delivered'])}/s arrived)" if point["delivered"] < 0.97 * point["load"] else ""


# --- The picture. Lines and text are of a middle tone, and the ground is left open, so that it can be read on white and on
# black.

LOOPS = {"epoll": "#2f81f7", "picoquic": "#e0702b"}
INK = "#808890"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 430, 70, 130, 40, 55


def ticks(low, high):
    """The powers of ten between two values, and the ends of the axis that they make."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0**exponent for exponent in range(first, max(last, first + 1) + 1)]


def tick_text(value, unit):
    """`10 ms`, `1k`."""
    if unit == "µs":
        return f"{value:g} µs" if value < 1_000 else f"{value / 1_000:g} ms" if value < 1e6 else f"{value / 1e6:g} s"
    return f"{value:g}" if value < 1_000 else f"{value / 1_000:g}k"


def svg(points):
    """The latency over the offered load, both axes logarithmic."""
    across = ticks(min(point["load"] for point in points), max(point["load"] for point in points))
    up = ticks(min(point["p50"] for point in points), max(point["p99"] for point in points))

    def x(value):
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log10(value / across[0]) / math.log10(across[-1] / across[0])

    def y(value):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * math.log10(max(value, up[0]) / up[0]) / math.log10(up[-1] / up[0])

    def text(left, top, content, anchor="middle", colour=INK, more=""):
        return f'<text x="{left:.1f}" y="{top:.1f}" text-anchor="{anchor}" fill="{colour}"{more}>{content}</text>'

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="Latency of objects against load">',
        text(LEFT, 22, "Objects of 1 KB from publisher to subscriber through the relay", "start", more=' font-size="14"'),
    ]
    for value in across:
        out.append(f'<path d="M{x(value):.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="{INK}" stroke-opacity="0.3"/>')
        out.append(text(x(value), HEIGHT - BOTTOM + 18, tick_text(value, "")))
    for value in up:
        out.append(f'<path d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}" stroke="{INK}" stroke-opacity="0.3"/>')
        out.append(text(LEFT - 8, y(value) + 4, tick_text(value, "µs"), "end"))
    out.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "objects offered per second"))
    labels = []
    for loop, colour in LOOPS.items():
        line = sorted((point for point in points if point["loop"] == loop), key=lambda point: point["load"])
        if not line:
            continue
        for share, dashes in (("p50", ""), ("p99", ' stroke-dasharray="6 4"')):
            path = "M" + "L".join(f"{x(point['load']):.1f} {y(point[share]):.1f}" for point in line)
            out.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
            out += [f'<circle cx="{x(point["load"]):.1f}" cy="{y(point[share]):.1f}" r="3" fill="{colour}"/>' for point in line]
            labels.append((y(line[-1][share]), x(line[-1]["load"]), f"{loop} {share}", colour))
    below = TOP - 10.0
    for top, left, label, colour in sorted(labels):
        # Names of lines that end beside each other stand one below the other.
        below = max(top, below + 15)
        out.append(text(left + 9, below + 4, label, "start", colour))
    return "\n".join([*out, "</svg>"]) + "\n"


# --- Files


def write(path, content):
    """Writes a file as a whole."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(content)
    os.replace(path + ".new", path)


def save(path, results):
    """Writes the lines of results."""
    write(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in results))


def render(results, into_docs):
    """Writes the table and the picture; returns the table."""
    content = table(results)
    points = [line["point"] for line in results if "point" in line]
    pictures = [os.path.join(OUTPUT, "latency.svg")]
    write(os.path.join(OUTPUT, "table.md"), content)
    if into_docs:
        if any(line["machine"]["quick"] for line in results if "machine" in line):
            sys.exit("bench_report: figures of --quick do not go into the documents")
        page = os.path.join(ROOT, "docs", "performance.md")
        with open(page, encoding="utf-8") as file:
            text = file.read()
        place = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
        if len(place.findall(text)) != 1:
            sys.exit("bench_report: docs/performance.md has not exactly one place for the table")
        write(page, place.sub(lambda _: f"{BEGIN}\n\n{content}\n{END}", text))
        pictures.append(os.path.join(ROOT, "docs", "latency.svg"))
    if points:
        for path in pictures:
            write(path, svg(points))
    return content


def main():
    """Renders what is there."""
    arguments = sys.argv[1:]
    if arguments not in ([], ["--docs"]):
        print(__doc__)
        return 0 if arguments in (["-h"], ["--help"]) else 64
    results = load(os.path.join(OUTPUT, "results.jsonl"))
    if not results:
        print("bench_report: nothing has been measured: run Scripts/bench", file=sys.stderr)
        return 1
    print(render(results, into_docs=bool(arguments)), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
