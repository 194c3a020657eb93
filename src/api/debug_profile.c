/* debug_profile.c - what the server's own process is doing, as text (debug_priv.h). */
#include "api/debug_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/file.h"
#include "base/text.h"
#include "codec/pbtime.h"

#define CPU_NS_DEFAULT    (30 * NS_PER_SEC)
#define CPU_NS_MAX        (10 * 60 * NS_PER_SEC)
#define PROC_TEXT_MAX     (64 * KiB)
#define STAT_STATE_FIELD  0 /* of what follows the name */
#define STAT_USER_FIELD   11
#define STAT_SYSTEM_FIELD 12

/* A small file of /proc, as far as it can be read. */
static Str proc_text(Ctx *ctx, const char *path)
{
    char *text = arena_must(ctx->arena, PROC_TEXT_MAX);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t size = 0;
    for (ssize_t n; fd >= 0 && size < PROC_TEXT_MAX; size += (size_t)n) {
        n = read(fd, text + size, PROC_TEXT_MAX - size);
        if (n <= 0)
            break;
    }
    return (Str){ text, size };
}

/* --- threads ---------------------------------------------------------------------------------- */

typedef struct ThreadUse {
    long id;
    char name[64], state;
    int64_t cpu_ms;
} ThreadUse;

typedef struct ThreadUses {
    ThreadUse *items;
    size_t n, capacity;
} ThreadUses;

/* "id (name) state …": a name may hold anything, so what follows it begins at the last ')'. */
static bool parse_stat(const char *text, ThreadUse *out)
{
    const char *from = strchr(text, '('), *to = strrchr(text, ')');
    if (!from || !to)
        return false;
    snprintf(out->name, sizeof(out->name), "%.*s", (int)(to - from - 1), from + 1);
    out->id = strtol(text, NULL, 10);
    int64_t ticks = 0;
    char *rest = NULL, *copy = strdup(to + 1);
    int field = 0;
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (field == STAT_STATE_FIELD)
            out->state = *word;
        if (field == STAT_USER_FIELD || field == STAT_SYSTEM_FIELD)
            ticks += strtoll(word, NULL, 10);
        field++;
    }
    free(copy);
    out->cpu_ms = ticks * 1000 / sysconf(_SC_CLK_TCK);
    return field > STAT_SYSTEM_FIELD;
}

static Status add_thread(Ctx *ctx, const char *id, ThreadUses *uses)
{
    if (uses->n == uses->capacity) {
        size_t capacity = MAX(uses->capacity * 2, (size_t)64);
        ThreadUse *items = ARENA_NEW(ctx->arena, ThreadUse, capacity);
        if (!items)
            return STATUS(RESOURCE_EXHAUSTED);
        if (uses->n)
            memcpy(items, uses->items, uses->n * sizeof(*items));
        uses->items = items;
        uses->capacity = capacity;
    }
    Str text = proc_text(ctx, text_printf(ctx->arena, "/proc/self/task/%s/stat", id));
    uses->n += parse_stat(str_z(ctx->arena, text), &uses->items[uses->n]);
    return OK;
}

static Status read_threads(Ctx *ctx, ThreadUses *out)
{
    *out = (ThreadUses){ 0 };
    DIR *dir = opendir("/proc/self/task");
    if (!dir)
        return status_errno(ctx, errno, "could not list the server's threads");
    Status s = OK;
    for (struct dirent *entry; status_ok(s) && (entry = readdir(dir));) {
        if (*entry->d_name != '.')
            s = add_thread(ctx, entry->d_name, out);
    }
    closedir(dir);
    return s;
}

static Status show_threads(Ctx *ctx, const DebugV2__Profile *profile, Buf *out)
{
    (void)profile;
    ThreadUses uses;
    TRY(read_threads(ctx, &uses));
    buf_printf(out, "%-10s %-5s %12s  %s\n", "thread", "state", "cpu ms", "name");
    for (size_t i = 0; i < uses.n; i++)
        buf_printf(out, "%-10ld %-5c %12lld  %s\n", uses.items[i].id, uses.items[i].state,
                   (long long)uses.items[i].cpu_ms, uses.items[i].name);
    return OK;
}

/* --- processor time --------------------------------------------------------------------------- */

/* Nothing is published for it: only the time, or the end of the call, ends the wait. */
static Status wait_for(Call *call, int64_t ns)
{
    Ctx waiting = *call->ctx;
    EventBus *bus = db_events(pfs_db(call->api->config.pfs));
    uint64_t topic = event_topic("debug", STR("nothing"));
    waiting.deadline_ns = MIN(call->ctx->deadline_ns, clock_mono_ns() + ns);
    Status s = OK;
    while (status_ok(s))
        s = event_wait(&waiting, bus, &topic, 1, event_epoch(bus));
    if (s.code != STATUS_DEADLINE_EXCEEDED)
        return s;
    return ctx_check(call->ctx);
}

static int64_t cpu_before(const ThreadUses *before, long id)
{
    for (size_t i = 0; i < before->n; i++) {
        if (before->items[i].id == id)
            return before->items[i].cpu_ms;
    }
    return 0;
}

static int by_cpu(const void *a, const void *b)
{
    const ThreadUse *x = a, *y = b;
    return (x->cpu_ms < y->cpu_ms) - (x->cpu_ms > y->cpu_ms);
}

/* What each thread used while the profile was taken, the busiest first. */
static Status show_cpu(Call *call, const DebugV2__Profile *profile, Buf *out)
{
    int64_t ns = pb_duration_ns(profile->duration);
    ns = ns > 0 ? MIN(ns, CPU_NS_MAX) : CPU_NS_DEFAULT;
    ThreadUses before, after;
    TRY(read_threads(call->ctx, &before));
    TRY(wait_for(call, ns));
    TRY(read_threads(call->ctx, &after));
    for (size_t i = 0; i < after.n; i++)
        after.items[i].cpu_ms -= cpu_before(&before, after.items[i].id);
    if (after.n)
        qsort(after.items, after.n, sizeof(*after.items), by_cpu);
    buf_printf(out, "processor time over %.3f s\n%12s  %-10s %s\n", (double)ns / NS_PER_SEC,
               "cpu ms", "thread", "name");
    for (size_t i = 0; i < after.n; i++)
        buf_printf(out, "%12lld  %-10ld %s\n", (long long)after.items[i].cpu_ms, after.items[i].id,
                   after.items[i].name);
    return OK;
}

/* --- memory ----------------------------------------------------------------------------------- */

static Status show_heap(Ctx *ctx, Buf *out)
{
    char *text = NULL;
    size_t size = 0;
    buf_add_str(out, proc_text(ctx, "/proc/self/status"));
    FILE *file = open_memstream(&text, &size);
    if (!file)
        return status_errno(ctx, errno, "could not describe the heap");
    malloc_info(0, file);
    fclose(file);
    buf_add(out, text, size);
    free(text);
    return OK;
}

Status debug_profile(Call *call, const DebugV2__Profile *profile, Buf *out)
{
    const char *name = profile ? profile->name : "";
    if (strcmp(name, "cpu") == 0)
        return show_cpu(call, profile, out);
    if (strcmp(name, "heap") == 0)
        return show_heap(call->ctx, out);
    if (strcmp(name, "goroutine") == 0 || strcmp(name, "threads") == 0)
        return show_threads(call->ctx, profile, out);
    return FAIL(call->ctx, UNKNOWN, "unable to find profile %s",
                text_quote(call->ctx->arena, str(name)));
}
