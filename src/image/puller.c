/* puller.c - images that pipelines wait for, pulled in the background, one after the other.
 *
 * The list is as long as there are such images; an entry goes once its image is here. The lock
 * guards the list; nothing is pulled while it is held. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"
#include "image/image_priv.h"

#define PAUSE_NS_MIN (10 * NS_PER_SEC) /* after a first failure; doubles */
#define PAUSE_NS_MAX (600 * NS_PER_SEC)
#define ENTRIES_MAX  1000

typedef struct Wanted {
    char *name;
    char *note; /* how it goes */
    int64_t due_ns, pause_ns;
} Wanted;

struct Puller {
    ImageStore *store;
    pthread_mutex_t lock;
    pthread_t thread;
    bool runs;
    Cancel *stop;
    Wanted entries[ENTRIES_MAX];
    size_t count;
};

static Wanted *find(Puller *puller, const char *name)
{
    for (size_t i = 0; i < puller->count; i++) {
        if (strcmp(puller->entries[i].name, name) == 0)
            return &puller->entries[i];
    }
    return NULL;
}

static void set_note(Wanted *wanted, const char *note)
{
    free(wanted->note);
    wanted->note = strdup(note);
}

static void drop(Puller *puller, const char *name)
{
    Wanted *wanted = find(puller, name);
    if (!wanted)
        return;
    free(wanted->name);
    free(wanted->note);
    *wanted = puller->entries[--puller->count];
}

/* The next that is due; else when to look again. */
static Wanted *next_due(Puller *puller, int64_t *out_next_ns)
{
    int64_t now = clock_mono_ns();
    *out_next_ns = DEADLINE_NONE;
    for (size_t i = 0; i < puller->count; i++) {
        if (puller->entries[i].due_ns <= now)
            return &puller->entries[i];
        *out_next_ns = MIN(*out_next_ns, puller->entries[i].due_ns);
    }
    return NULL;
}

static void note_end(Puller *puller, const char *name, Status s)
{
    LOCKED(&puller->lock);
    Wanted *wanted = find(puller, name);
    if (status_ok(s) || !wanted) {
        drop(puller, name);
        return;
    }
    wanted->pause_ns = MIN(MAX(wanted->pause_ns * 2, PAUSE_NS_MIN), PAUSE_NS_MAX);
    wanted->due_ns = clock_mono_ns() + wanted->pause_ns;
    set_note(wanted, status_message(s));
}

static void pull_one(Puller *puller, const char *name)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    ctx.cancel = puller->stop;
    const ImagePull pull = { .name = name, .username = "", .password = "" };
    ImageRow row;
    LOG_INFO(NULL, "pulling an image", "image=%s", name);
    Status s = image_pull(&ctx, puller->store, &pull, &row);
    if (status_ok(s))
        LOG_INFO(NULL, "pulled an image", "image=%s digest=%s", name, row.digest);
    else
        LOG_WARN(NULL, "could not pull an image", "image=%s reason=%s", name, status_message(s));
    note_end(puller, name, s);
    event_publish(db_events(puller->store->config.db), image_topic());
}

static uint64_t wanted_topic(void)
{
    return event_topic_num("image-wanted", 0);
}

/* The name of an image to pull now, on the heap; NULL: none yet. */
static char *take_due(Puller *puller, int64_t *out_next_ns)
{
    LOCKED(&puller->lock);
    const Wanted *wanted = next_due(puller, out_next_ns);
    return wanted ? strdup(wanted->name) : NULL;
}

/* Until something is wanted, due, or all stops: whichever it was, one looks again. */
static void wait_until(Ctx *ctx, EventBus *events, uint64_t topic, uint64_t since)
{
    Status s = event_wait(ctx, events, &topic, 1, since);
    (void)s;
}

static void *puller_thread(void *arg)
{
    Puller *puller = arg;
    EventBus *events = db_events(puller->store->config.db);
    const uint64_t topic = wanted_topic();
    while (!cancel_is_set(puller->stop)) {
        CLEANUP(ctx_done) Ctx ctx;
        ctx_init(&ctx);
        ctx.cancel = puller->stop;
        uint64_t since = event_epoch(events);
        char *name = take_due(puller, &ctx.deadline_ns);
        if (name)
            pull_one(puller, name);
        else
            wait_until(&ctx, events, topic, since);
        free(name);
    }
    return NULL;
}

Puller *puller_new(ImageStore *store)
{
    Puller *puller = calloc(1, sizeof(*puller));
    if (!puller)
        abort();
    puller->store = store;
    puller->stop = cancel_new();
    pthread_mutex_init(&puller->lock, NULL);
    return puller;
}

Puller *puller_free(Puller *puller)
{
    if (!puller)
        return NULL;
    cancel_set(puller->stop);
    if (puller->runs)
        pthread_join(puller->thread, NULL);
    while (puller->count)
        drop(puller, puller->entries[0].name);
    cancel_unref(puller->stop);
    pthread_mutex_destroy(&puller->lock);
    free(puller);
    return NULL;
}

const char *puller_want(Ctx *ctx, Puller *puller, const char *name)
{
    LOCKED(&puller->lock);
    Wanted *wanted = find(puller, name);
    if (wanted)
        return arena_strdup(ctx->arena, wanted->note);
    if (puller->count == ENTRIES_MAX)
        return "too many images are to be pulled";
    if (!puller->runs &&
        !status_ok(thread_start(ctx, "puller", puller_thread, puller, &puller->thread)))
        return "";
    puller->runs = true;
    wanted = &puller->entries[puller->count++];
    *wanted = (Wanted){ .name = strdup(name) };
    set_note(wanted, "it is being pulled");
    event_publish(db_events(puller->store->config.db), wanted_topic());
    return arena_strdup(ctx->arena, wanted->note);
}

const char *image_want(Ctx *ctx, ImageStore *store, const char *name)
{
    const char *canonical = image_name_canonical(ctx->arena, str(name));
    return store->puller && canonical ? puller_want(ctx, store->puller, canonical) : "";
}
