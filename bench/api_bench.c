/* api_bench.c - a running server's answers, timed from the client's side of the wire.
 *
 * api_bench ADDRESS many FILES
 *     one changed file in a commit of FILES, the difference, a listing, a glob
 * api_bench ADDRESS commits COMMITS YOUNG
 *     many commits of one file: do the last cost more than the first of another server, at YOUNG?
 * api_bench ADDRESS latency REPO COMMITS
 *     from "commit finished" to the start of the user's process, which the pipeline over REPO, of
 *     the name REPO-stamp, writes to /at in nanoseconds
 *
 * Prints one JSON object a figure: {"name":…,"figure":…,"unit":…}. bench/run.py starts the server
 * and knows the bounds. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "codec/pb.h"
#include "pfs/pfs.pb-c.h"
#include "wire/wire.h"

#define FILES_PER_DIR   1000
#define ROUNDS          21 /* of what is timed one by one; odd, so that the median is one of them */
#define COMMITS_AT_ENDS 50 /* how many of the first and the last are compared */

typedef struct Bench {
    Ctx ctx;
    WireClient *client;
    Buf message;
} Bench;

static void must(Status s)
{
    if (status_ok(s))
        return;
    fprintf(stderr, "api_bench: %s\n", status_message(s));
    exit(1);
}

/* --- figures ---------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The value below which a share of 1/100 * percent lies. Sorts. */
static double percentile_ms(int64_t *ns, size_t n, size_t percent)
{
    qsort(ns, n, sizeof(*ns), by_value);
    return (double)ns[MIN(n * percent / 100, n - 1)] / (double)NS_PER_MS;
}

static void report(const char *name, double figure, const char *unit)
{
    printf("{\"name\":\"%s\",\"figure\":%.4g,\"unit\":\"%s\"}\n", name, figure, unit);
    fflush(stdout);
}

/* --- requests --------------------------------------------------------------------------------- */

#define NEW(bench, c_name, Type) PB_NEW(&(bench)->ctx, c_name, Type)

static PfsV2__Repo *repo_of(Bench *bench, const char *name)
{
    PfsV2__Repo *repo = NEW(bench, pfs_v2__repo, PfsV2__Repo);
    repo->project = NEW(bench, pfs_v2__project, PfsV2__Project);
    repo->project->name = arena_strdup(bench->ctx.arena, "default");
    repo->name = arena_strdup(bench->ctx.arena, name);
    repo->type = arena_strdup(bench->ctx.arena, "user");
    return repo;
}

static PfsV2__Commit *head_of(Bench *bench, const char *repo)
{
    PfsV2__Commit *commit = NEW(bench, pfs_v2__commit, PfsV2__Commit);
    commit->branch = NEW(bench, pfs_v2__branch, PfsV2__Branch);
    commit->branch->repo = repo_of(bench, repo);
    commit->branch->name = arena_strdup(bench->ctx.arena, "master");
    commit->repo = commit->branch->repo;
    return commit;
}

static PfsV2__File *file_of(Bench *bench, const char *repo, const char *path)
{
    PfsV2__File *file = NEW(bench, pfs_v2__file, PfsV2__File);
    file->commit = head_of(bench, repo);
    file->path = arena_strdup(bench->ctx.arena, path);
    return file;
}

static Bytes pack(Bench *bench, const void *message)
{
    buf_clear(&bench->message);
    pb_pack(message, &bench->message);
    return buf_bytes(&bench->message);
}

static void call(Bench *bench, const char *path, const void *request, Buf *answer)
{
    must(wire_call_unary(&bench->ctx, bench->client, path, pack(bench, request), answer));
}

