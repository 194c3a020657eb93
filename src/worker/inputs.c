/* inputs.c - see inputs.h.
 *
 * What is placed is remembered, sorted by name and path. For a new datum both lists are merged:
 * what is in both with the same content stays, the rest goes or comes. So a model that every datum
 * reads is placed once.
 */
#include "worker/inputs.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "worker/at_hand.h"
#include "worker/folder.h"

#define HASH_BYTES_MAX 64

/* How an input appears. */
typedef enum InputKind { INPUT_FULL, INPUT_EMPTY, INPUT_LAZY, INPUT_S3 } InputKind;

typedef struct Placed {
    char *name, *path;
    InputKind kind;
    uint8_t hash[HASH_BYTES_MAX];
    size_t hash_size; /* 0: never kept */
    uint64_t bytes;
    bool own;  /* one file, written for this place alone: it may be a spare one later */
    bool gone; /* removed, but its folders may still be there */
} Placed;

struct Inputs {
    int pfs_fd;
    InputCache *cache;
    Spares *spares;
    AtHand at;
    bool private_copies;
    Placed *placed; /* sorted by name, then path */
    size_t count;
    bool
        start_over; /* what is there is not just these: some are inside others, or placing failed */
};

Inputs *inputs_new(int pfs_fd, InputCache *cache, Spares *spares)
{
    Inputs *inputs = calloc(1, sizeof(*inputs));
    if (!inputs)
        abort();
    inputs->pfs_fd = pfs_fd;
    inputs->cache = cache;
    inputs->spares = spares;
    inputs->at = (AtHand){ .pfs_fd = pfs_fd, .spares = spares, .fd = -1 };
    return inputs;
}

static void forget_placed(Inputs *inputs)
{
    for (size_t i = 0; i < inputs->count; i++) {
        free(inputs->placed[i].name);
        free(inputs->placed[i].path);
    }
    free(inputs->placed);
    inputs->placed = NULL;
    inputs->count = 0;
}

Inputs *inputs_free(Inputs *inputs)
{
    if (inputs) {
        forget_placed(inputs);
        at_hand_done(&inputs->at);
    }
    free(inputs);
    return NULL;
}

/* --- names ----------------------------------------------------------------------------------- */

/* "<name>/<path>" below /pfs, without a slash at its end. */
static const char *place_of(Arena *arena, const char *name, const char *path)
{
    Str s = str(path);
    if (str_ends(s, STR("/")))
        s.size--;
    return text_printf(arena, "%s" STR_FMT, name, STR_ARG(s));
}

/* A file that waits to be used again is in the folder at hand, maybe under the name of one to come:
 * only who puts spare files aside, or takes them, may find it there. */
static int enter(Inputs *inputs, const char *place, bool with_spares, bool make,
                 const char **out_name)
{
    if (!with_spares || !at_hand_has(&inputs->at, place))
        spares_settle(inputs->spares);
    return at_hand_enter(&inputs->at, place, make, out_name);
}

static void leave(Inputs *inputs)
{
    spares_settle(inputs->spares);
    at_hand_leave(&inputs->at);
}

/* --- removing -------------------------------------------------------------------------------- */

static bool keep_folder(void *spares, int dir_fd, const char *name)
{
    return spares_keep_folder(spares, dir_fd, name);
}

/* Takes an input away; the folders above it stay, as the next one often needs them. */
static Status remove_placed(Ctx *ctx, Inputs *inputs, Placed *placed)
{
    placed->gone = true;
    char *place = arena_strdup(ctx->arena, place_of(ctx->arena, placed->name, placed->path));
    const char *name;
    bool is_spare = placed->own && !inputs->private_copies;
    int parent = enter(inputs, place, is_spare, false, &name);
    if (parent < 0)
        return errno == ENOENT ? OK
                               : status_errno(ctx, errno, "could not remove input '%s'", place);
    if (is_spare && spares_keep(inputs->spares, parent, name))
        return OK;
    FolderKeepFn keep =
        inputs->private_copies ? NULL : keep_folder; /* user code may have changed it */
    Status s = folder_remove_keeping(ctx, parent, name, keep, inputs->spares);
    leave(inputs); /* it may have been below */
    return s;
}

