#!/usr/bin/env python3
"""Asks the oracle: ask.py PORT [FILE]. Without a file, what its model is."""

import sys
import urllib.request

port, file = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
measures = open(file, "rb").read() if file else None
try:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", measures, timeout=10) as answer:
        print(answer.read().decode(), end="")
except OSError as error:
    sys.exit(f"ask: {error}")
