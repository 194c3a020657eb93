/* engine.c - what is the same for every engine. */
#include "engine/engine.h"

#include <openssl/crypto.h>
#include <stdio.h>

static bool same_secret(const char *a, const char *b)
{
    size_t size = strlen(a);
    return size == strlen(b) && CRYPTO_memcmp(a, b, size) == 0;
}

bool engine_knows_token(Engine *engine, const char *worker_id, const char *token,
                        char out_group[ENGINE_GROUP_SIZE])
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    EngineWorker *workers;
    size_t n;
    bool known = false;
    if (!*token || !status_ok(engine->ops->list(engine, &ctx, NULL, &workers, &n)))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!workers[i].alive || strcmp(workers[i].id, worker_id) != 0 ||
            !same_secret(workers[i].token, token))
            continue;
        known = true;
        snprintf(out_group, ENGINE_GROUP_SIZE, "%s", workers[i].group);
    }
    return known;
}

Engine *engine_free(Engine *engine)
{
    if (engine)
        engine->ops->free(engine);
    return NULL;
}
