/* sqlite.c - SQLite as an engine: the only file that knows it. README.md says why its commits are
 * durable.
 *
 * The database is in WAL mode with synchronous=NORMAL: a commit appends to the log without syncing
 * it. The log is synced through a descriptor of our own, once for all commits that wait (tx.c).
 * SQLite itself syncs the log before a checkpoint copies from it, and the database before the log
 * is used again from its start.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "db/db_priv.h"

/* The log is copied into the database when it holds this much; past the second bound writers wait
 * for it. */
#define LOG_BYTES_WANTED (8 * MiB)
#define LOG_BYTES_MAX    (64 * MiB)
#define PAGE_BYTES       4096

/* A statement that meets a lock of another process (somebody's sqlite3 shell) waits this long. */
#define BUSY_WAIT_MS 10000

struct DbEngine {
    char *path;
    char *scratch;            /* folder that goes with the database: ":memory:" */
    int lock_fd;              /* holds the ownership */
    int log_fd;               /* the -wal file, to sync it; -1 until the first connection made it */
    _Atomic int log_pages;    /* after the newest commit */
    _Atomic int copied_pages; /* by the newest checkpoint; over log_pages: the log began anew */
};

/* A connection as the rest of the module passes it around. */
typedef struct Handle {
    DbEngine *engine;
    sqlite3 *db;
    bool wrote; /* since the transaction began */
} Handle;

/* --- errors ----------------------------------------------------------------------------------- */

static const struct {
    int result; /* extended, or primary when no row has the extended one */
    StatusCode code;
} codes[] = {
    { SQLITE_CONSTRAINT_UNIQUE,     STATUS_ALREADY_EXISTS      },
    { SQLITE_CONSTRAINT_PRIMARYKEY, STATUS_ALREADY_EXISTS      },
    { SQLITE_CONSTRAINT_ROWID,      STATUS_ALREADY_EXISTS      },
    { SQLITE_CONSTRAINT_FOREIGNKEY, STATUS_FAILED_PRECONDITION },
    { SQLITE_FULL,                  STATUS_RESOURCE_EXHAUSTED  },
    { SQLITE_NOMEM,                 STATUS_RESOURCE_EXHAUSTED  },
    { SQLITE_CORRUPT,               STATUS_DATA_LOSS           },
    { SQLITE_NOTADB,                STATUS_DATA_LOSS           },
    { SQLITE_PERM,                  STATUS_PERMISSION_DENIED   },
    { SQLITE_INTERRUPT,             STATUS_CANCELLED           },
};

static StatusCode code_of(int result)
{
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (codes[i].result == result)
            return codes[i].code;
    }
    return result > 0xff ? code_of(result & 0xff) : STATUS_INTERNAL;
}

static Status failure(Ctx *ctx, sqlite3 *db, int result)
{
    return status_new(ctx, code_of(result), "%s", db ? sqlite3_errmsg(db) : sqlite3_errstr(result));
}

/* --- ownership -------------------------------------------------------------------------------- */

static Status owned_by_other(Ctx *ctx, int fd, const char *path)
{
    char holder[32] = "";
    ssize_t size = pread(fd, holder, sizeof(holder) - 1, 0);
    holder[MAX(size, 0)] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    return FAIL(ctx, FAILED_PRECONDITION, "database is in use by process %s: '%s' is locked",
                *holder ? holder : "(unknown)", path);
}

/* An open file description lock: it belongs to this opening, so a second one in this process fails
 * as well, and it ends with the process, however that ends. The file stays: removing it would
 * race. */
static Status take_ownership(Ctx *ctx, DbEngine *engine)
{
    const char *path = text_printf(ctx->arena, "%s.lock", engine->path);
    AUTO_FD fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return status_errno(ctx, errno, "could not open lock file '%s'", path);
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (fcntl(fd, F_OFD_SETLK, &whole) < 0) {
        if (errno == EAGAIN || errno == EACCES)
            return owned_by_other(ctx, fd, path);
        return status_errno(ctx, errno, "could not lock file '%s'", path);
    }
    const char *pid = text_printf(ctx->arena, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0)
        return status_errno(ctx, errno, "could not write lock file '%s'", path);
    TRY_WRAP(ctx, file_pwrite_all(ctx, fd, pid, strlen(pid), 0), "lock file '%s'", path);
    engine->lock_fd = fd_steal(&fd);
    return OK;
}