/* Reads a stream of answers to its end; the last one is in *last. Returns how many there were. */
static size_t call_stream(Bench *bench, const char *path, const void *request, Buf *last)
{
    CLEANUP(wire_stream_closep) WireStream *stream = NULL;
    CLEANUP(buf_done) Buf answer = { 0 };
    size_t n = 0;
    bool end = false;
    must(wire_stream_open(&bench->ctx, bench->client, path, &stream));
    must(wire_stream_send(&bench->ctx, stream, pack(bench, request)));
    must(wire_stream_close_send(&bench->ctx, stream));
    for (;;) {
        must(wire_stream_recv(&bench->ctx, stream, &answer, &end));
        if (end)
            return n;
        n++;
        buf_clear(last);
        buf_add_bytes(last, buf_bytes(&answer));
    }
}

static void create_repo(Bench *bench, const char *name)
{
    CLEANUP(buf_done) Buf answer = { 0 };
    PfsV2__CreateRepoRequest *request =
        NEW(bench, pfs_v2__create_repo_request, PfsV2__CreateRepoRequest);
    request->repo = repo_of(bench, name);
    call(bench, "/pfs_v2.API/CreateRepo", request, &answer);
}

/* --- putting ---------------------------------------------------------------------------------- */

static void send(Bench *bench, WireStream *stream, const PfsV2__ModifyFileRequest *request)
{
    must(wire_stream_send(&bench->ctx, stream, pack(bench, request)));
}

static WireStream *begin_put(Bench *bench, const char *repo)
{
    WireStream *stream;
    PfsV2__ModifyFileRequest *request =
        NEW(bench, pfs_v2__modify_file_request, PfsV2__ModifyFileRequest);
    request->body_case = PFS_V2__MODIFY_FILE_REQUEST__BODY_SET_COMMIT;
    request->set_commit = head_of(bench, repo);
    must(wire_stream_open(&bench->ctx, bench->client, "/pfs_v2.API/ModifyFile", &stream));
    send(bench, stream, request);
    return stream;
}

static void end_put(Bench *bench, WireStream *stream)
{
    CLEANUP(buf_done) Buf answer = { 0 };
    must(wire_stream_close_send(&bench->ctx, stream));
    for (bool end = false; !end;)
        must(wire_stream_recv(&bench->ctx, stream, &answer, &end));
    wire_stream_close(stream);
}

static char *path_of(Bench *bench, size_t i)
{
    return text_printf(bench->ctx.arena, "/dir%05zu/file-%08zu.txt", i / FILES_PER_DIR, i);
}

/* As clients overwrite: delete, then add. */
static void put(Bench *bench, WireStream *stream, size_t i, const char *text)
{
    PfsV2__ModifyFileRequest *request =
        NEW(bench, pfs_v2__modify_file_request, PfsV2__ModifyFileRequest);
    request->body_case = PFS_V2__MODIFY_FILE_REQUEST__BODY_DELETE_FILE;
    request->delete_file = NEW(bench, pfs_v2__delete_file, PfsV2__DeleteFile);
    request->delete_file->path = path_of(bench, i);
    send(bench, stream, request);
    PfsV2__AddFile *add = NEW(bench, pfs_v2__add_file, PfsV2__AddFile);
    add->path = request->delete_file->path;
    add->source_case = PFS_V2__ADD_FILE__SOURCE_RAW;
    add->raw = NEW(bench, google__protobuf__bytes_value, Google__Protobuf__BytesValue);
    add->raw->value.data = (uint8_t *)arena_strdup(bench->ctx.arena, text);
    add->raw->value.len = strlen(text);
    request->body_case = PFS_V2__MODIFY_FILE_REQUEST__BODY_ADD_FILE;
    request->add_file = add;
    send(bench, stream, request);
}

static void put_many(Bench *bench, const char *repo, size_t n)
{
    WireStream *stream = begin_put(bench, repo);
    for (size_t i = 0; i < n; i++) {
        ArenaMark mark = arena_mark(bench->ctx.arena);
        put(bench, stream, i, text_printf(bench->ctx.arena, "content %zu", i));
        arena_rewind(bench->ctx.arena, mark);
    }
    end_put(bench, stream);
}

static void commit_one(Bench *bench, const char *repo, size_t i, const char *text)
{
    WireStream *stream = begin_put(bench, repo);
    put(bench, stream, i, text);
    end_put(bench, stream);
}

