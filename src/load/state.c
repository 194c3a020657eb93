/* state.c - a LoadState as the file "state" of a file set: messages that follow one another are
 * one, so commits are appended as they come. */
#include "codec/pb.h"
#include "load/load_priv.h"
#include "pfs/write.h"

#define STATE_PATH      "/state"
#define STATE_BYTES_MAX (64 * MiB)

void load_place_done(LoadPlace *place)
{
    buf_done(&place->commits);
}

static Status take_piece(void *arg, Ctx *ctx, Bytes piece)
{
    Buf *text = arg;
    if (text->size + piece.size > STATE_BYTES_MAX)
        return FAIL(ctx, RESOURCE_EXHAUSTED, "it is too long");
    buf_add_bytes(text, piece);
    return OK;
}

static Status read_file(Ctx *ctx, Pfs *pfs, const char *id, Buf *out)
{
    PfsView view;
    TRY(pfs_view_open(ctx, pfs, pfs_commit_ref(ctx, "default", PFS_FILESETS_REPO, id), &view));
    Status s = pfs_view_read(ctx, &view, STR(STATE_PATH), 0, UINT64_MAX, take_piece, out);
    return s.code == STATUS_NOT_FOUND ? FAIL(ctx, NOT_FOUND, "it has no file '%s'", &STATE_PATH[1])
                                      : s;
}

static Status read_state(Ctx *ctx, Pfs *pfs, const char *id, LoadPlace *out)
{
    ProtobufCMessage *message;
    TRY(read_file(ctx, pfs, id, &out->commits));
    TRY(pb_unpack(ctx, &procavia__load__load_state__descriptor, buf_bytes(&out->commits),
                  &message));
    const Procavia__Load__LoadState *state = (const Procavia__Load__LoadState *)message;
    if (!state->branch || !state->n_commits)
        return FAIL(ctx, INVALID_ARGUMENT, "it is not the state of a load test");
    out->newest = state->commits[state->n_commits - 1];
    if (!out->newest->commit || out->newest->digest.len != HASH_SIZE)
        return FAIL(ctx, INVALID_ARGUMENT, "it is not the state of a load test");
    out->branch = state->branch;
    out->files = state->files;
    return OK;
}

Status load_state_read(Ctx *ctx, Pfs *pfs, const char *id, LoadPlace *out)
{
    TRY_WRAP(ctx, read_state(ctx, pfs, id, out), "could not read state '%s'", id);
    return OK;
}

static void append(Ctx *ctx, Buf *out, const Procavia__Load__LoadState *state)
{
    buf_add_bytes(out, pb_pack_bytes(ctx, &state->base));
}

void load_state_add(Ctx *ctx, LoadPlace *place, const PfsV2__Commit *commit,
                    const LoadDigest *digest)
{
    Procavia__Load__LoadCommit *one =
        PB_NEW(ctx, procavia__load__load_commit, Procavia__Load__LoadCommit);
    Procavia__Load__LoadState *state =
        PB_NEW(ctx, procavia__load__load_state, Procavia__Load__LoadState);
    one->commit = arena_memdup(ctx->arena, commit, sizeof(*commit));
    one->digest =
        (ProtobufCBinaryData){ HASH_SIZE, arena_memdup(ctx->arena, digest->mix.bytes, HASH_SIZE) };
    one->files = digest->files;
    one->size_bytes = digest->bytes;
    state->commits = &one;
    state->n_commits = 1;
    append(ctx, &place->commits, state);
}

static Status write_state(Ctx *ctx, Pfs *pfs, Bytes text, const char **out_id)
{
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(pfs);
    const char *id;
    TRY(pfs_writer_put(ctx, writer, STR(STATE_PATH), STR(""), text));
    TRY(pfs_fileset_from_writer(ctx, writer, &id));
    *out_id = arena_strdup(ctx->arena, id);
    return OK;
}

Status load_state_write(Ctx *ctx, Pfs *pfs, const LoadPlace *place, const char **out_id)
{
    CLEANUP(buf_done) Buf text = { 0 };
    Procavia__Load__LoadState *rest =
        PB_NEW(ctx, procavia__load__load_state, Procavia__Load__LoadState);
    rest->branch = place->branch;
    rest->files = place->files;
    buf_add_str(&text, buf_str(&place->commits));
    append(ctx, &text, rest);
    TRY_WRAP(ctx, write_state(ctx, pfs, buf_bytes(&text), out_id), "could not keep the state");
    return OK;
}
