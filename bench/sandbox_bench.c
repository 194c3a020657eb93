/* sandbox_bench.c - what a sandbox costs: milliseconds of a sandboxed `true` beside a plain fork
 * and exec of it, turn by turn in one run, so that noise meets both. One JSON line a level; usage:
 * sandbox_bench [runs]. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "worker/sandbox.h"

static const char *const argv_true[] = { "/bin/true", NULL };
static const char *const no_env[] = { NULL };

static double ms_since(int64_t start_ns)
{
    return (double)(clock_mono_ns() - start_ns) / (double)NS_PER_MS;
}

static double run_plain(void)
{
    int64_t start = clock_mono_ns();
    pid_t pid = fork();
    if (pid == 0) {
        execl(argv_true[0], argv_true[0], (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
    return ms_since(start);
}

static double run_sandboxed(Ctx *ctx, Sandbox *sandbox)
{
    int64_t start = clock_mono_ns();
    ArenaMark mark = arena_mark(ctx->arena);
    SandboxRun run = { .argv = argv_true, .env = no_env };
    SandboxEvent event;
    SandboxExit ended;
    Status s = sandbox_start(ctx, sandbox, &run);
    if (status_ok(s))
        s = sandbox_wait(ctx, sandbox, -1, DEADLINE_NONE, &event, &ended);
    if (!status_ok(s)) {
        fprintf(stderr, "sandbox_bench: %s\n", status_message(s));
        exit(1);
    }
    arena_rewind(ctx->arena, mark);
    return ms_since(start);
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double quantile(double *values, size_t n, double q)
{
    qsort(values, n, sizeof(*values), by_value);
    return values[(size_t)(q * (double)(n - 1))];
}

static void bench_level(Ctx *ctx, const char *dir, SandboxLevel level, size_t runs)
{
    SandboxConfig config = {
        .slot_dir = dir,
        .limits = {.pids = 100, .tmp_bytes = 64 * MiB},
        .level_min = level,
        .level_max = level
    };
    CLEANUP(sandbox_closep) Sandbox *sandbox = NULL;
    int64_t start = clock_mono_ns();
    if (!status_ok(sandbox_open(ctx, &config, &sandbox))) {
        printf("{\"bench\":\"sandbox\",\"level\":\"%s\",\"skipped\":true}\n",
               sandbox_level_name(level));
        return;
    }
    double open_ms = ms_since(start);
    double *plain = malloc(runs * sizeof(double)), *boxed = malloc(runs * sizeof(double));
    for (size_t i = 0; i < runs; i++) {
        plain[i] = run_plain();
        boxed[i] = run_sandboxed(ctx, sandbox);
    }
    double plain_ms = quantile(plain, runs, 0.5), boxed_ms = quantile(boxed, runs, 0.5);
    printf("{\"bench\":\"sandbox\",\"level\":\"%s\",\"runs\":%zu,\"open_ms\":%.3f,\"plain_ms_p50\":"
           "%.3f,"
           "\"sandboxed_ms_p50\":%.3f,\"overhead_ms_p50\":%.3f,\"plain_ms_p99\":%.3f,\"sandboxed_"
           "ms_p99\":%.3f}\n",
           sandbox_level_name(level), runs, open_ms, plain_ms, boxed_ms, boxed_ms - plain_ms,
           quantile(plain, runs, 0.99), quantile(boxed, runs, 0.99));
    free(plain);
    free(boxed);
}

int main(int argc, char **argv)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    long runs = argc > 1 ? atol(argv[1]) : 500;
    char dir[] = "/tmp/sandbox-bench-XXXXXX";
    if (runs < 1 || !mkdtemp(dir)) {
        fprintf(stderr, "usage: sandbox_bench [runs]\n");
        return 2;
    }
    Status s = file_make_dirs(&ctx, text_printf(ctx.arena, "%s/pfs/out", dir), 0755);
    for (int level = SANDBOX_ROOT; status_ok(s) && level >= SANDBOX_USER; level--)
        bench_level(&ctx, dir, (SandboxLevel)level, (size_t)runs);
    if (status_ok(s))
        s = file_remove_tree(&ctx, dir);
    if (!status_ok(s))
        fprintf(stderr, "sandbox_bench: %s\n", status_message(s));
    return status_ok(s) ? 0 : 1;
}
