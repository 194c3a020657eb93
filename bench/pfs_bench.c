/* pfs_bench.c - files through the versioned file system, without a wire: many small ones, one large
 * one, one changed file under many.
 *
 * usage: pfs_bench [DIR [FILES]]   a JSON object a line; FILES (default 100000) is the size of the
 * large commit */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/text.h"
#include "codec/pb.h"
#include "pfs/view.h"
#include "pfs/write.h"

#define SMALL_FILES   100000
#define SMALL_BYTES   1024
#define LARGE_BYTES   (1 * GiB)
#define MESSAGE_BYTES (2 * MiB)
#define SMALL_COMMITS 1000

typedef struct Bench {
    Ctx ctx;
    char *dir;
    Db *db;
    StoreIndex index;
    Store *store;
    Pfs *pfs;
    int64_t lap_ns;
} Bench;

static void must(Status status, const char *what)
{
    if (status_ok(status))
        return;
    fprintf(stderr, "%s: %s\n", what, status_message(status));
    exit(1);
}
#define MUST(expression) must((expression), #expression)

static void lap(Bench *bench, const char *name, uint64_t n)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    int64_t now_ns = clock_mono_ns();
    double seconds = (double)(now_ns - bench->lap_ns) / (double)NS_PER_SEC;
    printf("{\"name\":\"%s\",\"n\":%llu,\"seconds\":%.6f,\"rss_max_mib\":%ld}\n", name,
           (unsigned long long)n, seconds, usage.ru_maxrss / 1024);
    fflush(stdout);
    bench->lap_ns = clock_mono_ns();
}

/* --- the server ------------------------------------------------------------------------------- */

static void open_all(Bench *bench, const char *parent)
{
    ctx_init(&bench->ctx);
    bench->dir = text_printf(bench->ctx.arena, "%s/pfs-bench-XXXXXX", parent);
    if (!mkdtemp(bench->dir))
        must(FAIL(&bench->ctx, INTERNAL, "could not make '%s'", bench->dir), "mkdtemp");
    const char *url = text_printf(bench->ctx.arena, "sqlite:%s/db", bench->dir);
    MUST(db_open(&bench->ctx, url, pfs_migrations, pfs_migration_count, &bench->db));
    bench->index = db_store_index(bench->db);
    MUST(
        store_open(&bench->ctx, &(StoreConfig){ .dir = bench->dir }, &bench->index, &bench->store));
    MUST(pfs_open(&bench->ctx, bench->db, bench->store, &bench->pfs));
}

static void close_all(Bench *bench)
{
    pfs_close(bench->pfs);
    store_close(bench->store);
    db_close(bench->db);
    MUST(file_remove_tree(&bench->ctx, bench->dir));
    ctx_done(&bench->ctx);
}

static void make_repo(Bench *bench, const char *name)
{
    PfsTx *tx;
    PfsV2__CreateRepoRequest *request =
        PB_NEW(&bench->ctx, pfs_v2__create_repo_request, PfsV2__CreateRepoRequest);
    request->repo = pfs_repo_ref(&bench->ctx, "default", name, "user");
    MUST(pfs_begin_write(&bench->ctx, bench->pfs, NULL, &tx));
    MUST(pfs_create_repo(&bench->ctx, tx, request));
    MUST(pfs_commit(&bench->ctx, tx));
}

static PfsV2__Commit *head_of(Bench *bench, const char *repo)
{
    PfsV2__Commit *commit = pfs_commit_ref(&bench->ctx, "default", repo, "");
    commit->branch = pfs_branch_ref(&bench->ctx, "default", repo, "master");
    return commit;
}

/* --- streams ---------------------------------------------------------------------------------- */

static PfsWriter *start_stream(Bench *bench, const char *repo)
{
    PfsWriter *writer = pfs_writer_new(bench->pfs);
    MUST(pfs_writer_target(&bench->ctx, writer, head_of(bench, repo)));
    return writer;
}

static void end_stream(Bench *bench, PfsWriter *writer)
{
    MUST(pfs_writer_commit(&bench->ctx, writer));
    pfs_writer_free(writer);
}

/* As a client overwrites: delete, then add. */
static void put(Bench *bench, PfsWriter *writer, uint64_t i, Bytes data)
{
    char path[64];
    int size = snprintf(path, sizeof(path), "/dir%05llu/file-%08llu.txt",
                        (unsigned long long)(i / 1000), (unsigned long long)i);
    Str at = { path, (size_t)size };
    MUST(pfs_writer_delete(&bench->ctx, writer, at, STR("")));
    MUST(pfs_writer_append(&bench->ctx, writer, at, STR(""), data));
}

static void put_many(Bench *bench, const char *repo, uint64_t n, size_t bytes_each)
{
    uint8_t data[SMALL_BYTES];
    PfsWriter *writer = start_stream(bench, repo);
    for (uint64_t i = 0; i < n; i++) {
        memset(data, (int)(i & 0xff), sizeof(data));
        store_le64(data, i);
        put(bench, writer, i, bytes(data, bytes_each));
    }
    end_stream(bench, writer);
}

static void put_large(Bench *bench)
{
    uint8_t *data = malloc(MESSAGE_BYTES);
    PfsWriter *writer = start_stream(bench, "large");
    for (size_t at = 0; at < LARGE_BYTES; at += MESSAGE_BYTES) {
        for (size_t i = 0; i < MESSAGE_BYTES; i += sizeof(uint64_t))
            store_le64(data + i, random_u64());
        MUST(pfs_writer_append(&bench->ctx, writer, STR("/large"), STR(""),
                               bytes(data, MESSAGE_BYTES)));
    }
    end_stream(bench, writer);
    free(data);
}

