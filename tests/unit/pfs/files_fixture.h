/* files_fixture.h - files in the fixture of rows, as text.
 *
 * A commit is named "repo@branch" or "repo@id". Operations of a stream are lines:
 *   put /f text    (delete_file, then add_file, as clients overwrite)
 *   add /f text    (add_file: appends)
 *   del /f         (delete_file)
 *   copy repo@ref:/src /dst     append repo@ref:/src /dst
 * A datum follows a path after '#': "add /f#d1 text".
 */
#pragma once

#include "codec/pb.h"
#include "pfs/view.h"
#include "pfs/write.h"
#include "pfs_fixture.h"

/* --- handles ---------------------------------------------------------------------------------- */

/* A branch's handle has no id, as clients make it. */
static inline PfsV2__Commit *handle_of(Ctx *ctx, const char *text)
{
    const char *at = strchr(text, '@');
    char *repo = arena_strndup(ctx->arena, text, (size_t)(at - text)),
         *ref = arena_strdup(ctx->arena, at + 1);
    bool is_id = id_is_v4(str(ref)) || strcmp(repo, PFS_FILESETS_REPO) == 0;
    PfsV2__Commit *commit = pfs_commit_ref(ctx, "default", repo, is_id ? ref : "");
    if (!is_id)
        commit->branch = pfs_branch_ref(ctx, "default", repo, ref);
    return commit;
}

/* "repo@ref:/path#datum" */
static inline PfsV2__File *file_of(Ctx *ctx, const char *text)
{
    const char *colon = strchr(text, ':'), *hash = strchr(colon, '#');
    PfsV2__File *file = PB_NEW(ctx, pfs_v2__file, PfsV2__File);
    file->commit = handle_of(ctx, arena_strndup(ctx->arena, text, (size_t)(colon - text)));
    file->path = hash ? arena_strndup(ctx->arena, colon + 1, (size_t)(hash - colon - 1))
                      : arena_strdup(ctx->arena, colon + 1);
    if (hash)
        file->datum = arena_strdup(ctx->arena, hash + 1);
    return file;
}

/* "repo@id" of a new open commit on a branch. */
static inline char *start_commit(Fixture *f, const char *branch)
{
    size_t at = str_find(str(branch), '@');
    return text_printf(f->ctx.arena, "%.*s@%s", (int)at, branch, start(f, branch));
}

/* The row a handle picks. */
static inline PfsCommitRow row_of(Fixture *f, const char *commit)
{
    PfsTx *tx;
    PfsCommitRow row;
    assert_ok(pfs_begin_read(&f->ctx, f->pfs, &tx));
    assert_ok(pfs_pick(&f->ctx, tx, handle_of(&f->ctx, commit), &row));
    pfs_rollback(tx);
    return row;
}

/* --- writing ---------------------------------------------------------------------------------- */

static inline Status op_add(Ctx *ctx, PfsWriter *writer, PfsV2__File *at, const char *text)
{
    PfsV2__ModifyFileRequest *request =
        PB_NEW(ctx, pfs_v2__modify_file_request, PfsV2__ModifyFileRequest);
    request->body_case = PFS_V2__MODIFY_FILE_REQUEST__BODY_ADD_FILE;
    request->add_file = PB_NEW(ctx, pfs_v2__add_file, PfsV2__AddFile);
    request->add_file->path = at->path;
    request->add_file->datum = at->datum;
    if (text) {
        request->add_file->source_case = PFS_V2__ADD_FILE__SOURCE_RAW;
        request->add_file->raw =
            PB_NEW(ctx, google__protobuf__bytes_value, Google__Protobuf__BytesValue);
        request->add_file->raw->value.data = arena_memdup(ctx->arena, text, strlen(text));
        request->add_file->raw->value.len = strlen(text);
    }
    return pfs_writer_modify(ctx, writer, request);
}

static inline Status op_delete(Ctx *ctx, PfsWriter *writer, PfsV2__File *at)
{
    PfsV2__ModifyFileRequest *request =
        PB_NEW(ctx, pfs_v2__modify_file_request, PfsV2__ModifyFileRequest);
    request->body_case = PFS_V2__MODIFY_FILE_REQUEST__BODY_DELETE_FILE;
    request->delete_file = PB_NEW(ctx, pfs_v2__delete_file, PfsV2__DeleteFile);
    request->delete_file->path = at->path;
    request->delete_file->datum = at->datum;
    return pfs_writer_modify(ctx, writer, request);
}

static inline Status op_copy(Ctx *ctx, PfsWriter *writer, const char *src, PfsV2__File *at,
                             bool append)
{
    PfsV2__ModifyFileRequest *request =
        PB_NEW(ctx, pfs_v2__modify_file_request, PfsV2__ModifyFileRequest);
    request->body_case = PFS_V2__MODIFY_FILE_REQUEST__BODY_COPY_FILE;
    request->copy_file = PB_NEW(ctx, pfs_v2__copy_file, PfsV2__CopyFile);
    request->copy_file->src = file_of(ctx, src);
    request->copy_file->dst = at->path;
    request->copy_file->datum = at->datum;
    request->copy_file->append = append;
    return pfs_writer_modify(ctx, writer, request);
}

