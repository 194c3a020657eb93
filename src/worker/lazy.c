/* lazy.c - see lazy.h.
 *
 * One thread watches; each FIFO that is opened gets a thread that writes into it, as a program may
 * open several and read them in any order. Fields of an item belong to the watcher until its feeder
 * starts, then to the feeder until it is joined. The list of items does not change once the watcher
 * runs.
 */
#include "worker/lazy.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/event.h"
#include "base/file.h"
#include "base/thread.h"

typedef struct Item {
    Lazy *lazy;
    const WorkerInput *input;
    char *path;
    uint64_t size_bytes;
    int fd;    /* of the FIFO, both ends; -1 once it was opened */
    int watch; /* inotify's number */
    bool was_opened, has_feeder;
    pthread_t feeder;
    Ctx ctx; /* the feeder's, until lazy_free: the status is in it */
    Status status;
} Item;

struct Lazy {
    WorkerIo *io;
    Cancel *cancel;
    int inotify_fd, stop_fd;
    Item **items; /* by ascending watch */
    size_t count, capacity;
    bool has_watcher;
    pthread_t watcher;
};

Lazy *lazy_new(WorkerIo *io)
{
    Lazy *lazy = calloc(1, sizeof(*lazy));
    if (!lazy)
        abort();
    lazy->io = io;
    lazy->cancel = cancel_new();
    lazy->stop_fd = lazy->inotify_fd = -1;
    return lazy;
}

/* Most datums have no lazy input, and pay nothing for those that could be. */
static Status open_watch(Ctx *ctx, Lazy *lazy)
{
    if (lazy->inotify_fd >= 0)
        return OK;
    lazy->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    lazy->inotify_fd = lazy->stop_fd < 0 ? -1 : inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    return lazy->inotify_fd < 0 ? status_errno(ctx, errno, "could not watch lazy inputs") : OK;
}

static void push(Lazy *lazy, Item *item)
{
    if (lazy->count == lazy->capacity) {
        lazy->capacity = lazy->capacity ? 2 * lazy->capacity : 16;
        lazy->items = realloc(lazy->items, lazy->capacity * sizeof(Item *));
        if (!lazy->items)
            abort();
    }
    lazy->items[lazy->count++] = item;
}

Status lazy_add(Ctx *ctx, Lazy *lazy, const WorkerInput *input, const char *path,
                uint64_t size_bytes, int dir_fd, const char *name)
{
    TRY(open_watch(ctx, lazy));
    if (mkfifoat(dir_fd, name, 0644) < 0)
        return status_errno(ctx, errno, "could not make a FIFO for input '%s'", path);
    AUTO_FD fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return status_errno(ctx, errno, "could not open the FIFO of input '%s'", path);
    char at[32];
    snprintf(at, sizeof(at), "/proc/self/fd/%d", fd);
    int watch = inotify_add_watch(lazy->inotify_fd, at, IN_OPEN | IN_ONESHOT);
    if (watch < 0)
        return status_errno(ctx, errno, "could not watch the FIFO of input '%s'", path);
    Item *item = calloc(1, sizeof(*item));
    if (!item)
        abort();
    item->lazy = lazy;
    item->input = input;
    item->path = strdup(path);
    item->size_bytes = size_bytes;
    item->fd = fd_steal(&fd);
    item->watch = watch;
    push(lazy, item);
    return OK;
}

/* --- feeding --------------------------------------------------------------------------------- */

typedef struct FifoSink {
    WorkerSink sink;
    int fd;
    bool reader_left;
} FifoSink;

static Status fifo_file(WorkerSink *sink, Ctx *ctx, const char *path, Bytes hash,
                        uint64_t size_bytes, bool *out_wanted)
{
    (void)sink, (void)ctx, (void)path, (void)hash, (void)size_bytes;
    *out_wanted = true;
    return OK;
}

/* A reader that wants no more ends the fetch, which is no error. */
static Status fifo_data(WorkerSink *sink, Ctx *ctx, Bytes piece)
{
    FifoSink *fifo = CONTAINER_OF(sink, FifoSink, sink);
    while (piece.size) {
        ssize_t put = write(fifo->fd, piece.data, piece.size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            fifo->reader_left = errno == EPIPE;
            return status_errno(ctx, errno, "could not write to a FIFO");
        }
        piece = bytes(piece.data + put, piece.size - (size_t)put);
    }
    return OK;
}

/* The writing end is opened while the old descriptor still reads, so that this never blocks; after
 * that only user code does, and when it goes writing fails. */