static void commit_one(Bench *bench, const char *repo, uint64_t i, const char *text)
{
    ArenaMark mark = arena_mark(bench->ctx.arena);
    PfsWriter *writer = start_stream(bench, repo);
    put(bench, writer, i, str_bytes(str(text)));
    end_stream(bench, writer);
    arena_rewind(bench->ctx.arena, mark);
}

/* --- reading ---------------------------------------------------------------------------------- */

static Status count_bytes(void *arg, Ctx *ctx, Bytes piece)
{
    (void)ctx;
    *(uint64_t *)arg += piece.size;
    return OK;
}

static Status count_info(void *arg, Ctx *ctx, const PfsV2__FileInfo *info)
{
    (void)ctx;
    (void)info;
    ++*(uint64_t *)arg;
    return OK;
}

static Status count_diff(void *arg, Ctx *ctx, const PfsV2__FileInfo *new_file,
                         const PfsV2__FileInfo *old_file)
{
    (void)old_file;
    return count_info(arg, ctx, new_file);
}

static PfsV2__File *file_at(Bench *bench, const char *repo, const char *path)
{
    PfsV2__File *file = PB_NEW(&bench->ctx, pfs_v2__file, PfsV2__File);
    file->commit = head_of(bench, repo);
    file->path = arena_strdup(bench->ctx.arena, path);
    return file;
}

static uint64_t read_tar(Bench *bench, const char *repo)
{
    uint64_t size = 0;
    PfsV2__GetFileRequest *request =
        PB_NEW(&bench->ctx, pfs_v2__get_file_request, PfsV2__GetFileRequest);
    request->file = file_at(bench, repo, "/");
    MUST(pfs_get_file_tar(&bench->ctx, bench->pfs, request, count_bytes, &size));
    return size;
}

static uint64_t read_file(Bench *bench, const char *repo, const char *path)
{
    uint64_t size = 0;
    PfsV2__GetFileRequest *request =
        PB_NEW(&bench->ctx, pfs_v2__get_file_request, PfsV2__GetFileRequest);
    request->file = file_at(bench, repo, path);
    MUST(pfs_get_file(&bench->ctx, bench->pfs, request, count_bytes, &size));
    return size;
}

static uint64_t list(Bench *bench, const char *repo, const char *path)
{
    uint64_t n = 0;
    PfsV2__ListFileRequest *request =
        PB_NEW(&bench->ctx, pfs_v2__list_file_request, PfsV2__ListFileRequest);
    request->file = file_at(bench, repo, path);
    MUST(pfs_list_file(&bench->ctx, bench->pfs, request, count_info, &n));
    return n;
}

static uint64_t diff(Bench *bench, const char *repo)
{
    uint64_t n = 0;
    PfsV2__DiffFileRequest *request =
        PB_NEW(&bench->ctx, pfs_v2__diff_file_request, PfsV2__DiffFileRequest);
    request->new_file = file_at(bench, repo, "/");
    MUST(pfs_diff_file(&bench->ctx, bench->pfs, request, count_diff, &n));
    return n;
}

/* --- the runs --------------------------------------------------------------------------------- */

static void run_small(Bench *bench)
{
    make_repo(bench, "small");
    bench->lap_ns = clock_mono_ns();
    put_many(bench, "small", SMALL_FILES, SMALL_BYTES);
    lap(bench, "put small files", SMALL_FILES);
    put_many(bench, "small", SMALL_FILES, SMALL_BYTES);
    lap(bench, "put them unchanged", SMALL_FILES);
    lap(bench, "read them as tar, bytes", read_tar(bench, "small"));
    lap(bench, "list a directory", list(bench, "small", "/dir00042"));
}

static void run_large(Bench *bench)
{
    make_repo(bench, "large");
    bench->lap_ns = clock_mono_ns();
    put_large(bench);
    lap(bench, "put a large file, bytes", LARGE_BYTES);
    lap(bench, "read it, bytes", read_file(bench, "large", "/large"));
}

static void run_commits(Bench *bench)
{
    make_repo(bench, "commits");
    bench->lap_ns = clock_mono_ns();
    for (uint64_t i = 0; i < SMALL_COMMITS; i++) {
        commit_one(bench, "commits", i, "x");
        if (i == 99)
            lap(bench, "commit one file, first 100", 100);
        if (i == SMALL_COMMITS - 101)
            lap(bench, "commit one file, those between", SMALL_COMMITS - 200);
    }
    lap(bench, "commit one file, last 100", 100);
}

static void run_many(Bench *bench, uint64_t n)
{
    make_repo(bench, "many");
    bench->lap_ns = clock_mono_ns();
    put_many(bench, "many", n, 16);
    lap(bench, "put many files", n);
    for (uint64_t i = 0; i < 10; i++)
        commit_one(bench, "many", n / 2 + i * 1000, "changed");
    lap(bench, "commit one changed file, 10 times", 10);
    lap(bench, "diff to the parent, entries", diff(bench, "many"));
    lap(bench, "list the root", list(bench, "many", "/"));
    lap(bench, "read one file, bytes", read_file(bench, "many", "/dir00001/file-00001001.txt"));
}

int main(int argc, char **argv)
{
    Bench bench = { 0 };
    open_all(&bench, argc > 1 ? argv[1] : "/tmp");
    run_small(&bench);
    run_large(&bench);
    run_commits(&bench);
    run_many(&bench, argc > 2 ? strtoull(argv[2], NULL, 10) : 100000);
    close_all(&bench);
    return 0;
}
