/* wire_echo_server.c - a server of nothing but wire, for clients that others wrote. Prints its
 * address, serves until its standard input ends, then drains. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit/wire/echo.h"
#include "wire/http.h"

/* The body comes back while it is still sent. */
static Status pipe_through(void *self, Ctx *ctx, WireHttp *http)
{
    (void)self;
    static const size_t piece_bytes = 64 * KiB;
    uint8_t *piece = arena_must(ctx->arena, piece_bytes);
    wire_http_set_header(http, "echo-target", wire_http_target(http));
    wire_http_set_header(http, "echo-host", wire_http_host(http));
    TRY(wire_http_respond(ctx, http, 200, wire_http_body_size(http)));
    for (size_t size = 1; size;) {
        TRY(wire_http_read(ctx, http, piece, piece_bytes, &size));
        TRY(wire_http_write(ctx, http, bytes(piece, size)));
    }
    return OK;
}

static void must(Status s)
{
    if (!status_ok(s)) {
        fprintf(stderr, "wire_echo_server: %s\n", status_message(s));
        exit(1);
    }
}

int main(int argc, char **argv)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    WireServer *server;
    char byte;
    const WireHttpHandler http = { .handle = pipe_through };
    const WireConfig config = { .listen = argc > 1 ? argv[1] : "127.0.0.1:0",
                                .handle = echo_handle,
                                .http = &http };
    must(wire_server_start(&ctx, &config, &server));
    printf("%s\n", wire_server_address(server));
    fflush(stdout);
    while (read(0, &byte, 1) > 0)
        continue;
    wire_server_stop(server, 5000);
    return 0;
}
