#!/usr/bin/env python3
"""Checks that every public header compiles alone, with both compilers' warnings as errors."""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FLAGS = ['-std=gnu17', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-fsyntax-only', '-Isrc', '-Ibuild/proto']


def main():
    headers = subprocess.run(['git', 'ls-files', 'src/*.h'], cwd=ROOT, capture_output=True, text=True,
                             check=True).stdout.split()
    failed = 0
    for header in headers:
        with tempfile.NamedTemporaryFile('w', suffix='.c') as source:
            source.write(f'#include "{header[4:]}"\nint header_alone;\n')
            source.flush()
            for compiler in ('gcc', 'clang'):
                run = subprocess.run([compiler, *FLAGS, source.name], cwd=ROOT, capture_output=True, text=True)
                if run.returncode:
                    print(f'{header}: does not compile alone with {compiler}\n{run.stderr}')
                    failed += 1
    print(f'headers: {failed} of {len(headers)} do not stand alone' if failed else f'headers: all {len(headers)} stand alone')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