/* --- opening ---------------------------------------------------------------------------------- */

static DbEngine *sqlite_close(DbEngine *engine)
{
    if (!engine)
        return NULL;
    fd_closep(&engine->log_fd);
    fd_closep(&engine->lock_fd);
    if (engine->scratch) {
        CLEANUP(ctx_done) Ctx ctx;
        ctx_init(&ctx);
        Status s = file_remove_tree(&ctx, engine->scratch);
        if (!status_ok(s))
            LOG_WARN(&ctx, "could not remove scratch database", "error=%s", status_message(s));
    }
    free(engine->scratch);
    free(engine->path);
    free(engine);
    return NULL;
}

static void sqlite_closep(DbEngine **engine)
{
    *engine = sqlite_close(*engine);
}

/* ":memory:" is a database like any other, in a folder of its own on a memory file system where
 * there is one: so it has the same snapshots and the same locking, and needs no code of its own. */
static Status make_scratch(Ctx *ctx, DbEngine *engine)
{
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    char *folder = text_printf(ctx->arena, "%s/pcv-db-XXXXXX", base);
    if (!mkdtemp(folder))
        return status_errno(ctx, errno, "could not create scratch folder '%s'", folder);
    engine->scratch = strdup(folder);
    if (!engine->scratch || asprintf(&engine->path, "%s/db", folder) < 0)
        abort();
    return OK;
}

static Status sqlite_open(Ctx *ctx, const char *address, DbEngine **out)
{
    CLEANUP(sqlite_closep) DbEngine *engine = calloc(1, sizeof(*engine));
    if (!engine)
        abort();
    engine->lock_fd = engine->log_fd = -1;
    if (!*address)
        return FAIL(ctx, INVALID_ARGUMENT, "the path is empty");
    if (strcmp(address, ":memory:") == 0)
        TRY(make_scratch(ctx, engine));
    else if (!(engine->path = strdup(address)))
        abort();
    TRY(take_ownership(ctx, engine));
    *out = STEAL(engine);
    return OK;
}

/* --- connections ------------------------------------------------------------------------------ */

static void sqlite_disconnect(void *handle)
{
    Handle *h = handle;
    if (!h)
        return;
    int result = sqlite3_close(h->db);
    assert(result == SQLITE_OK); /* else a statement is still open */
    (void)result;
    free(h);
}

static void disconnectp(Handle **h)
{
    sqlite_disconnect(*h);
}

static Status sqlite_script(Ctx *ctx, void *handle, const char *sql)
{
    Handle *h = handle;
    int result = sqlite3_exec(h->db, sql, NULL, NULL, NULL);
    return result == SQLITE_OK ? OK : failure(ctx, h->db, result);
}

/* Called by SQLite after each commit that wrote. */
static int note_log_size(void *arg, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    Handle *h = arg;
    h->wrote = true;
    atomic_store(&h->engine->log_pages, pages);
    return SQLITE_OK;
}

/* The log exists once a connection is set up. It is never removed while we are connected, only used
 * again from its start, so one descriptor serves until the end. Closing it drops no lock: SQLite's
 * are on other files. */
static Status open_log(Ctx *ctx, DbEngine *engine)
{
    const char *path = text_printf(ctx->arena, "%s-wal", engine->path);
    engine->log_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (engine->log_fd < 0)
        return status_errno(ctx, errno, "could not open '%s'", path);
    const char *slash = strrchr(path, '/');
    const char *folder = slash ? arena_strndup(ctx->arena, path, (size_t)(slash - path) + 1) : ".";
    return file_sync_dir(ctx, folder);
}

static const char setup_any[] =
    "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF; PRAGMA wal_autocheckpoint=0;";
