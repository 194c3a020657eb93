/* put_known.c - see put_known.h.
 *
 *   file      "PCVPUT1\n" | CRC-32 of all that follows (u32) | key | commit id | entry | entry | …
 *   key       varint size, then project, repo, branch, target and folder, a line each
 *   commit    varint size, then the id
 *   entry     varint size of the path, path, device, inode, size, mtime, ctime (u64 each, times in
 * ns), in walk order
 *
 * Integers are little-endian. It is never synced: one that a crash tore fails its check and counts
 * for nothing. */
#include "cmd/pcv/put_known.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "base/thread.h"
#include "codec/pb.h"

#define MAGIC          STR("PCVPUT1\n")
#define HEAD_SIZE      (8 + 4)
#define RACY_NS        (2 * NS_PER_SEC) /* the coarsest clock of a file system, FAT's */
#define LOOK_FILES_MIN 512              /* worth a thread's start */

struct PutKnown {
    Cli *cli;
    PfsV2__Commit *branch;
    const char *path; /* of the cache file */
    const char *key;
    const char *head; /* the branch's head before this put; "": it had none */
    Buf old;          /* the file as it was found */
    size_t at;        /* the next of its entries */
    Str old_path;     /* the entry before `at`, and its stamp: paths are compared in turn */
    const uint8_t *old_stamp;
    Buf fresh; /* entries of this put */
    size_t passed_over;
};

/* --- stamps ----------------------------------------------------------------------------------- */

static int64_t time_ns(struct timespec t)
{
    return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

static KnownStat stat_of(const struct stat *st)
{
    const uint64_t fields[] = { (uint64_t)st->st_dev, (uint64_t)st->st_ino, (uint64_t)st->st_size,
                                (uint64_t)time_ns(st->st_mtim), (uint64_t)time_ns(st->st_ctim) };
    KnownStat out = { .is_file = S_ISREG(st->st_mode) };
    static_assert(sizeof(fields) == KNOWN_STAMP_SIZE, "a stamp is these fields");
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        store_le64(out.stamp + 8 * i, fields[i]);
    return out;
}

static KnownStat look_at(int dir_fd, const char *name)
{
    struct stat st;
    return fstatat(dir_fd, name, &st, 0) == 0 ? stat_of(&st) : (KnownStat){ .is_file = false };
}

typedef struct LookPart {
    int dir_fd;
    const char *const *names;
    size_t count;
    KnownStat *out;
} LookPart;

static void *look_at_part(void *arg)
{
    const LookPart *part = arg;
    for (size_t i = 0; i < part->count; i++) {
        const char *name = part->names[i];
        if (name[strlen(name) - 1] != '/')
            part->out[i] = look_at(part->dir_fd, name);
    }
    return NULL;
}

KnownStat *put_known_look(PutKnown *known, int dir_fd, const char *const *names, size_t count)
{
    if (!known->old_stamp || count < LOOK_FILES_MIN)
        return NULL;
    KnownStat *out = calloc(count, sizeof(*out));
    if (!out)
        abort();
    size_t half = count / 2;
    LookPart first = { dir_fd, names, half, out };
    LookPart second = { dir_fd, names + half, count - half, out + half };
    pthread_t thread;
    bool has_help =
        status_ok(thread_start(known->cli->ctx, "pcv-look", look_at_part, &second, &thread));
    look_at_part(&first);
    if (has_help)
        pthread_join(thread, NULL);
    else
        look_at_part(&second);
    return out;
}

static void add_text(Buf *out, Str text)
{
    buf_add_varint(out, text.size);
    buf_add_str(out, text);
}

static void add_entry(PutKnown *known, Str path, const KnownStat *seen)
{
    add_text(&known->fresh, path);
    buf_add(&known->fresh, seen->stamp, KNOWN_STAMP_SIZE);
}

/* --- what was known --------------------------------------------------------------------------- */

static bool read_text(PutKnown *known, Str *out)
{
    Bytes all = buf_bytes(&known->old);
    uint64_t size;
    if (!bytes_read_varint(all, &known->at, &size) || size > all.size - known->at)
        return false;
    *out = (Str){ (const char *)all.data + known->at, size };
    known->at += size;
    return true;
}

/* To the next entry; none is left when old_stamp is NULL. */
static void next_entry(PutKnown *known)
{
    known->old_stamp = NULL;
    if (!read_text(known, &known->old_path) || known->old.size - known->at < KNOWN_STAMP_SIZE)
        return;
    known->old_stamp = known->old.data + known->at;
    known->at += KNOWN_STAMP_SIZE;
}

static bool is_whole(const Buf *file)
{
    return file->size >= HEAD_SIZE && str_starts(buf_str(file), MAGIC) &&
           load_le32(file->data + MAGIC.size) ==
               crc32(0, file->data + HEAD_SIZE, (uInt)(file->size - HEAD_SIZE));
}

/* Leaves the cursor at the first entry when the file speaks of this folder and of the branch's head
 * as it is. */
static void read_old(PutKnown *known)
{
    Str key, head;
    if (!status_ok(file_read_path(known->cli->ctx, known->path, &known->old)) ||
        !is_whole(&known->old))
        return;
    known->at = HEAD_SIZE;
    if (read_text(known, &key) && str_eq_c(key, known->key) && read_text(known, &head) &&
        str_eq_c(head, known->head))
        next_entry(known);
}

/* --- the branch's head ------------------------------------------------------------------------ */

/* NULL when the branch has none. */
static Status inspect_head(PutKnown *known, const PfsV2__CommitInfo **out)
{
    Ctx *ctx = known->cli->ctx;
    PfsV2__InspectCommitRequest *request =
        PB_NEW(ctx, pfs_v2__inspect_commit_request, PfsV2__InspectCommitRequest);
    request->commit = known->branch;
    *out = NULL;
    Status s = cli_call(known->cli, "/pfs_v2.API/InspectCommit", request, out);
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

static bool is_settled(const PfsV2__CommitInfo *info)
{
    return info->finished && !*info->error;
}

/* False when nothing can be said of the content at the head. */
static bool note_head(PutKnown *known)
{
    const PfsV2__CommitInfo *info;
    if (!status_ok(inspect_head(known, &info)) || (info && !is_settled(info)))
        return false;
    known->head = info ? info->commit->id : "";
    return true;
}

/* --- the put ---------------------------------------------------------------------------------- */

static const char *cache_folder(Ctx *ctx)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache == '/')
        return text_printf(ctx->arena, "%s/procavia", cache);
    return home && *home ? text_printf(ctx->arena, "%s/.cache/procavia", home) : NULL;
}

