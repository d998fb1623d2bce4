#!/usr/bin/env python3
"""Writes the dashboards: `config/grafana/generate.py`; with `--check`, says what differs.

Only needed to change them; Grafana reads the JSON files. Python's standard library is enough.
"""

import json
import sys
from pathlib import Path

# Nothing but dashboards is to be left in this folder.
sys.dont_write_bytecode = True

from source import failed_polls, pipeline, site  # noqa: E402

HERE = Path(__file__).resolve().parent
DASHBOARDS = HERE / "dashboards"
ROOMS = {"site": site, "failed-polls": failed_polls, "pipeline": pipeline}


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    differ = []
    for language in ("influxql", "flux"):
        for name, room in ROOMS.items():
            path = DASHBOARDS / language / f"{name}.json"
            text = json.dumps(room.dashboard(language), indent=2, ensure_ascii=False) + "\n"
            if path.exists() and path.read_text(encoding="utf-8") == text:
                continue
            differ.append(str(path.relative_to(HERE)))
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    if differ and check:
        sys.exit(f"differ from their source, run generate.py: {', '.join(differ)}")
    print("\n".join(differ) or "nothing differs")


if __name__ == "__main__":
    main()
