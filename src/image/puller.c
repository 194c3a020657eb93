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
    char *name, *logins;
    char *note; /* how it goes */
    int64_t due_ns, pause_ns;
    bool asked; /* since it was tried: what nobody asks for any more goes when it is due */
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

static Wanted *find(Puller *puller, const char *name, const char *logins)
{
    for (size_t i = 0; i < puller->count; i++) {
        Wanted *wanted = &puller->entries[i];
        if (strcmp(wanted->name, name) == 0 && strcmp(wanted->logins, logins) == 0)
            return wanted;
    }
    return NULL;
}

static void set_note(Wanted *wanted, const char *note)
{
    free(wanted->note);
    wanted->note = strdup(note);
}

static void drop(Puller *puller, size_t index)
{
    Wanted *wanted = &puller->entries[index];
    free(wanted->name);
    free(wanted->logins);
    free(wanted->note);
    *wanted = puller->entries[--puller->count];
}

/* The next that is due; else when to look again. */
static Wanted *next_due(Puller *puller, int64_t *out_next_ns)
{
    int64_t now = clock_mono_ns();
    *out_next_ns = DEADLINE_NONE;
    for (size_t i = 0; i < puller->count;) {
        Wanted *wanted = &puller->entries[i];
        if (wanted->due_ns <= now && wanted->asked)
            return wanted;
        if (wanted->due_ns <= now) {
            drop(puller, i);
            continue;
        }
        *out_next_ns = MIN(*out_next_ns, wanted->due_ns);
        i++;
    }
    return NULL;
}

/* It is here: whoever wanted it, by whatever login, has it. */
static void drop_all(Puller *puller, const char *name)
{
    for (size_t i = puller->count; i-- > 0;)
        if (strcmp(puller->entries[i].name, name) == 0)
            drop(puller, i);
}

static void note_end(Puller *puller, const ImagePull *pull, Status s)
{
    LOCKED(&puller->lock);
    if (status_ok(s))
        drop_all(puller, pull->name);
    Wanted *wanted = find(puller, pull->name, pull->logins);
    if (!wanted)
        return;
    wanted->asked = false;
    wanted->pause_ns = MIN(MAX(wanted->pause_ns * 2, PAUSE_NS_MIN), PAUSE_NS_MAX);
    wanted->due_ns = clock_mono_ns() + wanted->pause_ns;
    set_note(wanted, status_message(s));
}

static void pull_one(Puller *puller, const ImagePull *pull)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    ctx.cancel = puller->stop;
    const char *name = pull->name;
    ImageRow row;
    LOG_INFO(NULL, "pulling an image", "image=%s", name);
    Status s = image_pull(&ctx, puller->store, pull, &row);
    if (status_ok(s))
        LOG_INFO(NULL, "pulled an image", "image=%s digest=%s", name, row.digest);
    else
        LOG_WARN(NULL, "could not pull an image", "image=%s reason=%s", name, status_message(s));
    note_end(puller, pull, s);
    event_publish(db_events(puller->store->config.db), image_topic());
}

static uint64_t wanted_topic(void)
{
    return event_topic_num("image-wanted", 0);
}

/* What to pull now, in ctx's arena; false: nothing yet. */
static bool take_due(Ctx *ctx, Puller *puller, ImagePull *out)
{
    LOCKED(&puller->lock);
    const Wanted *wanted = next_due(puller, &ctx->deadline_ns);
    if (!wanted)
        return false;
    *out = (ImagePull){ .name = arena_strdup(ctx->arena, wanted->name),
                        .logins = arena_strdup(ctx->arena, wanted->logins),
                        .username = "",
                        .password = "" };
    return true;
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
        ImagePull pull;
        if (take_due(&ctx, puller, &pull))
            pull_one(puller, &pull);
        else
            wait_until(&ctx, events, topic, since);
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
        drop(puller, 0);
    cancel_unref(puller->stop);
    pthread_mutex_destroy(&puller->lock);
    free(puller);
    return NULL;
}

const char *puller_want(Ctx *ctx, Puller *puller, const char *name, const char *logins)
{
    LOCKED(&puller->lock);
    Wanted *wanted = find(puller, name, logins);
    if (wanted) {
        wanted->asked = true;
        return arena_strdup(ctx->arena, wanted->note);
    }
    if (puller->count == ENTRIES_MAX)
        return "too many images are to be pulled";
    if (!puller->runs &&
        !status_ok(thread_start(ctx, "puller", puller_thread, puller, &puller->thread)))
        return "";
    puller->runs = true;
    wanted = &puller->entries[puller->count++];
    *wanted = (Wanted){ .name = strdup(name), .logins = strdup(logins), .asked = true };
    set_note(wanted, "it is being pulled");
    event_publish(db_events(puller->store->config.db), wanted_topic());
    return arena_strdup(ctx->arena, wanted->note);
}

const char *image_want(Ctx *ctx, ImageStore *store, const char *name, const char *logins)
{
    const char *canonical = image_name_canonical(ctx->arena, str(name));
    return store->puller && canonical ? puller_want(ctx, store->puller, canonical, logins) : "";
}
