"""The figures that Procavia holds itself to (docs: the design's table of bounds), beside their peers in one run.

usage: run.py BUILD [CASE…]

Each line is {"name", "figure", "unit", "peer", "peer_figure", "ratio", "bound", "ok"}, or {"note"}. Times are medians
of rounds in which server and peer take turns. Sizes come from the environment: see Settings in harness.py.
"""
import sys

import case_commits
import case_files
import case_idle
import case_large
import case_pipelines
import case_scale

CASES = {
    'idle': case_idle.measure,
    'files': case_files.measure,
    'large': case_large.measure,
    'commits': case_commits.measure,
    'pipelines': case_pipelines.measure,
    'scale': case_scale.measure,
}

# Not part of a run of all: too long.
ON_DEMAND = {
    'huge': case_commits.measure_huge,
}


def main(build, *names):
    known = CASES | ON_DEMAND
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f'unknown case {unknown[0]!r}; there are: {", ".join(known)}')
    for name in names or CASES:
        known[name](build)


if __name__ == '__main__':
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