static void *feed(void *arg)
{
    Item *item = arg;
    char at[32];
    snprintf(at, sizeof(at), "/proc/self/fd/%d", item->fd);
    FifoSink fifo = { .sink = { .file = fifo_file, .data = fifo_data },
                      .fd = open(at, O_WRONLY | O_CLOEXEC) };
    fd_closep(&item->fd);
    if (fifo.fd < 0) {
        item->status =
            status_errno(&item->ctx, errno, "could not open the FIFO of input '%s'", item->path);
        return NULL;
    }
    WorkerIo *io = item->lazy->io;
    Status s = io->fetch(io, &item->ctx, item->input, item->path, false, &fifo.sink);
    if (!status_ok(s) && !fifo.reader_left && !cancel_is_set(item->lazy->cancel))
        item->status = status_wrap(&item->ctx, s, "could not fetch lazy input '%s'", item->path);
    fd_closep(&fifo.fd);
    return NULL;
}

static int by_watch(const void *key, const void *entry)
{
    const int *watch = key;
    Item *const *item = entry;
    return (*watch > (*item)->watch) - (*watch < (*item)->watch);
}

static void start_feeder(Lazy *lazy, int watch)
{
    Item **found = bsearch(&watch, lazy->items, lazy->count, sizeof(*lazy->items), by_watch);
    if (!found || (*found)->was_opened)
        return;
    Item *item = *found;
    item->was_opened = true;
    ctx_init(&item->ctx);
    item->ctx.cancel = lazy->cancel;
    Status s = thread_start(&item->ctx, "lazy-feed", feed, item, &item->feeder);
    item->has_feeder = status_ok(s);
    if (!item->has_feeder) {
        item->status = s;
        fd_closep(&item->fd); /* the reader sees an end, the attempt an error */
    }
}

static void *watch_opens(void *arg)
{
    Lazy *lazy = arg;
    struct pollfd fds[] = { { .fd = lazy->inotify_fd, .events = POLLIN },
                            { .fd = lazy->stop_fd, .events = POLLIN } };
    _Alignas(struct inotify_event) char events[4096];
    while (!fds[1].revents) {
        poll(fds, ARRAY_LEN(fds), -1);
        ssize_t size = read(lazy->inotify_fd, events, sizeof(events));
        for (ssize_t at = 0; at < size;) {
            struct inotify_event event;
            memcpy(&event, events + at, sizeof(event));
            if (event.mask & IN_OPEN)
                start_feeder(lazy, event.wd);
            at += (ssize_t)(sizeof(event) + event.len);
        }
    }
    return NULL;
}

Status lazy_start(Ctx *ctx, Lazy *lazy)
{
    if (lazy->count == 0)
        return OK;
    Status s = thread_start(ctx, "lazy-watch", watch_opens, lazy, &lazy->watcher);
    lazy->has_watcher = status_ok(s);
    return s;
}

static void stop_threads(Lazy *lazy)
{
    uint64_t one = 1;
    cancel_set(lazy->cancel);
    if (lazy->has_watcher && write(lazy->stop_fd, &one, sizeof(one)) > 0)
        pthread_join(lazy->watcher, NULL);
    lazy->has_watcher = false;
    for (size_t i = 0; i < lazy->count; i++) {
        if (lazy->items[i]->has_feeder)
            pthread_join(lazy->items[i]->feeder, NULL);
        lazy->items[i]->has_feeder = false;
    }
}

Status lazy_stop(Ctx *ctx, Lazy *lazy, uint64_t *out_bytes)
{
    stop_threads(lazy);
    Status first = OK;
    for (size_t i = 0; i < lazy->count; i++) {
        const Item *item = lazy->items[i];
        *out_bytes += item->was_opened ? item->size_bytes : 0;
        if (status_ok(first) && !status_ok(item->status))
            first = status_copy(ctx, item->status);
    }
    return first;
}

Lazy *lazy_free(Lazy *lazy)
{
    if (!lazy)
        return NULL;
    stop_threads(lazy);
    for (size_t i = 0; i < lazy->count; i++) {
        Item *item = lazy->items[i];
        fd_closep(&item->fd);
        if (item->was_opened)
            ctx_done(&item->ctx);
        free(item->path);
        free(item);
    }
    fd_closep(&lazy->inotify_fd);
    fd_closep(&lazy->stop_fd);
    cancel_unref(lazy->cancel);
    free(lazy->items);
    free(lazy);
    return NULL;
}
