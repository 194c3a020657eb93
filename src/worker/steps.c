/* steps.c - see steps.h.
 *
 * Encoded: each step is its op (one byte), then flags, number, extra as varints, then path, source
 * and data, each a varint size and the bytes, path and source followed by a NUL so that they can be
 * used in place.
 */
#include "worker/steps.h"

#include <sched.h>

#include "base/text.h"

static const char *const op_names[STEP_OP_COUNT] = {
    [STEP_UNSHARE] = "unshare",   [STEP_MAP_IDS] = "map-ids",   [STEP_PRIVATE] = "private",
    [STEP_ROOT] = "root",         [STEP_BIND] = "bind",         [STEP_SYMLINK] = "symlink",
    [STEP_MKDIR] = "mkdir",       [STEP_TMPFS] = "tmpfs",       [STEP_DEVPTS] = "devpts",
    [STEP_MASK] = "mask",         [STEP_FILE] = "file",         [STEP_READ_ONLY] = "read-only",
    [STEP_HOSTNAME] = "hostname", [STEP_LOOPBACK] = "loopback", [STEP_PIVOT] = "pivot",
    [STEP_PROC] = "proc",         [STEP_DOOR] = "door",
    [STEP_FORK] = "fork",         [STEP_SESSION] = "session",
    [STEP_RLIMIT] = "rlimit",     [STEP_NO_BOUND] = "no-bound", [STEP_IDS] = "ids",
    [STEP_NO_CAPS] = "no-caps",   [STEP_ENV] = "env",           [STEP_ARG] = "arg",
    [STEP_SECCOMP] = "seccomp",   [STEP_RESOLVE] = "resolve",   [STEP_EXEC] = "exec",
};

static const struct {
    StepFlag flag;
    const char *name;
} flag_names[] = {
    {STEP_RECURSIVE, "recursive"},
    { STEP_RO,       "ro"       },
    { STEP_DEVICES,  "devices"  },
    { STEP_OPTIONAL, "optional" },
};

/* People read them in reasons why a host gives no sandbox. */
static const struct {
    uint64_t flag;
    const char *name;
} namespace_names[] = {
    {CLONE_NEWUSER,  "user"   },
    { CLONE_NEWNS,   "mount"  },
    { CLONE_NEWPID,  "pid"    },
    { CLONE_NEWIPC,  "ipc"    },
    { CLONE_NEWUTS,  "uts"    },
    { CLONE_NEWNET,  "network"},
};

void steps_init(StepList *list, Arena *arena)
{
    *list = (StepList){ .arena = arena };
}

void steps_add(StepList *list, Step step)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        Step *grown = arena_must(list->arena, capacity * sizeof(Step));
        if (list->count)
            memcpy(grown, list->steps, list->count * sizeof(Step));
        list->steps = grown;
        list->capacity = capacity;
    }
    step.path = step.path ? step.path : "";
    step.source = step.source ? step.source : "";
    list->steps[list->count++] = step;
}

static void add_namespaces(Buf *out, uint64_t flags)
{
    for (size_t i = 0; i < ARRAY_LEN(namespace_names); i++) {
        if (flags & namespace_names[i].flag)
            buf_printf(out, " %s", namespace_names[i].name);
    }
}

static void add_numbers(Buf *out, const Step *step)
{
    unsigned long long number = step->number, extra = step->extra;
    if (step->op == STEP_MKDIR)
        buf_printf(out, " %04llo", number);
    else if (step->op == STEP_UNSHARE)
        add_namespaces(out, step->number);
    else if (step->op == STEP_TMPFS)
        buf_printf(out, " %llu %04llo", number, extra);
    else if (step->op == STEP_MAP_IDS || step->op == STEP_IDS || step->op == STEP_RLIMIT)
        buf_printf(out, " %llu %llu", number, extra);
}

static void add_text(Buf *out, const Step *step)
{
    buf_printf(out, "%s", op_names[step->op]);
    if (*step->path)
        buf_printf(out, " %s", step->path);
    if (*step->source)
        buf_printf(out, "%s%s", *step->path ? " <- " : " ", step->source);
    add_numbers(out, step);
    if (step->data.data)
        buf_printf(out, " (%zu bytes)", step->data.size);
    for (size_t i = 0; i < ARRAY_LEN(flag_names); i++) {
        if (step->flags & flag_names[i].flag)
            buf_printf(out, " %s", flag_names[i].name);
    }
}

char *step_text(Arena *arena, const Step *step)
{
    CLEANUP(buf_done) Buf text = { 0 };
    add_text(&text, step);
    return str_z(arena, buf_str(&text));
}

char *steps_text(Arena *arena, const StepList *list)
{
    CLEANUP(buf_done) Buf text = { 0 };
    for (size_t i = 0; i < list->count; i++) {
        add_text(&text, &list->steps[i]);
        buf_add_u8(&text, '\n');
    }
    return str_z(arena, buf_str(&text));
}

static void encode_string(Buf *out, const char *text)
{
    Str s = str(text);
    buf_add_varint(out, s.size);
    buf_add(out, s.data, s.size + 1);
}

void steps_encode(const StepList *list, Buf *out)
{
    for (size_t i = 0; i < list->count; i++) {
        const Step *step = &list->steps[i];
        buf_add_u8(out, (uint8_t)step->op);
        buf_add_varint(out, step->flags);
        buf_add_varint(out, step->number);
        buf_add_varint(out, step->extra);
        encode_string(out, step->path);
        encode_string(out, step->source);
        buf_add_varint(out, step->data.size);
        buf_add_bytes(out, step->data);
    }
}

static bool decode_bytes(Bytes b, size_t *at, size_t tail, Bytes *out)
{
    uint64_t size;
    if (!bytes_read_varint(b, at, &size) || size > b.size - *at || tail > b.size - *at - size)
        return false;
    *out = bytes(b.data + *at, (size_t)size);
    *at += (size_t)size + tail;
    return true;
}

static bool decode_string(Bytes b, size_t *at, const char **out)
{
    Bytes text;
    if (!decode_bytes(b, at, 1, &text) || text.data[text.size] != '\0')
        return false;
    *out = (const char *)text.data;
    return true;
}

static bool decode_step(Bytes b, size_t *at, Step *out)
{
    uint64_t flags;
    *out = (Step){ .op = (StepOp)b.data[(*at)++] };
    if (out->op >= STEP_OP_COUNT || !bytes_read_varint(b, at, &flags) || flags > UINT32_MAX ||
        !bytes_read_varint(b, at, &out->number) || !bytes_read_varint(b, at, &out->extra) ||
        !decode_string(b, at, &out->path) || !decode_string(b, at, &out->source) ||
        !decode_bytes(b, at, 0, &out->data))
        return false;
    out->flags = (unsigned)flags;
    if (out->data.size == 0)
        out->data.data = NULL;
    return true;
}

Status steps_decode(Ctx *ctx, Bytes encoded, StepList *out)
{
    steps_init(out, ctx->arena);
    for (size_t at = 0; at < encoded.size;) {
        Step step;
        if (!decode_step(encoded, &at, &step))
            return FAIL(ctx, DATA_LOSS, "list of steps is cut short or damaged after %zu steps",
                        out->count);
        steps_add(out, step);
    }
    return OK;
}
