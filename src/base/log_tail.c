/* log_tail.c - see log_tail.h.
 *
 *   ring   entry entry entry …      positions count all bytes ever written; in the ring, modulo
 *   entry  TailHead, then the text
 */
#include "base/log_tail.h"

#include <stdlib.h>

#include "base/event.h"
#include "base/thread.h"

#define TOPIC UINT64_C(1) /* the only one of the bus */

typedef struct TailHead {
    int64_t at_ns;
    uint64_t size;
} TailHead;

struct LogTail {
    pthread_mutex_t lock; /* guards what follows; nothing is logged while it is held */
    uint64_t oldest, end; /* positions */
    size_t room;          /* bytes of ring */
    uint8_t *ring;
    EventBus *bus;
};

LogTail *log_tail_new(size_t bytes_max)
{
    LogTail *tail = calloc(1, sizeof(*tail));
    uint8_t *ring = malloc(bytes_max); /* becomes memory as it is filled */
    if (!tail || !ring)
        abort();
    *tail = (LogTail){ .lock = PTHREAD_MUTEX_INITIALIZER,
                       .room = bytes_max,
                       .ring = ring,
                       .bus = event_bus_new() };
    return tail;
}

LogTail *log_tail_free(LogTail *tail)
{
    if (!tail)
        return NULL;
    event_bus_free(tail->bus);
    free(tail->ring);
    free(tail);
    return NULL;
}

static void put(LogTail *tail, const void *data, size_t size)
{
    size_t at = (size_t)(tail->end % tail->room), first = MIN(size, tail->room - at);
    memcpy(tail->ring + at, data, first);
    memcpy(tail->ring, (const uint8_t *)data + first, size - first);
    tail->end += size;
}

static void take(const LogTail *tail, uint64_t from, void *data, size_t size)
{
    size_t at = (size_t)(from % tail->room), first = MIN(size, tail->room - at);
    memcpy(data, tail->ring + at, first);
    memcpy((uint8_t *)data + first, tail->ring, size - first);
}

static uint64_t after(const LogTail *tail, uint64_t entry)
{
    TailHead head;
    take(tail, entry, &head, sizeof(head));
    return entry + sizeof(head) + head.size;
}

void log_tail_add(LogTail *tail, int64_t at_ns, Str line)
{
    const TailHead head = { .at_ns = at_ns, .size = MIN(line.size, tail->room / 4) };
    {
        LOCKED(&tail->lock);
        while (tail->end + sizeof(head) + head.size - tail->oldest > tail->room)
            tail->oldest = after(tail, tail->oldest);
        put(tail, &head, sizeof(head));
        if (head.size)
            put(tail, line.data, head.size);
    }
    event_publish(tail->bus, TOPIC);
}

bool log_tail_next(Ctx *ctx, LogTail *tail, uint64_t *cursor, LogTailLine *out)
{
    LOCKED(&tail->lock);
    uint64_t entry = MAX(*cursor, tail->oldest);
    if (entry == tail->end)
        return false;
    TailHead head;
    take(tail, entry, &head, sizeof(head));
    char *text = arena_must(ctx->arena, head.size + 1);
    take(tail, entry + sizeof(head), text, head.size);
    text[head.size] = '\0';
    *out = (LogTailLine){ .at_ns = head.at_ns, .text = { text, head.size } };
    *cursor = after(tail, entry);
    return true;
}

static bool is_behind(LogTail *tail, uint64_t cursor)
{
    LOCKED(&tail->lock);
    return cursor < tail->end;
}

Status log_tail_wait(Ctx *ctx, LogTail *tail, uint64_t cursor)
{
    const uint64_t topic = TOPIC;
    for (;;) {
        uint64_t epoch = event_epoch(tail->bus);
        if (is_behind(tail, cursor))
            return OK;
        TRY(event_wait(ctx, tail->bus, &topic, 1, epoch));
    }
}
