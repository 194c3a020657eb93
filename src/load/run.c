/* run.c - a load test, commit by commit. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/text.h"
#include "load/load_priv.h"
#include "pfs/write.h"

#define PIECE_BYTES (1 * MiB)

typedef struct Run {
    Pfs *pfs;
    const LoadTest *test;
    const LoadSpec *spec;
    LoadFiles *files; /* one a file source */
    uint64_t random;
    LoadPlace place;
    LoadDigest digest; /* what the branch should hold */
    int64_t finished;  /* commits of this test */
    Buf path;
    uint8_t *piece; /* PIECE_BYTES */
} Run;

static void run_done(Run *run)
{
    for (size_t i = 0; run->files && i < run->spec->n_file_sources; i++)
        buf_done(&run->files[i].folder);
    load_place_done(&run->place);
    buf_done(&run->path);
    free(run->piece);
}

/* --- where it writes -------------------------------------------------------------------------- */

static Status make_repo(Ctx *ctx, Pfs *pfs, PfsV2__Branch **out)
{
    PfsV2__CreateRepoRequest request;
    pfs_v2__create_repo_request__init(&request);
    char *name = text_printf(ctx->arena, "load-test-%05x", (unsigned)(random_u64() & 0xfffff));
    request.repo = pfs_repo_ref(ctx, "default", name, "user");
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pfs, NULL, &tx));
    TRY(pfs_create_repo(ctx, tx, &request));
    *out = pfs_branch_ref(ctx, "default", name, "master");
    return pfs_commit(ctx, STEAL(tx));
}

/* The commit at the branch's head; NULL when there is none. */
static Status find_head(Ctx *ctx, const Run *run, PfsV2__Commit **out)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    PfsCommitRow row;
    int64_t head;
    *out = NULL;
    TRY(pfs_begin_read(ctx, run->pfs, &tx));
    TRY(pfs_branch_head(ctx, tx, run->place.branch, &head));
    if (!head)
        return OK;
    TRY(pfs_commit_row(ctx, tx, head, &row));
    *out = pfs_commit_row_ref(ctx, &row);
    return OK;
}

/* What the branch held when the state was written must be what it holds. */
static Status check_goes_on(Ctx *ctx, const Run *run, const PfsV2__Commit *head)
{
    const Procavia__Load__LoadCommit *newest = run->place.newest;
    LoadDigest left = { .files = newest->files, .bytes = newest->size_bytes };
    memcpy(left.mix.bytes, newest->digest.data, HASH_SIZE);
    if (!head || strcmp(head->id, newest->commit->id) != 0)
        return FAIL(ctx, FAILED_PRECONDITION,
                    "branch '%s' has moved: its head is '%s', the state's newest commit is '%s'",
                    run->place.branch->name, head ? head->id : "", newest->commit->id);
    return load_digest_eq(&left, &run->digest)
               ? OK
               : FAIL(ctx, DATA_LOSS, "commit '%s' does not hold what was written to it",
                      newest->commit->id);
}

static Status read_before(Ctx *ctx, Run *run)
{
    PfsV2__Commit *head;
    PfsView view;
    TRY(find_head(ctx, run, &head));
    if (head) {
        TRY(pfs_view_open(ctx, run->pfs, head, &view));
        TRY(load_digest_of(ctx, &view, &run->digest));
    }
    return run->place.newest ? check_goes_on(ctx, run, head) : OK;
}