static const char setup_writer[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-8192;";
static const char setup_reader[] =
    "PRAGMA query_only=ON; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-1024;";

static Status sqlite_connect(Ctx *ctx, DbEngine *engine, bool for_write, void **out)
{
    CLEANUP(disconnectp) Handle *h = calloc(1, sizeof(*h));
    if (!h)
        abort();
    h->engine = engine;
    int flags = SQLITE_OPEN_READWRITE | (for_write ? SQLITE_OPEN_CREATE : 0) | SQLITE_OPEN_NOMUTEX |
                SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
    int result = sqlite3_open_v2(engine->path, &h->db, flags, NULL);
    if (result != SQLITE_OK)
        return failure(ctx, h->db, result);
    sqlite3_busy_timeout(h->db, BUSY_WAIT_MS);
    TRY(sqlite_script(ctx, h, setup_any));
    TRY(sqlite_script(ctx, h, for_write ? setup_writer : setup_reader));
    if (for_write) {
        sqlite3_wal_hook(h->db, note_log_size, h);
        TRY(open_log(ctx, engine));
    }
    *out = STEAL(h);
    return OK;
}

/* --- transactions ----------------------------------------------------------------------------- */

static Status sqlite_begin_write(Ctx *ctx, void *handle)
{
    Handle *h = handle;
    h->wrote = false;
    return sqlite_script(ctx, h, "BEGIN IMMEDIATE");
}

/* BEGIN alone would take the snapshot at the first statement. */
static Status sqlite_begin_read(Ctx *ctx, void *handle)
{
    return sqlite_script(ctx, handle, "BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1");
}

static Status sqlite_commit(Ctx *ctx, void *handle, bool *out_wrote)
{
    Handle *h = handle;
    TRY_WRAP(ctx, sqlite_script(ctx, h, "COMMIT"), "could not commit");
    *out_wrote = h->wrote;
    return OK;
}

/* Nothing to undo when an error made SQLite roll back by itself. */
static void sqlite_rollback(void *handle)
{
    Handle *h = handle;
    if (!sqlite3_get_autocommit(h->db))
        sqlite3_exec(h->db, "ROLLBACK", NULL, NULL, NULL);
}

static Status sqlite_sync(Ctx *ctx, DbEngine *engine)
{
    return file_sync(ctx, engine->log_fd);
}

/* --- the log ---------------------------------------------------------------------------------- */

/* By what was not copied yet, so that a reader who holds on to a long log does not cause a
 * checkpoint a commit. */
static int sqlite_tidy_wanted(DbEngine *engine)
{
    int pages = atomic_load(&engine->log_pages), copied = atomic_load(&engine->copied_pages);
    int left = pages < copied ? pages : pages - copied;
    if ((size_t)left * PAGE_BYTES < LOG_BYTES_WANTED)
        return 0;
    return (size_t)pages * PAGE_BYTES < LOG_BYTES_MAX ? 1 : 2;
}

/* Copies what it can without making anybody wait. Once all is copied and no reader needs the log,
 * the next commit starts it over. */
static void sqlite_tidy(Ctx *ctx, DbEngine *engine, void *handle)
{
    Handle *h = handle;
    int pages = 0, copied = 0;
    int result = sqlite3_wal_checkpoint_v2(h->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &copied);
    if (result != SQLITE_OK && result != SQLITE_BUSY)
        LOG_WARN(ctx, "could not copy the log into the database", "error=%s",
                 sqlite3_errmsg(h->db));
    else
        atomic_store(&engine->copied_pages, copied);
}

/* --- statements ------------------------------------------------------------------------------- */

static Status sqlite_prepare(Ctx *ctx, void *handle, const char *sql, void **out)
{
    Handle *h = handle;
    sqlite3_stmt *stmt = NULL;
    int result = sqlite3_prepare_v3(h->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
    if (result != SQLITE_OK)
        return status_wrap(ctx, failure(ctx, h->db, result), "statement '%s'", sql);
    if (!stmt)
        return FAIL(ctx, INTERNAL, "statement '%s' is empty", sql);
    *out = stmt;
    return OK;
}

static void sqlite_finalize(void *stmt)
{
    sqlite3_finalize(stmt);
}

static int sqlite_argument_count(void *stmt)
{
    return sqlite3_bind_parameter_count(stmt);
}

static int bind_value(sqlite3_stmt *stmt, int index, const DbValue *value, bool copy)
{
    sqlite3_destructor_type life = copy ? SQLITE_TRANSIENT : SQLITE_STATIC;
    const char *data = (const char *)value->bytes.data;
    switch (value->kind) {
    case DB_INT:
        return sqlite3_bind_int64(stmt, index, value->number);
    case DB_DOUBLE:
        return sqlite3_bind_double(stmt, index, value->real);
    case DB_TEXT:
        return sqlite3_bind_text64(stmt, index, data, value->bytes.size, life, SQLITE_UTF8);
    case DB_BLOB:
        return sqlite3_bind_blob64(stmt, index, data, value->bytes.size, life);
    case DB_NULL:
    default:
        return sqlite3_bind_null(stmt, index);
    }
}

static Status sqlite_bind(Ctx *ctx, void *stmt, int index, const DbValue *value, bool copy)
{
    int result = bind_value(stmt, index, value, copy);
    return result == SQLITE_OK ? OK : failure(ctx, sqlite3_db_handle(stmt), result);
}

static Status sqlite_step(Ctx *ctx, void *stmt, bool *out_row)
{
    int result = sqlite3_step(stmt);
    *out_row = result == SQLITE_ROW;
    if (result == SQLITE_ROW || result == SQLITE_DONE)
        return OK;
    return failure(ctx, sqlite3_db_handle(stmt), result);
}

/* Lets go of the arguments too: they may not outlive the run. */
static void sqlite_reset_stmt(void *stmt)
{
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
}

static int64_t sqlite_changes(void *handle)
{
    const Handle *h = handle;
    return sqlite3_changes64(h->db);
}

static bool sqlite_column_is_null(void *stmt, int column)
{
    return sqlite3_column_type(stmt, column) == SQLITE_NULL;
}

static int64_t sqlite_column_int(void *stmt, int column)
{
    return sqlite3_column_int64(stmt, column);
}

static double sqlite_column_real(void *stmt, int column)
{
    return sqlite3_column_double(stmt, column);
}

/* The pointer first, then the size, as SQLite asks: the first may convert the value. */
static Bytes sqlite_column_data(void *stmt, int column)
{
    bool is_blob = sqlite3_column_type(stmt, column) == SQLITE_BLOB;
    const void *data = sqlite3_column_blob(stmt, column);
    if (!is_blob)
        data = sqlite3_column_text(stmt, column);
    return bytes(data, (size_t)sqlite3_column_bytes(stmt, column));
}

/* The index is read and written by hash only: one B-tree, no row numbers. */
static const DbMigration migrations[] = {
    { "sequences", "CREATE TABLE db_sequence(name TEXT PRIMARY KEY, value BIGINT NOT NULL)" },
    { "store index",
      "CREATE TABLE store_blob(hash BLOB PRIMARY KEY, pack BIGINT NOT NULL, off BIGINT NOT NULL,"
      " stored BIGINT NOT NULL, plain BIGINT NOT NULL) WITHOUT ROWID;"
      "CREATE TABLE store_progress(id BIGINT PRIMARY KEY, sealed_pack BIGINT NOT NULL,"
      " tail_offset BIGINT NOT NULL)" },
};

const DbEngineOps db_engine_sqlite = {
    .scheme = "sqlite",
    .migrations = migrations,
    .migration_count = ARRAY_LEN(migrations),
    .open = sqlite_open,
    .close = sqlite_close,
    .connect = sqlite_connect,
    .disconnect = sqlite_disconnect,
    .begin_write = sqlite_begin_write,
    .begin_read = sqlite_begin_read,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .script = sqlite_script,
    .prepare = sqlite_prepare,
    .finalize = sqlite_finalize,
    .argument_count = sqlite_argument_count,
    .bind = sqlite_bind,
    .step = sqlite_step,
    .reset = sqlite_reset_stmt,
    .changes = sqlite_changes,
    .column_is_null = sqlite_column_is_null,
    .column_int = sqlite_column_int,
    .column_double = sqlite_column_real,
    .column_bytes = sqlite_column_data,
    .sync = sqlite_sync,
    .tidy_wanted = sqlite_tidy_wanted,
    .tidy = sqlite_tidy,
};
