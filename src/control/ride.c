/* ride.c - small inputs that go to the worker within its order, so that most datums need no call of
 * their own. A repo's commit is opened once an order, not once
 * a file. */
#include "control/control_priv.h"

#define FILE_BYTES_MAX  (16 * KiB) /* of one file */
#define DIR_BYTES_MAX   (64 * KiB) /* of all below a directory */
#define DIR_FILES_MAX   64
#define ORDER_BYTES_MAX (4 * MiB)

static Status find_view(Ctx *ctx, Ride *ride, const PfsV2__Commit *commit, RideView **out)
{
    for (size_t i = 0; i < MIN(ride->view_count, ARRAY_LEN(ride->views)); i++) {
        const PfsV2__Repo *repo = ride->views[i].repo;
        *out = &ride->views[i];
        if (strcmp(repo->name, commit->repo->name) == 0 &&
            strcmp(repo->project->name, commit->repo->project->name) == 0)
            return OK;
    }
    RideView *fresh = &ride->views[ride->view_count % ARRAY_LEN(ride->views)];
    TRY(pfs_view_open(ctx, ride->pfs, commit, &fresh->view));
    tree_cursor_free(fresh->files);
    fresh->files = tree_cursor_new(&fresh->view.content->io, &fresh->view.root);
    fresh->repo = commit->repo;
    ride->view_count++;
    *out = fresh;
    return OK;
}

void ride_done(Ride *ride)
{
    for (size_t i = 0; i < ARRAY_LEN(ride->views); i++)
        ride->views[i].files = tree_cursor_free(ride->views[i].files);
}

/* In keep's arena; ctx is another, which streams may rewind. */
static Status read_file(Ctx *ctx, Ctx *keep, RideView *view, Str path, ProtobufCBinaryData *out)
{
    CLEANUP(buf_done) Buf content = { 0 };
    TRY(tree_cursor_seek(ctx, view->files, path, STR("")));
    const TreeEntry *entry = tree_cursor_entry(view->files);
    if (!entry || !str_eq(entry->path, path))
        return FAIL(ctx, NOT_FOUND, "file '" STR_FMT "' of an input is gone", STR_ARG(path));
    TRY(content_read_all(ctx, view->view.content, &entry->record, &content));
    out->data = arena_memdup(keep->arena, content.data, content.size);
    out->len = content.size;
    return OK;
}

/* --- directories ------------------------------------------------------------------------------ */

typedef struct DirRide {
    Ctx *keep;
    Procavia__Work__WorkInput *input;
    bool too_many;
} DirRide;

static Status add_name(void *arg, Ctx *ctx, const PfsMatch *match, bool *out_done)
{
    (void)ctx;
    DirRide *dir = arg;
    Ctx *keep = dir->keep;
    dir->too_many = *out_done = dir->input->n_files == DIR_FILES_MAX;
    if (dir->too_many)
        return OK;
    Procavia__Work__WorkFile *file =
        PB_NEW(keep, procavia__work__work_file, Procavia__Work__WorkFile);
    file->path = str_z(keep->arena, match->path);
    file->hash.data = arena_memdup(keep->arena, match->hash.bytes, HASH_SIZE);
    file->hash.len = HASH_SIZE;
    dir->input->files[dir->input->n_files++] = file;
    return OK;
}

static Status add_dir(Ctx *ctx, Ctx *keep, RideView *view, Procavia__Work__WorkInput *input)
{
    DirRide dir = { keep, input, false };
    const PfsPrefix all = { .prefix = str(input->file->path), .after = STR("") };
    input->files = ARENA_NEW(keep->arena, Procavia__Work__WorkFile *, DIR_FILES_MAX);
    if (!input->files)
        return STATUS(RESOURCE_EXHAUSTED);
    TRY(pfs_view_prefix(ctx, &view->view, &all, add_name, &dir));
    for (size_t i = 0; i < input->n_files && !dir.too_many; i++)
        TRY(read_file(ctx, keep, view, str(input->files[i]->path), &input->files[i]->content));
    input->has_files = !dir.too_many;
    input->n_files = dir.too_many ? 0 : input->n_files;
    return OK;
}

/* ---------------------------------------------------------------------------------------------- */

static bool may_ride(const Ride *ride, const DatumInput *input)
{
    bool is_user = !*input->from->repo_type || strcmp(input->from->repo_type, "user") == 0;
    return !ride->closed && is_user &&
           input->size <= (input->is_dir ? DIR_BYTES_MAX : FILE_BYTES_MAX) &&
           ride->bytes + input->size <= ORDER_BYTES_MAX && !input->from->lazy &&
           !input->from->empty_files && !input->from->s3;
}

Status ride_along(Ctx *ctx, Ride *ride, const DatumInput *input, Procavia__Work__WorkInput *out)
{
    RideView *view;
    if (!may_ride(ride, input))
        return OK;
    CLEANUP(ctx_done) Ctx scratch;
    ctx_scratch(&scratch, ctx);
    TRY(find_view(ctx, ride, out->file->commit, &view));
    Status s = input->is_dir ? add_dir(&scratch, ctx, view, out)
                             : read_file(&scratch, ctx, view, str(out->file->path), &out->content);
    if (status_ok(s)) {
        out->has_content = !input->is_dir;
        ride->bytes += input->size;
    }
    return status_copy(ctx, s);
}
