/* wire_bench.c - what a call and a byte cost in wire: one JSON object a line. Server and client are
 * in one process, joined by loopback; CPU is that of both. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "wire/wire.h"

#define UNARY_CALLS         20000
#define BULK_BYTES          (1 * GiB)
#define BULK_MESSAGE_BYTES  (2 * MiB)
#define SMALL_MESSAGES      100000
#define SMALL_MESSAGE_BYTES 1000

static void must(Status s)
{
    if (!status_ok(s)) {
        fprintf(stderr, "wire_bench: %s\n", status_message(s));
        exit(1);
    }
}

static Status discard(Ctx *ctx, WireCall *call, Buf *buf)
{
    for (bool end = false; !end;)
        TRY(wire_recv(ctx, call, buf, &end));
    return wire_send(ctx, call, (Bytes){ 0 });
}

static Status produce(Ctx *ctx, WireCall *call, Buf *buf)
{
    buf_reserve(buf, BULK_MESSAGE_BYTES);
    memset(buf->data, 'x', BULK_MESSAGE_BYTES);
    for (size_t sent = 0; sent < BULK_BYTES; sent += BULK_MESSAGE_BYTES)
        TRY(wire_send(ctx, call, bytes(buf->data, BULK_MESSAGE_BYTES)));
    return OK;
}

static Status handle(void *self, Ctx *ctx, WireCall *call)
{
    (void)self;
    CLEANUP(buf_done) Buf buf = { 0 };
    bool download = strcmp(wire_call_path(call), "/bench.Bench/Download") == 0;
    return download ? produce(ctx, call, &buf) : discard(ctx, call, &buf);
}

typedef struct Times {
    int64_t wall_ns, cpu_ns;
} Times;

static int64_t ns_of(struct timeval t)
{
    return t.tv_sec * NS_PER_SEC + t.tv_usec * 1000;
}

static Times now(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (Times){ clock_mono_ns(), ns_of(usage.ru_utime) + ns_of(usage.ru_stime) };
}

static Times since(Times start)
{
    Times end = now();
    return (Times){ end.wall_ns - start.wall_ns, end.cpu_ns - start.cpu_ns };
}

static double seconds(int64_t ns)
{
    return (double)ns / (double)NS_PER_SEC;
}

static int compare_ns(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void bench_unary(Ctx *ctx, WireClient *client)
{
    static int64_t ns[UNARY_CALLS];
    CLEANUP(buf_done) Buf buf = { 0 };
    Times start = now();
    for (size_t i = 0; i < UNARY_CALLS; i++) {
        ArenaMark mark = arena_mark(ctx->arena);
        int64_t before_ns = clock_mono_ns();
        must(wire_call_unary(ctx, client, "/bench.Bench/Ping", str_bytes(STR("ping")), &buf));
        ns[i] = clock_mono_ns() - before_ns;
        arena_rewind(ctx->arena, mark);
    }
    Times took = since(start);
    qsort(ns, UNARY_CALLS, sizeof(ns[0]), compare_ns);
    printf("{\"bench\":\"wire_unary\",\"p50_us\":%.1f,\"p99_us\":%.1f,\"cpu_us\":%.1f}\n",
           (double)ns[UNARY_CALLS / 2] / 1e3, (double)ns[UNARY_CALLS * 99 / 100] / 1e3,
           (double)took.cpu_ns / UNARY_CALLS / 1e3);
}

static void report_bytes(const char *name, size_t total, Times took)
{
    printf("{\"bench\":\"%s\",\"mb_per_s\":%.0f,\"wall_s\":%.3f,\"cpu_s\":%.3f}\n", name,
           (double)total / 1e6 / seconds(took.wall_ns), seconds(took.wall_ns),
           seconds(took.cpu_ns));
}

static void bench_upload(Ctx *ctx, WireClient *client, const char *name, size_t messages,
                         size_t size)
{
    CLEANUP(wire_stream_closep) WireStream *stream = NULL;
    CLEANUP(buf_done) Buf message = { 0 };
    CLEANUP(buf_done) Buf answer = { 0 };
    bool end;
    buf_reserve(&message, size);
    memset(message.data, 'x', size);
    Times start = now();
    must(wire_stream_open(ctx, client, "/bench.Bench/Upload", &stream));
    for (size_t i = 0; i < messages; i++)
        must(wire_stream_send(ctx, stream, bytes(message.data, size)));
    must(wire_stream_close_send(ctx, stream));
    must(wire_stream_recv(ctx, stream, &answer, &end));
    report_bytes(name, messages * size, since(start));
}

static void bench_download(Ctx *ctx, WireClient *client)
{
    CLEANUP(wire_stream_closep) WireStream *stream = NULL;
    CLEANUP(buf_done) Buf buf = { 0 };
    size_t total = 0;
    Times start = now();
    must(wire_stream_open(ctx, client, "/bench.Bench/Download", &stream));
    must(wire_stream_close_send(ctx, stream));
    for (bool end = false; !end; total += buf.size)
        must(wire_stream_recv(ctx, stream, &buf, &end));
    report_bytes("wire_download", total, since(start));
}

int main(void)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    WireServer *server;
    WireClient *client;
    const WireConfig config = { .listen = "127.0.0.1:0", .handle = handle };
    must(wire_server_start(&ctx, &config, &server));
    must(wire_client_open(&ctx, wire_server_address(server), &client));
    bench_unary(&ctx, client);
    bench_upload(&ctx, client, "wire_upload_1gib", BULK_BYTES / BULK_MESSAGE_BYTES,
                 BULK_MESSAGE_BYTES);
    bench_upload(&ctx, client, "wire_upload_small", SMALL_MESSAGES, SMALL_MESSAGE_BYTES);
    bench_download(&ctx, client);
    wire_client_close(client);
    wire_server_stop(server, 1000);
    return 0;
}