static Status find_place(Ctx *ctx, Run *run)
{
    const LoadTest *test = run->test;
    if (*test->state_id)
        TRY(load_state_read(ctx, run->pfs, test->state_id, &run->place));
    else if (test->branch)
        run->place.branch = pfs_branch_fill(ctx, test->branch);
    else
        TRY(make_repo(ctx, run->pfs, &run->place.branch));
    return OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

static Status write_content(Ctx *ctx, Run *run, PfsWriter *writer, int64_t size)
{
    CLEANUP(hasher_freep) Hasher *hasher = hasher_new();
    uint64_t content = load_random(&run->random);
    Str path = buf_str(&run->path);
    TRY(pfs_writer_put(ctx, writer, path, STR(""), bytes(NULL, 0)));
    for (int64_t left = size, piece; left; left -= piece) {
        TRY(ctx_check(ctx));
        piece = MIN(left, (int64_t)PIECE_BYTES);
        load_fill(&content, run->piece, (size_t)piece);
        const Bytes data = bytes(run->piece, (size_t)piece);
        hasher_add(hasher, data);
        TRY(pfs_writer_append(ctx, writer, path, STR(""), data));
    }
    Hash hash = hasher_finish(hasher);
    load_digest_add(&run->digest, path, &hash, size);
    return OK;
}

static LoadFiles *source_of(const Run *run, const Procavia__Load__PutFile *put)
{
    size_t i = 0;
    while (strcmp(run->spec->file_sources[i]->name, put->source) != 0)
        i++;
    return &run->files[i];
}

/* One stream of files. before: what it is written over; NULL: nothing. */
static Status put_files(Ctx *ctx, Run *run, const Procavia__Load__PutFile *put,
                        const PfsV2__Commit *commit, const PfsView *before)
{
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(run->pfs);
    TRY(pfs_writer_target(ctx, writer, commit));
    for (int64_t i = 0; i < MAX(put->count, INT64_C(1)); i++) {
        ArenaMark mark = arena_mark(ctx->arena);
        int64_t size =
            load_next_file(source_of(run, put), &run->random, run->place.files++, &run->path);
        if (before)
            TRY(load_digest_without(ctx, before, buf_str(&run->path), &run->digest));
        TRY_WRAP(ctx, write_content(ctx, run, writer, size), "could not write '" STR_FMT "'",
                 STR_ARG(buf_str(&run->path)));
        arena_rewind(ctx->arena, mark);
    }
    return pfs_writer_commit(ctx, writer);
}

static Status start_commit(Ctx *ctx, Run *run, PfsV2__Commit **out)
{
    PfsV2__StartCommitRequest request;
    pfs_v2__start_commit_request__init(&request);
    request.branch = run->place.branch;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, run->pfs, NULL, &tx));
    TRY(pfs_start_commit(ctx, tx, &request, out));
    return pfs_commit(ctx, STEAL(tx));
}

static Status finish_commit(Ctx *ctx, Run *run, PfsV2__Commit *commit)
{
    PfsV2__FinishCommitRequest request;
    pfs_v2__finish_commit_request__init(&request);
    request.commit = commit;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, run->pfs, NULL, &tx));
    TRY(pfs_finish_commit(ctx, tx, &request, false));
    return pfs_commit(ctx, STEAL(tx));
}

static Status write_commit(Ctx *ctx, Run *run, const PfsV2__Commit *commit, const PfsView *before)
{
    for (size_t m = 0; m < run->spec->n_modifications; m++) {
        const Procavia__Load__Modification *modification = run->spec->modifications[m];
        for (int64_t i = 0; i < MAX(modification->count, INT64_C(1)); i++)
            TRY(put_files(ctx, run, modification->put_file, commit, before));
    }
    return OK;
}

/* --- looking at what was written -------------------------------------------------------------- */

static Status is_good(void *arg, Ctx *ctx, const PfsV2__CommitInfo *info)
{
    (void)arg;
    return *info->error ? FAIL(ctx, ABORTED, "commit '%s' finished with an error: %s",
                               pfs_commit_text(ctx, info->commit), info->error)
                        : OK;
}

static Status await(Ctx *ctx, const Run *run, PfsV2__Commit *commit)
{
    if (run->test->downstream) {
        PfsV2__CommitSet set;
        PfsV2__InspectCommitSetRequest request;
        pfs_v2__commit_set__init(&set);
        pfs_v2__inspect_commit_set_request__init(&request);
        set.id = commit->id;
        request.commit_set = &set;
        request.wait = true;
        return pfs_inspect_set(ctx, run->pfs, &request, is_good, NULL);
    }
    PfsV2__InspectCommitRequest request;
    PfsV2__CommitInfo *info;
    pfs_v2__inspect_commit_request__init(&request);
    request.commit = commit;
    request.wait = PFS_V2__COMMIT_STATE__FINISHED;
    TRY(pfs_inspect_commit(ctx, run->pfs, &request, &info));
    return is_good(NULL, ctx, info);
}

