/* worker_inputs.h - where a datum's inputs come from: small ones came with the datum, a directory
 * is listed by WalkFile, and files are fetched, as many ahead as it is known which come next. One
 * thread. */
#pragma once

#include "cmd/worker_fetch.h"

typedef struct InputReader {
    Fetch fetch;
    const WorkerInput *const *coming; /* files to be read one by one, in this order */
    size_t coming_count, asked, taken;
} InputReader;

/* As WorkerIo.expect. */
void input_reader_expect(InputReader *reader, const WorkerInput *const *inputs, size_t n);
/* As WorkerIo.fetch; fetch.client must be there, unless input_is_here. */
Status input_read(Ctx *ctx, InputReader *reader, const WorkerInput *input, const char *path,
                  WorkerSink *sink) NODISCARD;
/* A path of the commit that the input is of; shares the commit with it. */
PfsV2__File *input_file(Ctx *ctx, const WorkerInput *input, const char *path);
/* It came with the datum. */
bool input_is_here(const WorkerInput *input, const char *path);
