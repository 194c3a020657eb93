/* store.c - names, folders, and who still needs them; see image.h. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"
#include "image/image_priv.h"

#define NAME_BYTES_MAX 255
#define WORK_PREFIX    "work-"
#define DIGEST_PREFIX  "sha256:"
#define PULL_KEPT_S    (24 * 60 * 60)

const DbMigration image_migrations[] = {
    { "image", "CREATE TABLE image("
               "  name TEXT NOT NULL PRIMARY KEY, digest TEXT NOT NULL, size_bytes BIGINT NOT NULL,"
               "  created BIGINT NOT NULL);" },
};
const size_t image_migration_count = ARRAY_LEN(image_migrations);

uint64_t image_topic(void)
{
    return event_topic_num("image", 0);
}

/* --- names ----------------------------------------------------------------------------------- */

const char *image_name_canonical(Arena *arena, Str name)
{
    static const char *const prefixes[] = { "docker://", "docker.io/", "library/" };
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (str_starts(name, str(prefixes[i])))
            name = str_sub(name, strlen(prefixes[i]), name.size);
    }
    if (!name.size || name.size > NAME_BYTES_MAX || str_eq_c(name, "host"))
        return NULL;
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] <= ' ' || name.data[i] > '~')
            return NULL;
    }
    char *text = str_z(arena, name);
    const char *slash = strrchr(text, '/');
    bool has_tag = strpbrk(slash ? slash : text, ":@") != NULL;
    return has_tag ? text : text_printf(arena, "%s:latest", text);
}

static const char *hex_of(const char *digest)
{
    return digest + strlen(DIGEST_PREFIX);
}

static bool is_digest(const char *text)
{
    Hash hash;
    return str_starts(str(text), STR(DIGEST_PREFIX)) && hash_parse(str(hex_of(text)), &hash);
}

static const char *folder_of(Ctx *ctx, const ImageStore *store, const char *digest)
{
    return text_printf(ctx->arena, "%s/%s", store->dir, hex_of(digest));
}

/* --- opening --------------------------------------------------------------------------------- */

/* Work in progress when the server ended, and pulls that nobody went on with. */
static bool is_leftover(DIR *dir, const char *name)
{
    struct stat at;
    if (!str_starts(str(name), STR(PULL_PREFIX)))
        return str_starts(str(name), STR(WORK_PREFIX));
    return fstatat(dirfd(dir), name, &at, AT_SYMLINK_NOFOLLOW) == 0 &&
           clock_wall_ns() / NS_PER_SEC - at.st_mtim.tv_sec > PULL_KEPT_S;
}

static Status remove_leftovers(Ctx *ctx, const ImageStore *store)
{
    DIR *dir = opendir(store->dir);
    if (!dir)
        return status_errno(ctx, errno, "could not list '%s'", store->dir);
    Status s = OK;
    for (struct dirent *entry; status_ok(s) && (entry = readdir(dir));) {
        if (is_leftover(dir, entry->d_name))
            s = file_remove_tree(ctx, text_printf(ctx->arena, "%s/%s", store->dir, entry->d_name));
    }
    closedir(dir);
    return s;
}

static void copy_texts(ImageStore *store)
{
    const char **fields[] = { &store->config.auth_file, &store->config.insecure_hosts };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        *fields[i] = store->texts[i] = strdup(*fields[i] ? *fields[i] : "");
}

Status image_store_open(Ctx *ctx, const ImageStoreConfig *config, ImageStore **out)
{
    TRY(file_make_dirs(ctx, config->dir, 0700));
    CLEANUP(image_store_closep) ImageStore *store = calloc(1, sizeof(*store));
    if (!store)
        return STATUS(RESOURCE_EXHAUSTED);
    pthread_mutex_init(&store->lock, NULL);
    store->config = *config;
    store->dir = realpath(config->dir, NULL);
    if (!store->dir)
        return status_errno(ctx, errno, "could not open '%s'", config->dir);
    TRY(remove_leftovers(ctx, store));
    copy_texts(store);
    if (config->pull_missing)
        store->puller = puller_new(store);
    *out = STEAL(store);
    return OK;
}

ImageStore *image_store_close(ImageStore *store)
{
    if (store) {
        puller_free(store->puller);
        free(store->texts[0]);
        free(store->texts[1]);
        pthread_mutex_destroy(&store->lock);
        free(store->dir);
        free(store);
    }
    return NULL;
}

Status image_work_dir(Ctx *ctx, const ImageStore *store, const char **out)
{
    Id id = id_new();
    *out = text_printf(ctx->arena, "%s/" WORK_PREFIX "%s", store->dir, id.text);
    return mkdir(*out, 0700) < 0 ? status_errno(ctx, errno, "could not make folder '%s'", *out)
                                 : OK;
}

