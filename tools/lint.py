#!/usr/bin/env python3
"""Checks what the compilers do not: floors, sizes, contracts, banned words, the shape of the tree.

    tools/lint.py [--list]

Every rule is a function that yields (file, line, text). Exit status 1 when any rule speaks.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 800
COLUMNS_MAX = 120
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def tracked(*patterns):
    out = subprocess.run(['git', 'ls-files', *patterns], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [f for f in out.split('\n') if f and os.path.isfile(os.path.join(ROOT, f))]


def lines(path):
    with open(os.path.join(ROOT, path), errors='replace') as f:
        return f.read().split('\n')


def floors():
    """module -> height; lowest is 0."""
    height = {}
    level = 0
    for line in lines('src/FLOORS'):
        names = line.split('#')[0].split()
        for name in names:
            height[name] = level
        level += bool(names)
    return height


def rule_floors():
    """A module includes only lower floors and itself, and nobody else's _priv.h."""
    height = floors()
    for path in tracked('src/*.c', 'src/*.h'):
        module = path.split('/')[1]
        if module not in height:
            yield path, 1, f"folder '{module}' is not in src/FLOORS"
            continue
        for number, line in enumerate(lines(path), 1):
            match = INCLUDE.match(line)
            other = match.group(1).split('/')[0] if match and '/' in match.group(1) else None
            if other is None or other == module or other not in height:
                continue
            if not os.path.isfile(os.path.join(ROOT, 'src', match.group(1))):
                continue  # a generated header of proto/ whose folder has a module's name
            if height[other] >= height[module]:
                yield path, number, f"'{module}' may not include '{other}': it is not on a lower floor"
            if match.group(1).endswith('_priv.h'):
                yield path, number, f"'{match.group(1)}' is private to its module"


def rule_banners():
    """The line that heads a part of a file is one line: too long, it would be broken in two."""
    for path in tracked('src/*.[ch]', 'tests/*.[ch]', 'bench/*.[ch]'):
        text = lines(path)
        for number, (line, after) in enumerate(zip(text, text[1:]), 1):
            if line.startswith('/* ---') and re.match(r' \*( -*( \*)?)?/?$', after):
                yield path, number, 'the banner goes on in the next line'


def rule_sizes():
    """Functions stay under FUNCTION_LINES_MAX lines and files under FILE_LINES_MAX."""
    sources = tracked('src/*.c', 'src/*.h', 'bench/*.c')
    for path in sources:
        count = len(lines(path))
        if count > FILE_LINES_MAX:
            yield path, 1, f'file has {count} lines, more than {FILE_LINES_MAX}: split it by idea'
    out = subprocess.run(['ctags', '-L', '-', '-o', '-', '--language-force=C', '--kinds-C=f', '--fields=+ne', '--sort=no'],
                         cwd=ROOT, input='\n'.join(sources), capture_output=True, text=True, check=True).stdout
    for row in out.split('\n'):
        start, end = re.search(r'\tline:(\d+)', row), re.search(r'\tend:(\d+)', row)
        if start and end:
            name, path = row.split('\t')[:2]
            size = int(end.group(1)) - int(start.group(1)) + 1
            if size > FUNCTION_LINES_MAX:
                yield path, int(start.group(1)), f"function '{name}' has {size} lines, more than {FUNCTION_LINES_MAX}"


def rule_headers():
    """A header says what it is for, and guards itself."""
    for path in tracked('src/*.h'):
        text = '\n'.join(lines(path))
        if not text.startswith('/*'):
            yield path, 1, 'a header starts with a comment that says what it is for'
        if '#pragma once' not in text:
            yield path, 1, 'a header has #pragma once'


def rule_words():
    """Nothing is left for later, and no machine's paths are in the tree."""
    banned = re.compile(r'\b(TODO|FIXME|XXX|HACK)\b|not implemented yet')
    for path in tracked('src/*', 'tests/*', 'bench/*', 'examples/*', 'docs/*', '*.md'):
        for number, line in enumerate(lines(path), 1):
            match = banned.search(line)
            if match:
                yield path, number, f"'{match.group(0)}': finish it, or file an issue"


def rule_columns():
    """Lines fit the screen."""
    for path in tracked('src/*.c', 'src/*.h'):
        for number, line in enumerate(lines(path), 1):
            if len(line.expandtabs(8)) > COLUMNS_MAX:
                yield path, number, f'line has {len(line)} columns, more than {COLUMNS_MAX}'


def rule_docs():
    """Every module folder is known to docs/ARCHITECTURE.md; every dependency to docs/dependencies.md."""
    text = '\n'.join(lines('docs/ARCHITECTURE.md'))
    for module in sorted({p.split('/')[1] for p in tracked('src/*') if p.count('/') > 1}):
        if f'`{module}`' not in text:
            yield 'docs/ARCHITECTURE.md', 1, f"module '{module}' is not described"
    reasons = '\n'.join(lines('docs/dependencies.md'))
    for path in tracked('meson.build', '*/meson.build'):
        for number, line in enumerate(lines(path), 1):
            for name in re.findall(r"dependency\('([^']+)'", line):
                if name != 'threads' and name not in reasons:
                    yield path, number, f"dependency '{name}' has no reason in docs/dependencies.md"


RULES = [rule_floors, rule_banners, rule_sizes, rule_headers, rule_words, rule_columns, rule_docs]


def main():
    if '--list' in sys.argv:
        for rule in RULES:
            print(f'{rule.__name__[5:]}: {rule.__doc__}')
        return 0
    failed = 0
    for rule in RULES:
        for path, number, text in rule():
            print(f'{path}:{number}: {text} [{rule.__name__[5:]}]')
            failed += 1
    print(f'lint: {failed} findings' if failed else 'lint: clean')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
