/* unpack.c - archives read by libarchive, entry by entry, and put below a folder by place.c.
 *
 * Of libarchive only tar and the common compressions are switched on: less to attack, and none that
 * starts programs. A layer is read twice, as its whiteouts are for the layers below only, wherever
 * in the archive they stand. */
#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "image/image_priv.h"

#define BLOCK_BYTES (256 * KiB)

static void archive_freep(struct archive **archive)
{
    if (*archive)
        archive_free(*archive);
}

/* Where the archive lies means nothing to who sent it. */
static Status archive_status(Ctx *ctx, struct archive *archive)
{
    const char *why = archive_error_string(archive);
    return FAIL(ctx, INVALID_ARGUMENT, "could not read archive: %s", why ? why : "it is damaged");
}

static void allow_filters(struct archive *archive)
{
    archive_read_support_filter_gzip(archive);
    archive_read_support_filter_zstd(archive);
    archive_read_support_filter_xz(archive);
    archive_read_support_filter_bzip2(archive);
}

static Status open_tar(Ctx *ctx, const char *path, struct archive **out)
{
    *out = archive_read_new();
    if (!*out)
        return STATUS(RESOURCE_EXHAUSTED);
    allow_filters(*out);
    archive_read_support_format_tar(*out);
    archive_read_support_format_empty(*out);
    if (archive_read_open_filename(*out, path, BLOCK_BYTES) != ARCHIVE_OK)
        return archive_status(ctx, *out);
    return OK;
}

static bool is_usable(int result)
{
    return result == ARCHIVE_OK || result == ARCHIVE_WARN;
}

static PlaceEntry place_of(struct archive_entry *entry)
{
    const char *hard = archive_entry_hardlink(entry);
    return (PlaceEntry){ .path = archive_entry_pathname(entry),
                         .link = hard ? hard : archive_entry_symlink(entry),
                         .is_hard_link = hard != NULL,
                         .mode = archive_entry_mode(entry),
                         .uid = (uid_t)archive_entry_uid(entry),
                         .gid = (gid_t)archive_entry_gid(entry),
                         .mtime_s = archive_entry_mtime(entry) };
}

/* Writes what follows the header; holes stay holes. */
static Status write_content(Ctx *ctx, struct archive *archive, int fd)
{
    for (;;) {
        const void *data;
        size_t size;
        int64_t offset;
        int result = archive_read_data_block(archive, &data, &size, &offset);
        if (result == ARCHIVE_EOF)
            return OK;
        if (!is_usable(result))
            return archive_status(ctx, archive);
        TRY(ctx_check(ctx));
        TRY(file_pwrite_all(ctx, fd, data, size, (uint64_t)offset));
    }
}

static Status place_one(Ctx *ctx, struct archive *archive, int root_fd, struct archive_entry *entry)
{
    PlaceEntry place = place_of(entry);
    if (!place.path || ((S_ISLNK(place.mode) || place.is_hard_link) && !place.link))
        return FAIL(ctx, INVALID_ARGUMENT, "the archive has an entry without a usable name");
    AUTO_FD fd = -1;
    TRY(place_entry(ctx, root_fd, &place, &fd));
    if (fd < 0)
        return OK;
    TRY_WRAP(ctx, write_content(ctx, archive, fd), "could not unpack '%s'", place.path);
    if (archive_entry_size_is_set(entry) && ftruncate(fd, archive_entry_size(entry)) < 0)
        return FAIL(ctx, INTERNAL, "could not set the size of '%s'", place.path);
    return place_finish(ctx, fd_steal(&fd), &place);
}

typedef enum Pass { PASS_ALL, PASS_WHITEOUTS, PASS_OTHERS } Pass;

static Status see_entry(Ctx *ctx, struct archive *archive, int root_fd, Pass pass,
                        struct archive_entry *entry)
{
    const char *name = archive_entry_pathname(entry);
    bool is_whiteout = false;
    if (pass == PASS_WHITEOUTS && name)
        return place_whiteout(ctx, root_fd, name, &is_whiteout);
    if (pass == PASS_OTHERS && name) {
        const char *slash = strrchr(name, '/');
        is_whiteout = str_starts(str(slash ? slash + 1 : name), STR(".wh."));
    }
    return is_whiteout ? OK : place_one(ctx, archive, root_fd, entry);
}