static const WorkerInput *first_from(const WorkerInput *const *wanted, size_t n, const char *name,
                                     Str path)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(wanted[middle]->name, name);
        if (order < 0 || (!order && str_cmp(str(wanted[middle]->path), path) < 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low < n ? wanted[low] : NULL;
}

/* Has the folder that the placed one was in something of the new ones? */
static bool is_folder_used(const Placed *placed, const WorkerInput *const *wanted, size_t n)
{
    const char *slash = strrchr(placed->path, '/');
    Str dir = { placed->path, (size_t)(slash - placed->path) + 1 };
    const WorkerInput *next = slash[1] ? first_from(wanted, n, placed->name, dir) : NULL;
    return next && strcmp(next->name, placed->name) == 0 && str_starts(str(next->path), dir);
}

/* The folders of an input that is gone, as far as they hold nothing. */
static void prune_folders(Ctx *ctx, Inputs *inputs, const Placed *placed, bool keep_top)
{
    leave(inputs);
    char *place = arena_strdup(ctx->arena, place_of(ctx->arena, placed->name, placed->path));
    for (char *slash; (slash = strrchr(place, '/'));) {
        *slash = '\0';
        if ((keep_top && !strchr(place, '/')) ||
            (unlinkat(inputs->pfs_fd, place, AT_REMOVEDIR) < 0 && errno != ENOENT))
            return;
    }
}

/* --- adding ---------------------------------------------------------------------------------- */

/* Receives the files of one input. */
typedef struct PlaceSink {
    WorkerSink sink;
    Inputs *inputs;
    Lazy *lazy;
    const WorkerInput *input;
    InputKind kind;
    bool own;       /* as in Placed */
    uint64_t bytes; /* of all files */

    int dir_fd; /* of the folder at hand */
    int fd;     /* of the file being written, or -1 */
    char name[NAME_MAX + 1];
    uint64_t size_bytes, written_bytes;
    uint8_t hash[HASH_BYTES_MAX];
    size_t hash_size;
} PlaceSink;

static void sink_done(PlaceSink *sink)
{
    fd_closep(&sink->fd);
}

static Status enter_dir(Ctx *ctx, PlaceSink *sink, const char *place)
{
    const char *name;
    sink->dir_fd = enter(sink->inputs, place, sink->own, true, &name);
    if (sink->dir_fd < 0)
        return status_errno(ctx, errno, "could not make the folder of input '%s'", place);
    if (strlen(name) > NAME_MAX)
        return FAIL(ctx, FAILED_PRECONDITION, "name of input '%s' is too long", place);
    strcpy(sink->name, name);
    return OK;
}

static int try_new(const PlaceSink *sink)
{
    int fd = sink->own ? spares_take(sink->inputs->spares, sink->dir_fd, sink->name) : -1;
    return fd >= 0 ? fd
                   : openat(sink->dir_fd, sink->name,
                            O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
}

/* A file that two inputs bring is the same file; a folder in the way is one that the datum before
 * left empty. */
static Status open_new(Ctx *ctx, PlaceSink *sink, int *out)
{
    *out = try_new(sink);
    if (*out < 0 && errno == EEXIST) {
        TRY(folder_remove(ctx, sink->dir_fd, sink->name));
        *out = try_new(sink);
    }
    return *out < 0 ? status_errno(ctx, errno, "could not create input file '%s'", sink->name) : OK;
}

static Status finish_file(Ctx *ctx, PlaceSink *sink)
{
    if (sink->fd < 0)
        return OK;
    off_t end = (off_t)sink->written_bytes;
    if (sink->own && lseek(sink->fd, 0, SEEK_END) != end && ftruncate(sink->fd, end) < 0)
        return status_errno(ctx, errno, "could not write input file '%s'", sink->name);
    fd_closep(&sink->fd);
    if (sink->written_bytes != sink->size_bytes)
        return FAIL(ctx, DATA_LOSS, "input file '%s' has %llu bytes instead of %llu", sink->name,
                    (unsigned long long)sink->written_bytes, (unsigned long long)sink->size_bytes);
    input_cache_add(ctx, sink->inputs->cache, bytes(sink->hash, sink->hash_size), sink->dir_fd,
                    sink->name, sink->inputs->private_copies);
    return OK;
}

static Status begin_full(Ctx *ctx, PlaceSink *sink, Bytes hash, bool *out_wanted)
{
    bool placed = false;
    sink->bytes += sink->size_bytes;
    if (hash.size)
        TRY(folder_remove(ctx, sink->dir_fd, sink->name));
    TRY(input_cache_place(ctx, sink->inputs->cache, hash, sink->dir_fd, sink->name,
                          sink->inputs->private_copies, &placed));
    if (placed)
        return OK;
    TRY(open_new(ctx, sink, &sink->fd));
    sink->hash_size = MIN(hash.size, HASH_BYTES_MAX);
    memcpy(sink->hash, hash.data ? hash.data : sink->hash, sink->hash_size);
    *out_wanted = true;
    return OK;
}

static Status sink_file(WorkerSink *base, Ctx *ctx, const char *path, Bytes hash,
                        uint64_t size_bytes, bool *out_wanted)
{
    PlaceSink *sink = CONTAINER_OF(base, PlaceSink, sink);
    *out_wanted = false;
    TRY(finish_file(ctx, sink));
    sink->size_bytes = size_bytes;
    sink->written_bytes = 0;
    TRY(enter_dir(ctx, sink, place_of(ctx->arena, sink->input->name, path)));
    if (sink->kind == INPUT_LAZY)
        TRY(folder_remove(ctx, sink->dir_fd, sink->name));
    if (sink->kind == INPUT_LAZY)
        return lazy_add(ctx, sink->lazy, sink->input, path, size_bytes, sink->dir_fd, sink->name);
    if (sink->kind == INPUT_FULL)
        return begin_full(ctx, sink, hash, out_wanted);
    AUTO_FD empty = -1;
    return open_new(ctx, sink, &empty);
}

static Status sink_data(WorkerSink *base, Ctx *ctx, Bytes piece)
{
    PlaceSink *sink = CONTAINER_OF(base, PlaceSink, sink);
    sink->written_bytes += piece.size;
    return file_write_all(ctx, sink->fd, piece.data, piece.size);
}

static bool sink_needs(WorkerSink *base, Bytes hash)
{
    const PlaceSink *sink = CONTAINER_OF(base, PlaceSink, sink);
    return sink->kind == INPUT_FULL && !input_cache_has(sink->inputs->cache, hash);
}

/* The whole file came with the datum: there is nothing to ask for. */
static Status place_content(Ctx *ctx, PlaceSink *sink, const WorkerInput *input)
{
    bool wanted;
    TRY(sink_file(&sink->sink, ctx, input->path, (Bytes){ 0 }, input->content.size, &wanted));
    return wanted ? sink_data(&sink->sink, ctx, input->content) : OK;
}

static bool is_dir(const WorkerInput *input)
{
    return str_ends(str(input->path), STR("/"));
}

static Status fill_input(Ctx *ctx, PlaceSink *sink, WorkerIo *io)
{
    const WorkerInput *input = sink->input;
    bool wanted;
    if (sink->kind == INPUT_FULL && input->has_content)
        return place_content(ctx, sink, input);
    if (sink->kind != INPUT_FULL && !is_dir(input))
        return sink_file(&sink->sink, ctx, input->path, input->hash, input->size_bytes, &wanted);
    return io->fetch(io, ctx, input, input->path, sink->kind != INPUT_FULL, &sink->sink);
}

static InputKind kind_of(const WorkerInput *input)
{
    if (input->s3)
        return INPUT_S3;
    if (input->lazy)
        return INPUT_LAZY;
    return input->empty_files ? INPUT_EMPTY : INPUT_FULL;
}

/* Content that came with the datum is not shared with the cache. */
static bool is_own(const Inputs *inputs, const WorkerInput *input)
{
    return input->has_content && !is_dir(input) && kind_of(input) == INPUT_FULL &&
           !inputs->private_copies;
}

static Status add_input(Ctx *ctx, Inputs *inputs, WorkerIo *io, const WorkerInput *input,
                        Lazy *lazy, uint64_t *out_bytes)
{
    *out_bytes = 0;
    const char *place = place_of(ctx->arena, input->name, input->path);
    bool exists = (strchr(place, '/') && at_hand_has(&inputs->at, place)) ||
                  faccessat(inputs->pfs_fd, input->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (!exists && spares_make_folder(inputs->spares, inputs->pfs_fd, input->name) < 0)
        return status_errno(ctx, errno, "could not make folder '/pfs/%s'", input->name);
    CLEANUP(sink_done)
    PlaceSink sink = { .sink = { .file = sink_file, .data = sink_data, .needs = sink_needs },
                       .inputs = inputs,
                       .lazy = lazy,
                       .input = input,
                       .kind = kind_of(input),
                       .own = is_own(inputs, input),
                       .dir_fd = -1,
                       .fd = -1 };
    if (sink.kind == INPUT_S3)
        return OK;
    TRY(fill_input(ctx, &sink, io));
    TRY(finish_file(ctx, &sink));
    *out_bytes = sink.bytes;
    return OK;
}

/* --- merging --------------------------------------------------------------------------------- */

static int compare(const char *name_a, const char *path_a, const char *name_b, const char *path_b)
{
    int order = strcmp(name_a, name_b);
    return order ? order : strcmp(path_a, path_b);
}

static int by_place(const void *a, const void *b)
{
    const WorkerInput *const *x = a, *const *y = b;
    return compare((*x)->name, (*x)->path, (*y)->name, (*y)->path);
}

static const WorkerInput **sorted(Ctx *ctx, const WorkerDatum *datum)
{
    const WorkerInput **inputs = arena_must(ctx->arena, datum->input_count * sizeof(WorkerInput *));
    for (size_t i = 0; i < datum->input_count; i++)
        inputs[i] = &datum->inputs[i];
    qsort(inputs, datum->input_count, sizeof(*inputs), by_place);
    return inputs;
}

/* In sorted order what is inside a folder follows it at once. */
static bool do_overlap(const WorkerInput *const *inputs, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (strcmp(inputs[i]->name, inputs[i - 1]->name) == 0 &&
            str_starts(str(inputs[i]->path), str(inputs[i - 1]->path)) &&
            (is_dir(inputs[i - 1]) || strcmp(inputs[i]->path, inputs[i - 1]->path) == 0))
            return true;
    }
    return false;
}

static bool stays(const Placed *placed, const WorkerInput *input)
{
    return placed->hash_size && placed->kind == kind_of(input) && placed->kind != INPUT_LAZY &&
           bytes_eq(bytes(placed->hash, placed->hash_size), input->hash);
}

static Placed remember(const Inputs *inputs, const WorkerInput *input, uint64_t bytes)
{
    Placed placed = { .name = strdup(input->name),
                      .path = strdup(input->path),
                      .kind = kind_of(input),
                      .bytes = bytes,
                      .own = is_own(inputs, input) };
    if (!placed.name || !placed.path)
        abort();
    if (input->hash.size <= HASH_BYTES_MAX && input->hash.size) {
        placed.hash_size = input->hash.size;
        memcpy(placed.hash, input->hash.data, placed.hash_size);
    }
    return placed;
}

/* Marks which of the new inputs are there already, by the placed one's index + 1, and removes the
 * others. */
static Status remove_others(Ctx *ctx, Inputs *inputs, const WorkerInput *const *wanted, size_t n,
                            size_t *found)
{
    size_t w = 0;
    for (size_t p = 0; p < inputs->count; p++) {
        Placed *placed = &inputs->placed[p];
        int order = 1;
        while (w < n &&
               (order = compare(wanted[w]->name, wanted[w]->path, placed->name, placed->path)) < 0)
            w++;
        if (w < n && order == 0 && stays(placed, wanted[w]))
            found[w++] = p + 1;
        else
            TRY(remove_placed(ctx, inputs, placed));
    }
    return OK;
}

static Status add_missing(Ctx *ctx, Inputs *inputs, WorkerIo *io, const WorkerInput *const *wanted,
                          size_t n, const size_t *found, Lazy *lazy, uint64_t *bytes_of)
{
    for (size_t i = 0; i < n; i++) {
        ArenaMark mark = arena_mark(ctx->arena);
        if (found[i])
            bytes_of[i] = inputs->placed[found[i] - 1].bytes;
        else
            TRY_WRAP(ctx, add_input(ctx, inputs, io, wanted[i], lazy, &bytes_of[i]),
                     "could not bring input '%s%s'", wanted[i]->name, wanted[i]->path);
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

/* Those of the missing that are files, each to be fetched alone. */
static void expect_missing(Ctx *ctx, const Inputs *inputs, WorkerIo *io,
                           const WorkerInput *const *wanted, size_t n, const size_t *found)
{
    size_t count = 0;
    const WorkerInput **coming = arena_must(ctx->arena, n * sizeof(*coming));
    for (size_t i = 0; i < n; i++) {
        const WorkerInput *input = wanted[i];
        if (!found[i] && !is_dir(input) && !input->has_content && input->size_bytes &&
            kind_of(input) == INPUT_FULL && !input_cache_has(inputs->cache, input->hash))
            coming[count++] = input;
    }
    if (count > 1)
        io->expect(io, coming, count);
}

/* After a failure nobody knows what is there: all of it goes. */
static Status clear(Ctx *ctx, Inputs *inputs)
{
    Status first = OK;
    leave(inputs);
    for (size_t i = 0; i < inputs->count; i++) {
        Status s = folder_remove(ctx, inputs->pfs_fd, inputs->placed[i].name);
        first = status_ok(first) ? s : first;
    }
    if (status_ok(first))
        forget_placed(inputs);
    return first;
}

static bool has_name(const WorkerInput *const *wanted, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(wanted[i]->name, name) == 0)
            return true;
    }
    return false;
}

static void prune(Ctx *ctx, Inputs *inputs, const WorkerInput *const *wanted, size_t n)
{
    for (size_t p = 0; p < inputs->count; p++) {
        const Placed *placed = &inputs->placed[p];
        if (placed->gone && !is_folder_used(placed, wanted, n))
            prune_folders(ctx, inputs, placed, has_name(wanted, n, placed->name));
    }
}

static void remember_all(Inputs *inputs, const WorkerInput *const *wanted, size_t n,
                         const uint64_t *bytes_of)
{
    forget_placed(inputs);
    inputs->placed = calloc(n ? n : 1, sizeof(*inputs->placed));
    if (!inputs->placed)
        abort();
    for (; inputs->count < n; inputs->count++)
        inputs->placed[inputs->count] =
            remember(inputs, wanted[inputs->count], bytes_of[inputs->count]);
}

Status inputs_place(Ctx *ctx, Inputs *inputs, WorkerIo *io, const WorkerDatum *datum,
                    bool private_copies, Lazy *lazy, uint64_t *out_bytes)
{
    size_t n = datum->input_count;
    const WorkerInput **wanted = sorted(ctx, datum);
    bool overlaps = do_overlap(wanted, n);
    if (private_copies || inputs->private_copies || inputs->start_over || overlaps)
        TRY(clear(ctx, inputs));
    inputs->private_copies = private_copies;
    size_t *found = ARENA_NEW(ctx->arena, size_t, n);
    uint64_t *bytes_of = ARENA_NEW(ctx->arena, uint64_t, n);
    if (!found || !bytes_of)
        return STATUS(RESOURCE_EXHAUSTED);

    Status s = remove_others(ctx, inputs, wanted, n, found);
    if (status_ok(s) && io->expect)
        expect_missing(ctx, inputs, io, wanted, n, found);
    if (status_ok(s))
        s = add_missing(ctx, inputs, io, wanted, n, found, lazy, bytes_of);
    if (io->expect)
        io->expect(io, NULL, 0);
    spares_settle(inputs->spares);
    prune(ctx, inputs, wanted, n);
    remember_all(inputs, wanted, n, bytes_of);
    inputs->start_over = overlaps || !status_ok(s);
    for (size_t i = 0; i < n; i++)
        *out_bytes += bytes_of[i];
    return s;
}