static bool find_file(PutKnown *known, Str target, const char *folder)
{
    Ctx *ctx = known->cli->ctx;
    const PfsV2__Repo *repo = known->branch->repo;
    const char *dir = cache_folder(ctx);
    char *full = realpath(folder, NULL);
    if (!dir || !full || !status_ok(file_make_dirs(ctx, dir, 0700))) {
        free(full);
        return false;
    }
    known->key =
        text_printf(ctx->arena, "%s\n%s.%s\n%s\n" STR_FMT "\n%s\n", repo->project->name, repo->name,
                    repo->type, known->branch->branch->name, STR_ARG(target), full);
    free(full);
    unsigned long sum = crc32(0, (const Bytef *)known->key, (uInt)strlen(known->key));
    known->path = text_printf(ctx->arena, "%s/put-%08lx", dir, sum);
    return true;
}

PutKnown *put_known_open(Cli *cli, PfsV2__Commit *branch, Str target, const char *folder)
{
    if (*branch->id || !branch->branch || !*branch->branch->name)
        return NULL;
    CLEANUP(put_known_freep) PutKnown *known = calloc(1, sizeof(*known));
    if (!known)
        abort();
    known->cli = cli;
    known->branch = branch;
    if (!find_file(known, target, folder) || !note_head(known))
        return NULL;
    read_old(known);
    return STEAL(known);
}

PutKnown *put_known_free(PutKnown *known)
{
    if (!known)
        return NULL;
    buf_done(&known->old);
    buf_done(&known->fresh);
    free(known);
    return NULL;
}

bool put_known_has(PutKnown *known, int dir_fd, const char *name, Str path, const KnownStat *seen)
{
    while (known->old_stamp && str_cmp(known->old_path, path) < 0)
        next_entry(known);
    if (!known->old_stamp || !str_eq(known->old_path, path))
        return false;
    KnownStat now = seen ? *seen : look_at(dir_fd, name);
    if (!now.is_file || memcmp(now.stamp, known->old_stamp, KNOWN_STAMP_SIZE) != 0)
        return false;
    add_entry(known, path, &now);
    known->passed_over++;
    return true;
}

void put_known_add(PutKnown *known, Str path, const struct stat *st)
{
    int64_t changed_ns = MAX(time_ns(st->st_mtim), time_ns(st->st_ctim));
    KnownStat seen = stat_of(st);
    if (seen.is_file && changed_ns < clock_wall_ns() - RACY_NS)
        add_entry(known, path, &seen);
}

/* --- afterwards ------------------------------------------------------------------------------- */

static Status write_file(Ctx *ctx, const char *path, const Buf *content)
{
    const char *temporary = text_printf(ctx->arena, "%s.%ld", path, (long)getpid());
    AUTO_FD fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return status_errno(ctx, errno, "could not create '%s'", temporary);
    Status s = file_write_all(ctx, fd, content->data, content->size);
    if (status_ok(s) && rename(temporary, path) < 0)
        s = status_errno(ctx, errno, "could not rename '%s'", temporary);
    if (!status_ok(s))
        unlink(temporary);
    return s;
}

/* What cannot be written is not known the next time: no reason to fail. */
static void write_fresh(PutKnown *known, const char *head)
{
    CLEANUP(buf_done) Buf file = { 0 };
    buf_add_str(&file, MAGIC);
    buf_add(&file, (uint8_t[4]){ 0 }, 4);
    add_text(&file, str(known->key));
    add_text(&file, str(head));
    buf_add_bytes(&file, buf_bytes(&known->fresh));
    if (file.size > UINT32_MAX)
        return;
    store_le32(file.data + MAGIC.size,
               (uint32_t)crc32(0, file.data + HEAD_SIZE, (uInt)(file.size - HEAD_SIZE)));
    (void)!status_ok(write_file(known->cli->ctx, known->path, &file));
}

Status put_known_finish(PutKnown *known, bool *out_again)
{
    const PfsV2__CommitInfo *info;
    TRY(inspect_head(known, &info));
    const char *parent = info && info->parent_commit ? info->parent_commit->id : "";
    bool is_ours = info && is_settled(info) && strcmp(parent, known->head) == 0;
    if (is_ours)
        write_fresh(known, info->commit->id);
    *out_again = !is_ours && known->passed_over > 0;
    return OK;
}