/* Is the nth commit (from 1) one to read back? */
static bool is_to_check(Run *run, int64_t n)
{
    const Procavia__Load__Validator *validator = run->spec->validator;
    const Procavia__Load__Frequency *often = validator ? validator->frequency : NULL;
    if (!often || (!often->count && !often->prob))
        return true;
    return (often->count && n % often->count == 0) ||
           (often->prob && load_between(&run->random, 0, 99) < often->prob);
}

static Status check(Ctx *ctx, const PfsView *view, const LoadDigest *wanted)
{
    LoadDigest found;
    TRY(load_digest_of(ctx, view, &found));
    if (load_digest_eq(&found, wanted))
        return OK;
    return FAIL(
        ctx, DATA_LOSS,
        "commit '%s' does not hold what was written to it: it has %lld files of %lld bytes, "
        "written were %lld of %lld",
        view->commit->id, (long long)found.files, (long long)found.bytes, (long long)wanted->files,
        (long long)wanted->bytes);
}

static Status open_head(Ctx *ctx, const Run *run, PfsView *view, bool *out)
{
    PfsV2__Commit *head;
    TRY(find_head(ctx, run, &head));
    *out = head != NULL;
    return head ? pfs_view_open(ctx, run->pfs, head, view) : OK;
}

static Status one_commit(Ctx *ctx, Run *run, int64_t n)
{
    PfsView before, after;
    PfsV2__Commit *commit;
    bool on_something;
    TRY(open_head(ctx, run, &before, &on_something));
    TRY(start_commit(ctx, run, &commit));
    TRY(write_commit(ctx, run, commit, on_something ? &before : NULL));
    TRY(finish_commit(ctx, run, commit));
    TRY(await(ctx, run, commit));
    TRY(pfs_view_open(ctx, run->pfs, commit, &after));
    if (is_to_check(run, n))
        TRY(check(ctx, &after, &run->digest));
    load_state_add(ctx, &run->place, commit, &run->digest);
    run->finished++;
    return OK;
}

/* --- the whole -------------------------------------------------------------------------------- */

static Status prepare(Ctx *ctx, Run *run, LoadResult *out)
{
    LoadSpec *spec;
    TRY(load_spec_read(ctx, out->spec, &spec));
    run->spec = spec;
    run->files = ARENA_NEW(ctx->arena, LoadFiles, spec->n_file_sources);
    run->piece = malloc(PIECE_BYTES);
    if (!run->files || !run->piece)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < spec->n_file_sources; i++)
        run->files[i].spec = spec->file_sources[i]->random;
    TRY(find_place(ctx, run));
    out->branch = run->place.branch;
    return read_before(ctx, run);
}

static Status run_all(Ctx *ctx, Run *run, LoadResult *out)
{
    TRY(prepare(ctx, run, out));
    /* Files that come after a state are others than those before it. */
    run->random = (uint64_t)out->seed + (uint64_t)run->place.files;
    for (int64_t n = 1; n <= run->spec->count; n++) {
        ArenaMark mark = arena_mark(ctx->arena);
        TRY(one_commit(ctx, run, n));
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

static bool was_given_up(Status s)
{
    return s.code == STATUS_CANCELLED || s.code == STATUS_DEADLINE_EXCEEDED;
}

Status load_run(Ctx *ctx, Pfs *pfs, const LoadTest *test, LoadResult *out)
{
    const int64_t began_ns = clock_mono_ns();
    CLEANUP(run_done) Run run = { .pfs = pfs, .test = test };
    *out = (LoadResult){ .spec = *test->spec ? test->spec : load_spec_preset,
                         .seed = test->seed ? test->seed : (int64_t)(random_u64() >> 1),
                         .error = "",
                         .state_id = "" };
    Status s = run_all(ctx, &run, out);
    if (was_given_up(s))
        return s;
    if (!status_ok(s))
        out->error = status_message(s);
    if (run.finished) {
        Status kept = load_state_write(ctx, pfs, &run.place, &out->state_id);
        if (!status_ok(kept) && status_ok(s))
            out->error = status_message(kept);
    }
    out->duration_ns = clock_mono_ns() - began_ns;
    return OK;
}
