/* fetch.c - what a URL has, read by the helper that lies beside this program. */
#include "base/process.h"
#include "cmd/pcv/verbs_priv.h"
#include "remote/remote.h"

/* Specs and lists: what is larger was not meant. */
#define FETCH_BYTES_MAX (64 * MiB)

static Status fetch_all(Ctx *ctx, RemoteOp *op, const char *url, Buf *out)
{
    for (;;) {
        Bytes piece;
        TRY(remote_read(ctx, op, &piece));
        if (!piece.size)
            return OK;
        buf_add_bytes(out, piece);
        if (out->size > FETCH_BYTES_MAX)
            return FAIL(ctx, RESOURCE_EXHAUSTED, "\"%s\" is larger than %zu MiB",
                        remote_url_shown(ctx, url), FETCH_BYTES_MAX / MiB);
    }
}

Status fetch_url(Cli *cli, const char *url, Buf *out)
{
    Ctx *ctx = cli->ctx;
    const RemoteConfig config = { .program = process_sibling(ctx, "pcv-courier"),
                                  .hosts = "*", /* they are the user's own */
                                  .tries = 5,
                                  .stall_seconds = 60 };
    RemoteUrl parsed;
    TRY(remote_check(ctx, &config, url, &parsed));
    CLEANUP(remote_freep) Remote *remote = remote_new(&config);
    CLEANUP(remote_closep) RemoteOp *op = NULL;
    TRY(remote_get(ctx, remote, url, NULL, 0, UINT64_MAX, &op));
    return fetch_all(ctx, op, url, out);
}
