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

/* As WorkerIo.expect: the inputs and the list stay the caller's. */
void input_reader_expect(InputReader *reader, const WorkerInput *const *inputs, size_t n);
/* As WorkerIo.fetch; fetch.client must be there, unless input_is_here. Errors: the sink's; the
 * server's, as NOT_FOUND. After one, nothing that was asked for is waited for. */
Status input_read(Ctx *ctx, InputReader *reader, const WorkerInput *input, const char *path,
                  WorkerSink *sink) NODISCARD;
/* A path of the commit that the input is of, in ctx's arena; shares the commit with the input. */
PfsV2__File *input_repo_file(Ctx *ctx, const WorkerInput *input, const char *path);
/* Did what is at the path come with the datum? */
bool input_is_here(const WorkerInput *input, const char *path);