/* "path#datum" as a File without a commit. */
static inline PfsV2__File *place_of(Ctx *ctx, const char *text)
{
    return file_of(ctx, text_printf(ctx->arena, "x@y:%s", text));
}

static inline Status run_op(Ctx *ctx, PfsWriter *writer, const char *line)
{
    char *verb = arena_strdup(ctx->arena, line), *first = strchr(verb, ' '), *second;
    *first++ = '\0';
    if ((second = strchr(first, ' ')))
        *second++ = '\0';
    if (!strcmp(verb, "del"))
        return op_delete(ctx, writer, place_of(ctx, first));
    if (!strcmp(verb, "copy") || !strcmp(verb, "append"))
        return op_copy(ctx, writer, first, place_of(ctx, second), *verb == 'a');
    if (!strcmp(verb, "put"))
        TRY(op_delete(ctx, writer, place_of(ctx, first)));
    return op_add(ctx, writer, place_of(ctx, first), second);
}

/* One stream into a commit, up to the first NULL. */
static inline Status try_write(Ctx *ctx, Pfs *pfs, const char *commit, const char *const *ops,
                               size_t n)
{
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(pfs);
    TRY(pfs_writer_target(ctx, writer, handle_of(ctx, commit)));
    for (size_t i = 0; i < n && ops[i]; i++)
        TRY(run_op(ctx, writer, ops[i]));
    return pfs_writer_commit(ctx, writer);
}

#define WRITE(f, commit, ...)                                                                      \
    assert_ok(try_write(&(f)->ctx, (f)->pfs, (commit), (const char *const[]){ __VA_ARGS__ },       \
                        ARRAY_LEN(((const char *const[]){ __VA_ARGS__ }))))
#define WRITE_FAILS(f, commit, code, text, ...)                                                    \
    assert_fails(try_write(&(f)->ctx, (f)->pfs, (commit), (const char *const[]){ __VA_ARGS__ },    \
                           ARRAY_LEN(((const char *const[]){ __VA_ARGS__ }))),                     \
                 code, text)

/* --- reading ---------------------------------------------------------------------------------- */

static inline Status add_bytes(void *arg, Ctx *ctx, Bytes piece)
{
    (void)ctx;
    buf_add_bytes(arg, piece);
    return OK;
}

/* A file's content, or the message of the error. */
static inline char *get(Fixture *f, const char *file, int64_t offset)
{
    CLEANUP(buf_done) Buf buf = { 0 };
    PfsV2__GetFileRequest *request =
        PB_NEW(&f->ctx, pfs_v2__get_file_request, PfsV2__GetFileRequest);
    request->file = file_of(&f->ctx, file);
    request->offset = offset;
    Status status = pfs_get_file(&f->ctx, f->pfs, request, add_bytes, &buf);
    return status_ok(status) ? str_z(f->ctx.arena, buf_str(&buf))
                             : arena_strdup(f->ctx.arena, status_message(status));
}

static inline Status add_path(void *arg, Ctx *ctx, const PfsV2__FileInfo *info)
{
    (void)ctx;
    buf_printf(arg, "%s%s", ((Buf *)arg)->size ? " " : "", info->file->path);
    if (*info->file->datum && strcmp(info->file->datum, "default"))
        buf_printf(arg, "#%s", info->file->datum);
    return OK;
}

/* The paths of a walk, joined by spaces; or the message of the error. */
static inline char *walk(Fixture *f, const char *file)
{
    CLEANUP(buf_done) Buf buf = { 0 };
    PfsV2__WalkFileRequest *request =
        PB_NEW(&f->ctx, pfs_v2__walk_file_request, PfsV2__WalkFileRequest);
    request->file = file_of(&f->ctx, file);
    Status status = pfs_walk_file(&f->ctx, f->pfs, request, add_path, &buf);
    return status_ok(status) ? str_z(f->ctx.arena, buf_str(&buf))
                             : arena_strdup(f->ctx.arena, status_message(status));
}

/* All files of a commit: "/a=text /b=text". */
static inline char *show(Fixture *f, const char *commit)
{
    CLEANUP(buf_done) Buf buf = { 0 };
    char *paths = walk(f, text_printf(f->ctx.arena, "%s:/", commit)), *rest = paths;
    for (char *path; (path = strsep(&rest, " "));)
        if (*path && path[strlen(path) - 1] != '/')
            buf_printf(&buf, "%s%s=%s", buf.size ? " " : "", path,
                       get(f, text_printf(f->ctx.arena, "%s:%s", commit, path), 0));
    return str_z(f->ctx.arena, buf_str(&buf));
}