Status image_upload_file(Ctx *ctx, ImageStore *store, int *out_fd, const char **out_path)
{
    Id id = id_new();
    *out_path = text_printf(ctx->arena, "%s/" WORK_PREFIX "%s.upload", store->dir, id.text);
    *out_fd = open(*out_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return *out_fd < 0 ? status_errno(ctx, errno, "could not make file '%s'", *out_path) : OK;
}

/* --- removing what nobody needs -------------------------------------------------------------- */

static Status has_name(Ctx *ctx, ImageStore *store, const char *digest, bool *out)
{
    CLEANUP(db_rollbackp) DbTx *tx = NULL;
    TRY(db_begin_read(ctx, store->config.db, &tx));
    int64_t count;
    TRY(db_query_int(ctx, tx, &count, "SELECT COUNT(*) FROM image WHERE digest = ?", "s", digest));
    *out = count > 0;
    return OK;
}

/* With the lock held: removes the folder of a digest that neither a name nor a user has. */
static Status sweep(Ctx *ctx, ImageStore *store, const char *digest, bool force)
{
    bool named;
    const char *used_by = NULL;
    TRY(has_name(ctx, store, digest, &named));
    if (!named && !force)
        TRY(store->config.used(store->config.self, ctx, digest, &used_by));
    if (named || used_by)
        return OK;
    /* Out of its place at once, as removing takes a while and may be interrupted. */
    Id id = id_new();
    const char *aside = text_printf(ctx->arena, "%s/" WORK_PREFIX "%s", store->dir, id.text);
    if (rename(folder_of(ctx, store, digest), aside) < 0)
        return errno == ENOENT ? OK
                               : status_errno(ctx, errno, "could not remove image '%s'", digest);
    return file_remove_tree(ctx, aside);
}

/* --- publishing ------------------------------------------------------------------------------ */

static Status move_in(Ctx *ctx, const ImageStore *store, const char *work, const char *digest)
{
    const char *folder = folder_of(ctx, store, digest);
    if (access(folder, F_OK) == 0)
        return OK;
    Id id = id_new();
    const char *ready = text_printf(ctx->arena, "%s/" WORK_PREFIX "%s", store->dir, id.text);
    AUTO_FD dir = open(store->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || mkdir(ready, 0711) < 0 ||
        rename(text_printf(ctx->arena, "%s/rootfs", work),
               text_printf(ctx->arena, "%s/rootfs", ready)) < 0 ||
        rename(text_printf(ctx->arena, "%s/config.json", work),
               text_printf(ctx->arena, "%s/config.json", ready)) < 0 ||
        syncfs(dir) < 0 || rename(ready, folder) < 0)
        return status_errno(ctx, errno, "could not keep image '%s'", digest);
    return file_sync_dir(ctx, store->dir);
}

static Status set_name(Ctx *ctx, ImageStore *store, const ImageRow *row, const char **out_before)
{
    CLEANUP(db_rollbackp) DbTx *tx = NULL;
    TRY(db_begin_write(ctx, store->config.db, &tx));
    {
        CLEANUP(db_rows_done) DbRows rows = { 0 };
        bool more;
        TRY(db_query(ctx, tx, &rows, "SELECT digest FROM image WHERE name = ?", "s", row->name));
        TRY(db_next(ctx, &rows, &more));
        *out_before = more ? db_text(ctx, &rows, 0) : "";
    }
    TRY(db_exec(
        ctx, tx, NULL,
        "INSERT INTO image(name, digest, size_bytes, created) VALUES(?, ?, ?, ?) ON CONFLICT(name) "
        "DO UPDATE SET digest = excluded.digest, size_bytes = excluded.size_bytes, "
        "created = excluded.created",
        "ssii", row->name, row->digest, (int64_t)row->size_bytes, row->created_at));
    db_notify(tx, image_topic());
    return db_commit(ctx, STEAL(tx));
}

Status image_publish(Ctx *ctx, ImageStore *store, const char *work, ImageRow *row)
{
    LOCKED(&store->lock);
    const char *before;
    TRY(move_in(ctx, store, work, row->digest));
    TRY(set_name(ctx, store, row, &before));
    return *before && strcmp(before, row->digest) != 0 ? sweep(ctx, store, before, false) : OK;
}

/* --- looking --------------------------------------------------------------------------------- */

static Status digest_of_name(Ctx *ctx, ImageStore *store, const char *name, const char **out)
{
    CLEANUP(db_rollbackp) DbTx *tx = NULL;
    TRY(db_begin_read(ctx, store->config.db, &tx));
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    bool more;
    TRY(db_query(ctx, tx, &rows, "SELECT digest FROM image WHERE name = ?", "s", name));
    TRY(db_next(ctx, &rows, &more));
    if (!more)
        return FAIL(ctx, NOT_FOUND, "image \"%s\" is not in the image store", name);
    *out = db_text(ctx, &rows, 0);
    return OK;
}

Status image_find(Ctx *ctx, ImageStore *store, const char *name, const char **out_digest)
{
    if (is_digest(name) && access(folder_of(ctx, store, name), F_OK) == 0) {
        *out_digest = name;
        return OK;
    }
    const char *canonical = image_name_canonical(ctx->arena, str(name));
    if (!canonical)
        return FAIL(ctx, NOT_FOUND, "image %s is not in the image store",
                    text_quote(ctx->arena, str(name)));
    return digest_of_name(ctx, store, canonical, out_digest);
}

Status image_root(Ctx *ctx, ImageStore *store, const char *digest, ImageRoot *out)
{
    *out = (ImageRoot){ 0 };
    if (!is_digest(digest))
        return FAIL(ctx, NOT_FOUND, "image '%s' is not in the image store", digest);
    const char *folder = folder_of(ctx, store, digest);
    CLEANUP(buf_done) Buf config = { 0 };
    Status s = file_read_path(ctx, text_printf(ctx->arena, "%s/config.json", folder), &config);
    if (s.code == STATUS_NOT_FOUND)
        return FAIL(ctx, NOT_FOUND, "image '%s' is not in the image store", digest);
    TRY(s);
    out->root_dir = text_printf(ctx->arena, "%s/rootfs", folder);
    Bytes kept = bytes(arena_memdup(ctx->arena, config.data, config.size), config.size);
    return manifest_config(ctx, kept, out);
}

Status image_list(Ctx *ctx, ImageStore *store, ImageRow **out, size_t *out_n)
{
    CLEANUP(db_rollbackp) DbTx *tx = NULL;
    TRY(db_begin_read(ctx, store->config.db, &tx));
    int64_t count;
    TRY(db_query_int(ctx, tx, &count, "SELECT COUNT(*) FROM image", ""));
    *out_n = 0;
    *out = ARENA_NEW(ctx->arena, ImageRow, (size_t)count + 1);
    if (!*out)
        return STATUS(RESOURCE_EXHAUSTED);
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx, &rows,
                 "SELECT name, digest, size_bytes, created FROM image ORDER BY name", ""));
    DB_EACH (ctx, &rows) {
        if (*out_n == (size_t)count)
            break;
        (*out)[(*out_n)++] = (ImageRow){ db_text(ctx, &rows, 0), db_text(ctx, &rows, 1),
                                         (uint64_t)db_int(&rows, 2), db_int(&rows, 3) };
    }
    return OK;
}

