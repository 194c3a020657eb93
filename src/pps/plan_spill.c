/* plan_spill.c - sorted runs of entries in a file without a name, merged when read; see
 * plan_priv.h.
 *
 * Reading, each run has a window into the file and a head entry; a binary heap keeps the run with
 * the least head on top, the older run of two with one path.
 */
#include "pps/plan_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define WRITE_BYTES  (256 * KiB)
#define WINDOW_BYTES (32 * KiB)

typedef struct Run {
    uint64_t at, end; /* in the file: what the window has not read yet */
    Buf window;
    size_t head_at, head_size; /* in the window; size 0: the run is at its end */
    TreeEntry head;
} Run;

struct Spill {
    const char *dir;
    int fd;
    uint64_t file_size;
    Buf pending; /* of the run being written */
    Run *runs;
    size_t run_count, run_capacity;
    size_t *heap; /* indexes of runs that have a head */
    size_t heap_count;
    Buf last_path;
};

Spill *spill_new(const char *dir)
{
    Spill *spill = calloc(1, sizeof(*spill));
    if (!spill)
        abort();
    spill->dir = dir;
    spill->fd = -1;
    return spill;
}

Spill *spill_free(Spill *spill)
{
    if (!spill)
        return NULL;
    fd_closep(&spill->fd);
    buf_done(&spill->pending);
    buf_done(&spill->last_path);
    for (size_t i = 0; i < spill->run_count; i++)
        buf_done(&spill->runs[i].window);
    free(spill->runs);
    free(spill->heap);
    free(spill);
    return NULL;
}

bool spill_is_empty(const Spill *spill)
{
    return spill->run_count == 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Not every file system knows files that never had a name. */
static Status open_file(Ctx *ctx, Spill *spill)
{
    const char *tmp = getenv("TMPDIR");
    const char *dir = spill->dir ? spill->dir : tmp ? tmp : "/var/tmp";
    spill->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (spill->fd >= 0)
        return OK;
    char *path = text_printf(ctx->arena, "%s/pcv-plan-XXXXXX", dir);
    spill->fd = mkostemp(path, O_CLOEXEC);
    if (spill->fd < 0)
        return status_errno(ctx, errno, "could not create a temporary file in '%s'", dir);
    unlink(path);
    return OK;
}

static Status write_pending(Ctx *ctx, Spill *spill)
{
    if (spill->fd < 0)
        TRY(open_file(ctx, spill));
    TRY_WRAP(
        ctx,
        file_pwrite_all(ctx, spill->fd, spill->pending.data, spill->pending.size, spill->file_size),
        "could not sort datums");
    spill->file_size += spill->pending.size;
    buf_clear(&spill->pending);
    return OK;
}

void spill_begin_run(Spill *spill)
{
    if (spill->run_count == spill->run_capacity) {
        size_t capacity = MAX(16, 2 * spill->run_capacity);
        Run *grown = reallocarray(spill->runs, capacity, sizeof(*grown));
        if (!grown)
            abort();
        spill->runs = grown;
        spill->run_capacity = capacity;
    }
    spill->runs[spill->run_count++] = (Run){ .at = spill->file_size };
}

Status spill_add(Ctx *ctx, Spill *spill, Bytes encoded)
{
    buf_add_bytes(&spill->pending, encoded);
    return spill->pending.size < WRITE_BYTES ? OK : write_pending(ctx, spill);
}

Status spill_end_run(Ctx *ctx, Spill *spill)
{
    TRY(write_pending(ctx, spill));
    spill->runs[spill->run_count - 1].end = spill->file_size;
    return OK;
}

/* --- reading one run -------------------------------------------------------------------------- */

/* Makes the window hold `size` bytes from head_at on. */
static Status fill_window(Ctx *ctx, Spill *spill, Run *run, size_t size)
{
    if (run->window.size - run->head_at >= size)
        return OK;
    buf_drop_front(&run->window, run->head_at);
    run->head_at = 0;
    uint64_t left = run->end - run->at;
    size_t take = MAX(size, WINDOW_BYTES) - run->window.size;
    if (take > left)
        take = (size_t)left;
    buf_reserve(&run->window, take);
    TRY_WRAP(ctx,
             file_pread_all(ctx, spill->fd, run->window.data + run->window.size, take, run->at),
             "could not sort datums");
    run->window.size += take;
    run->at += take;
    return OK;
}

static Status next_head(Ctx *ctx, Spill *spill, Run *run)
{
    run->head_at += run->head_size;
    run->head_size = 0;
    if (run->at == run->end && run->head_at == run->window.size)
        return OK;
    TRY(fill_window(ctx, spill, run, 4));
    size_t size = 4 + load_le32(run->window.data + run->head_at);
    TRY(fill_window(ctx, spill, run, size));
    run->head_size = size;
    run->head = sorter_decode(bytes(run->window.data + run->head_at, size));
    return OK;
}

/* --- merging ---------------------------------------------------------------------------------- */

static bool comes_before(const Spill *spill, size_t a, size_t b)
{
    int order = str_cmp(spill->runs[a].head.path, spill->runs[b].head.path);
    return order ? order < 0 : a < b;
}

static void sift_down(Spill *spill, size_t at)
{
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < spill->heap_count; child++)
            if (comes_before(spill, spill->heap[child], spill->heap[least]))
                least = child;
        if (least == at)
            return;
        size_t moved = spill->heap[at];
        spill->heap[at] = spill->heap[least];
        spill->heap[least] = moved;
        at = least;
    }
}

Status spill_merge(Ctx *ctx, Spill *spill)
{
    spill->heap = reallocarray(NULL, spill->run_count, sizeof(*spill->heap));
    if (!spill->heap)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < spill->run_count; i++) {
        TRY(next_head(ctx, spill, &spill->runs[i]));
        if (spill->runs[i].head_size)
            spill->heap[spill->heap_count++] = i;
    }
    for (size_t i = spill->heap_count; i-- > 0;)
        sift_down(spill, i);
    return OK;
}

const TreeEntry *spill_entry(const Spill *spill)
{
    return spill->heap_count ? &spill->runs[spill->heap[0]].head : NULL;
}

Status spill_next(Ctx *ctx, Spill *spill)
{
    buf_clear(&spill->last_path);
    buf_add_str(&spill->last_path, spill_entry(spill)->path);
    while (spill->heap_count && str_eq(spill_entry(spill)->path, buf_str(&spill->last_path))) {
        Run *top = &spill->runs[spill->heap[0]];
        TRY(next_head(ctx, spill, top));
        if (!top->head_size)
            spill->heap[0] = spill->heap[--spill->heap_count];
        sift_down(spill, 0);
    }
    return OK;
}
