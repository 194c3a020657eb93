/* export.c - the files of a tree, written below an object URL (§20.2, §20.3). Today's object store
 * is a folder of the server's own machine, where the configuration allows that. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "pfs/listing.h"
#include "pfs/pfs_priv.h"
#include "pfs/url.h"

/* The folder that a file URL names: "file:///a/b/" is "/a/b". */
static Status folder_of(Ctx *ctx, const Pfs *pfs, const char *url, const char **out)
{
    static const char scheme[] = "file://";
    if (strncmp(url, scheme, sizeof(scheme) - 1) != 0 || !pfs->file_urls)
        return pfs_url_export(ctx, url);
    Str path = str(url + sizeof(scheme) - 1);
    while (path.size > 1 && str_ends(path, STR("/")))
        path.size--;
    if (!str_starts(path, STR("/")))
        return FAIL(ctx, INVALID_ARGUMENT, "file URL '%s' does not name an absolute path", url);
    *out = str_z(ctx->arena, path);
    return OK;
}

static Status write_piece(void *fd, Ctx *ctx, Bytes piece)
{
    return file_write_all(ctx, *(const int *)fd, piece.data, piece.size);
}

/* A file that is there is overwritten, through a name beside it: readers see old or new. */
static Status write_file(Ctx *ctx, Content *content, const char *folder, const TreeEntry *entry)
{
    char *path = text_printf(ctx->arena, "%s" STR_FMT, folder, STR_ARG(entry->path));
    char *draft = text_printf(ctx->arena, "%s.part", path);
    const char *parent = arena_strndup(ctx->arena, path, (size_t)(strrchr(path, '/') - path));
    TRY_WRAP(ctx, file_make_dirs(ctx, parent, 0755), "could not make folder '%s'", parent);
    AUTO_FD fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return status_errno(ctx, errno, "could not create file '%s'", draft);
    Status s = content_read(ctx, content, &entry->record, 0, UINT64_MAX, write_piece, &fd);
    if (status_ok(s))
        s = file_sync(ctx, fd);
    if (status_ok(s) && rename(draft, path) < 0)
        s = status_errno(ctx, errno, "could not rename file '%s'", draft);
    if (!status_ok(s))
        unlink(draft);
    return s;
}

static Status write_all(Ctx *ctx, Content *content, Listing *files, const char *folder,
                        int64_t *out_bytes)
{
    for (;;) {
        ArenaMark mark = arena_mark(ctx->arena);
        Item item;
        TRY(ctx_check(ctx));
        TRY(listing_next(ctx, files, &item));
        if (!item.path.size)
            return OK;
        if (item.entry) {
            TRY_WRAP(ctx, write_file(ctx, content, folder, item.entry),
                     "could not export file '" STR_FMT "'", STR_ARG(item.path));
            *out_bytes += (int64_t)item.entry->record.size;
        }
        arena_rewind(ctx->arena, mark);
    }
}

Status pfs_url_export_tree(Ctx *ctx, Pfs *pfs, const Hash *root, const char *url,
                           int64_t *out_bytes)
{
    const char *folder = ""; /* set, unless it is refused */
    *out_bytes = 0;
    TRY(folder_of(ctx, pfs, url, &folder));
    const Span everything = { .base = STR("/"), .lower = STR(""), .upper = STR("") };
    CLEANUP(listing_done) Listing files;
    listing_init(&files, &pfs->content.io, root, &everything, LISTING_DEEP);
    return write_all(ctx, &pfs->content, &files, folder, out_bytes);
}

void pfs_allow_file_urls(Pfs *pfs, bool allowed)
{
    pfs->file_urls = allowed;
}