/* --- deleting -------------------------------------------------------------------------------- */

static Status check_unused(Ctx *ctx, ImageStore *store, const char *name, const char *digest)
{
    CLEANUP(db_rollbackp) DbTx *tx = NULL;
    TRY(db_begin_read(ctx, store->config.db, &tx));
    int64_t others;
    TRY(db_query_int(ctx, tx, &others, "SELECT COUNT(*) FROM image WHERE digest = ? AND name <> ?",
                     "ss", digest, name));
    const char *used_by = NULL;
    if (!others)
        TRY(store->config.used(store->config.self, ctx, digest, &used_by));
    if (!used_by)
        return OK;
    return status_with_hint(
        ctx, FAIL(ctx, FAILED_PRECONDITION, "image \"%s\" is used by pipeline %s", name, used_by),
        "Delete or update the pipeline first, or use force.");
}

static Status remove_name(Ctx *ctx, ImageStore *store, const char *name)
{
    CLEANUP(db_rollbackp) DbTx *tx = NULL;
    TRY(db_begin_write(ctx, store->config.db, &tx));
    TRY(db_exec(ctx, tx, NULL, "DELETE FROM image WHERE name = ?", "s", name));
    db_notify(tx, image_topic());
    return db_commit(ctx, STEAL(tx));
}

Status image_delete(Ctx *ctx, ImageStore *store, const char *name, bool force)
{
    LOCKED(&store->lock);
    const char *digest;
    const char *canonical = image_name_canonical(ctx->arena, str(name));
    if (!canonical)
        return FAIL(ctx, NOT_FOUND, "image %s is not in the image store",
                    text_quote(ctx->arena, str(name)));
    TRY(digest_of_name(ctx, store, canonical, &digest));
    if (!force)
        TRY(check_unused(ctx, store, canonical, digest));
    TRY(remove_name(ctx, store, canonical));
    return sweep(ctx, store, digest, force);
}
