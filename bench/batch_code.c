/* batch_code.c - the smallest user code of a pipeline with datum batching: asks for datum after datum
 * and makes nothing of any, so that what is measured is what surrounds it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "codec/pb.h"
#include "wire/wire.h"
#include "worker/worker.pb-c.h"

static Status ask_for_ever(Ctx *ctx, WireClient *client)
{
    CLEANUP(buf_done) Buf answer = { 0 };
    for (;;) {
        ArenaMark mark = arena_mark(ctx->arena);
        Pachyderm__Worker__NextDatumRequest *request =
            PB_NEW(ctx, pachyderm__worker__next_datum_request, Pachyderm__Worker__NextDatumRequest);
        TRY(wire_call_unary(ctx, client, "/pachyderm.worker.Worker/NextDatum",
                            pb_pack_bytes(ctx, &request->base), &answer));
        arena_rewind(ctx->arena, mark);
    }
}

/* Ends when it is killed, or with the reason why it cannot go on. */
int main(void)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    const char *port = getenv("PPS_WORKER_GRPC_PORT");
    WireClient *client = NULL;
    Status s = wire_client_open(&ctx, text_printf(ctx.arena, "127.0.0.1:%s", port ? port : ""),
                                &client);
    if (status_ok(s))
        s = ask_for_ever(&ctx, client);
    fprintf(stderr, "batch_code: %s\n", status_message(s));
    wire_client_close(client);
    return 1;
}