static Status run_pass(Ctx *ctx, const char *path, int root_fd, Pass pass)
{
    CLEANUP(archive_freep) struct archive *archive = NULL;
    TRY(open_tar(ctx, path, &archive));
    for (;;) {
        struct archive_entry *entry;
        int result = archive_read_next_header(archive, &entry);
        if (result == ARCHIVE_EOF)
            return OK;
        if (!is_usable(result))
            return archive_status(ctx, archive);
        TRY(ctx_check(ctx));
        ArenaMark mark = arena_mark(ctx->arena);
        TRY(see_entry(ctx, archive, root_fd, pass, entry));
        arena_rewind(ctx->arena, mark);
    }
}

Status unpack_archive(Ctx *ctx, const char *path, int root_fd, bool is_layer)
{
    if (!is_layer)
        return run_pass(ctx, path, root_fd, PASS_ALL);
    TRY(run_pass(ctx, path, root_fd, PASS_WHITEOUTS));
    return run_pass(ctx, path, root_fd, PASS_OTHERS);
}

/* Hard links of a folder are found by their inode numbers, as tar finds them. */
static Status walk_folder(Ctx *ctx, const char *path, int root_fd, struct archive *disk,
                          struct archive_entry_linkresolver *links)
{
    for (;;) {
        ArenaMark mark = arena_mark(ctx->arena);
        struct archive_entry *entry = archive_entry_new(), *spare = NULL;
        int result = archive_read_next_header2(disk, entry);
        Status s =
            result == ARCHIVE_EOF || is_usable(result) ? ctx_check(ctx) : archive_status(ctx, disk);
        if (status_ok(s) && result != ARCHIVE_EOF) {
            archive_read_disk_descend(disk);
            const char *below = archive_entry_pathname(entry) + strlen(path);
            archive_entry_copy_pathname(entry, arena_strdup(ctx->arena, *below ? below : "."));
            archive_entry_linkify(links, &entry, &spare);
            s = place_one(ctx, disk, root_fd, entry);
        }
        archive_entry_free(entry);
        if (!status_ok(s) || result == ARCHIVE_EOF)
            return s;
        arena_rewind(ctx->arena, mark);
    }
}

Status unpack_folder(Ctx *ctx, const char *path, int root_fd)
{
    CLEANUP(archive_freep) struct archive *disk = archive_read_disk_new();
    if (!disk)
        return STATUS(RESOURCE_EXHAUSTED);
    archive_read_disk_set_symlink_physical(disk);
    archive_read_disk_set_behavior(disk, ARCHIVE_READDISK_NO_XATTR | ARCHIVE_READDISK_NO_ACL);
    if (archive_read_disk_open(disk, path) != ARCHIVE_OK)
        return archive_status(ctx, disk);
    struct archive_entry_linkresolver *links = archive_entry_linkresolver_new();
    archive_entry_linkresolver_set_strategy(links, ARCHIVE_FORMAT_TAR_USTAR);
    Status s = walk_folder(ctx, path, root_fd, disk, links);
    archive_entry_linkresolver_free(links);
    return s;
}

static Status copy_plain(Ctx *ctx, struct archive *archive, int out_fd, Hasher *hasher)
{
    CLEANUP(arena_freep) Arena *memory = arena_new(2 * BLOCK_BYTES);
    uint8_t *block = arena_must(memory, BLOCK_BYTES);
    for (;;) {
        la_ssize_t got = archive_read_data(archive, block, BLOCK_BYTES);
        if (got < 0)
            return archive_status(ctx, archive);
        if (got == 0)
            return OK;
        TRY(ctx_check(ctx));
        hasher_add(hasher, bytes(block, (size_t)got));
        TRY(file_write_all(ctx, out_fd, block, (size_t)got));
    }
}

Status unpack_plain(Ctx *ctx, const char *path, int out_fd, Hash *out)
{
    CLEANUP(archive_freep) struct archive *archive = archive_read_new();
    if (!archive)
        return STATUS(RESOURCE_EXHAUSTED);
    allow_filters(archive);
    archive_read_support_format_raw(archive);
    archive_read_support_format_empty(archive);
    struct archive_entry *entry;
    if (archive_read_open_filename(archive, path, BLOCK_BYTES) != ARCHIVE_OK)
        return archive_status(ctx, archive);
    CLEANUP(hasher_freep) Hasher *hasher = hasher_new();
    int result = archive_read_next_header(archive, &entry);
    if (result != ARCHIVE_EOF) {
        if (!is_usable(result))
            return archive_status(ctx, archive);
        TRY(copy_plain(ctx, archive, out_fd, hasher));
    }
    *out = hasher_finish(hasher);
    return OK;
}