/* --- many files ------------------------------------------------------------------------------- */

static size_t diff(Bench *bench, const char *repo, Buf *last)
{
    PfsV2__DiffFileRequest *request = NEW(bench, pfs_v2__diff_file_request, PfsV2__DiffFileRequest);
    request->new_file = file_of(bench, repo, "/");
    return call_stream(bench, "/pfs_v2.API/DiffFile", request, last);
}

static size_t list(Bench *bench, const char *repo, Buf *last)
{
    PfsV2__ListFileRequest *request = NEW(bench, pfs_v2__list_file_request, PfsV2__ListFileRequest);
    request->file = file_of(bench, repo, "/dir00001");
    return call_stream(bench, "/pfs_v2.API/ListFile", request, last);
}

static size_t glob(Bench *bench, const char *repo, Buf *last)
{
    PfsV2__GlobFileRequest *request = NEW(bench, pfs_v2__glob_file_request, PfsV2__GlobFileRequest);
    request->commit = head_of(bench, repo);
    request->pattern = arena_strdup(bench->ctx.arena, "/dir00001/file-000010*");
    return call_stream(bench, "/pfs_v2.API/GlobFile", request, last);
}

static void time_reads(Bench *bench, const char *name, size_t (*read)(Bench *, const char *, Buf *))
{
    CLEANUP(buf_done) Buf last = { 0 };
    int64_t ns[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        ArenaMark mark = arena_mark(bench->ctx.arena);
        int64_t start_ns = clock_mono_ns();
        size_t n = read(bench, "many", &last);
        ns[i] = clock_mono_ns() - start_ns;
        if (n == 0)
            must(FAIL(&bench->ctx, INTERNAL, "%s: no answer", name));
        arena_rewind(bench->ctx.arena, mark);
    }
    report(name, percentile_ms(ns, ROUNDS, 50), "ms");
}

static void time_changes(Bench *bench, size_t files)
{
    int64_t ns[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        ArenaMark mark = arena_mark(bench->ctx.arena);
        int64_t start_ns = clock_mono_ns();
        commit_one(bench, "many", (files / 2 + i * 7919) % files, "changed");
        ns[i] = clock_mono_ns() - start_ns;
        arena_rewind(bench->ctx.arena, mark);
    }
    report("many_commit_one", percentile_ms(ns, ROUNDS, 50), "ms");
}

static void bench_many(Bench *bench, size_t files)
{
    create_repo(bench, "many");
    int64_t start_ns = clock_mono_ns();
    put_many(bench, "many", files);
    report("many_put", (double)(clock_mono_ns() - start_ns) / (double)NS_PER_SEC, "s");
    time_changes(bench, files);
    time_reads(bench, "many_diff", diff);
    time_reads(bench, "many_list", list);
    time_reads(bench, "many_glob", glob);
}

/* --- many commits ----------------------------------------------------------------------------- */

static int64_t time_commit(Bench *bench, size_t i)
{
    ArenaMark mark = arena_mark(bench->ctx.arena);
    int64_t start_ns = clock_mono_ns();
    commit_one(bench, "commits", i, "x");
    int64_t took_ns = clock_mono_ns() - start_ns;
    arena_rewind(bench->ctx.arena, mark);
    return took_ns;
}

static void begin_commits(Bench *bench)
{
    create_repo(bench, "commits");
    commit_one(bench, "commits", 0, "warm");
}

/* The last commits of one server and the first of the other take turns: what else goes on meanwhile
 * meets both. */
static void bench_commits(Bench *old, size_t n, Bench *young)
{
    int64_t first_ns[COMMITS_AT_ENDS], last_ns[COMMITS_AT_ENDS];
    size_t ends = MIN(n, COMMITS_AT_ENDS), i = 0;
    begin_commits(old);
    begin_commits(young);
    while (i < n - ends)
        time_commit(old, ++i);
    for (size_t k = 0; k < ends; k++) {
        last_ns[k] = time_commit(old, ++i);
        first_ns[k] = time_commit(young, k + 1);
    }
    report("commits_first", percentile_ms(first_ns, ends, 50), "ms");
    report("commits_last", percentile_ms(last_ns, ends, 50), "ms");
}

