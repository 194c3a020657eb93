/* fake_source.h - what tests of datums read from: two states of some repos' files, as plain lists. */
#pragma once

#include "pps/datum.h"

typedef struct FakeFile {
    const char *repo, *path, *content;
} FakeFile;

#define FAKE_FILES_MAX 256

typedef struct FakeFiles {
    FakeFile items[FAKE_FILES_MAX]; /* by repo, then path */
    size_t n;
} FakeFiles;

typedef struct FakeSource {
    FakeFiles before, now;
    size_t lists, stats; /* calls so far */
    size_t matches;      /* that lists told of */
    InputSource source;
} FakeSource;

void fake_source_init(FakeSource *fake);

/* Sets or (content NULL) removes a file. */
void fake_files_set(FakeFiles *files, const char *repo, const char *path, const char *content);

/* An input from JSON, with defaults of pipeline "default/p" filled in; fails the test when it is malformed. */
PpsV2__Input *input_of(Ctx *ctx, const char *json);

/* "a:/x b:/y" of a datum's inputs. */
char *datum_text(Ctx *ctx, const Datum *datum);

/* A DatumFn that appends datum_text and a newline to a Buf. */
Status add_datum_text(void *buf, Ctx *ctx, const Datum *datum);

/* Lines of text in order of bytes. */
char *sorted_lines(Ctx *ctx, Str text);
