/* lines.h - cuts what a process prints into lines of text. */
#pragma once

#include "base/ctx.h"

/* Called with one line, without its newline: valid UTF-8 without NUL, what was not became
 * U+FFFD. */
typedef void LineFn(void *self, Str line);

typedef struct LineCutter {
    Buf pending;    /* of the line that has no end yet */
    size_t scanned; /* bytes of pending known to hold no newline */
    size_t line_bytes_max;
    Buf text; /* scratch for lines that need mending */
} LineCutter;

void lines_init(LineCutter *cutter, size_t line_bytes_max);
void lines_done(LineCutter *cutter);

/* Hands on each line that `bytes` completes; a line longer than the limit comes in pieces. */
void lines_add(LineCutter *cutter, Bytes bytes, LineFn *fn, void *self);

/* At the end: what came after the last newline, if anything. */
void lines_end(LineCutter *cutter, LineFn *fn, void *self);