/* --- from a commit to the user's process ------------------------------------------------------ */

static int64_t finished_ns(Bench *bench, const char *repo)
{
    CLEANUP(buf_done) Buf answer = { 0 };
    PfsV2__CommitInfo *info;
    PfsV2__InspectCommitRequest *request =
        NEW(bench, pfs_v2__inspect_commit_request, PfsV2__InspectCommitRequest);
    request->commit = head_of(bench, repo);
    request->wait = PFS_V2__COMMIT_STATE__FINISHED;
    call(bench, "/pfs_v2.API/InspectCommit", request, &answer);
    must(PB_UNPACK(&bench->ctx, pfs_v2__commit_info, buf_bytes(&answer), &info));
    return info->finished->seconds * NS_PER_SEC + info->finished->nanos;
}

static int64_t stamp_ns(Bench *bench, const char *repo)
{
    CLEANUP(buf_done) Buf answer = { 0 };
    Google__Protobuf__BytesValue *value;
    int64_t at_ns = 0;
    PfsV2__GetFileRequest *request = NEW(bench, pfs_v2__get_file_request, PfsV2__GetFileRequest);
    request->file = file_of(bench, repo, "/at");
    call_stream(bench, "/pfs_v2.API/GetFile", request, &answer);
    must(PB_UNPACK(&bench->ctx, google__protobuf__bytes_value, buf_bytes(&answer), &value));
    Str text = { (const char *)value->value.data, value->value.len };
    if (!str_to_i64(str_sub(text, 0, str_find(text, '\n')), &at_ns))
        must(FAIL(&bench->ctx, INTERNAL, "/at of '%s' holds no time", repo));
    return at_ns;
}

static void bench_latency(Bench *bench, const char *repo, size_t n)
{
    int64_t *ns = ARENA_NEW(bench->ctx.arena, int64_t, n);
    const char *output = text_printf(bench->ctx.arena, "%s-stamp", repo);
    for (size_t i = 0; i <= n; i++) { /* the first starts the workers and does not count */
        ArenaMark mark = arena_mark(bench->ctx.arena);
        commit_one(bench, repo, 0, text_printf(bench->ctx.arena, "%zu", i));
        int64_t start_ns = finished_ns(bench, repo);
        finished_ns(bench, output);
        if (i > 0)
            ns[i - 1] = stamp_ns(bench, output) - start_ns;
        arena_rewind(bench->ctx.arena, mark);
    }
    report("commit_to_process_p50", percentile_ms(ns, n, 50), "ms");
    report("commit_to_process_p99", percentile_ms(ns, n, 99), "ms");
}

static size_t number(const char *text)
{
    return (size_t)strtoull(text, NULL, 10);
}

static void bench_open(Bench *bench, const char *address)
{
    *bench = (Bench){ 0 };
    ctx_init(&bench->ctx);
    must(wire_client_open(&bench->ctx, address, &bench->client));
}

static void bench_done(Bench *bench)
{
    wire_client_close(bench->client);
    buf_done(&bench->message);
    ctx_done(&bench->ctx);
}

static void run_commits(Bench *old, size_t n, const char *young_address)
{
    Bench young;
    bench_open(&young, young_address);
    bench_commits(old, n, &young);
    bench_done(&young);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fputs(
            "usage: api_bench ADDRESS many FILES | commits COMMITS YOUNG | latency REPO COMMITS\n",
            stderr);
        return 2;
    }
    Bench bench;
    bench_open(&bench, argv[1]);
    if (strcmp(argv[2], "many") == 0)
        bench_many(&bench, number(argv[3]));
    else if (strcmp(argv[2], "commits") == 0 && argc > 4)
        run_commits(&bench, number(argv[3]), argv[4]);
    else if (strcmp(argv[2], "latency") == 0 && argc > 4)
        bench_latency(&bench, argv[3], number(argv[4]));
    bench_done(&bench);
    return 0;
}
