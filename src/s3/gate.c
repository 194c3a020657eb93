/* gate.c - a job's own buckets: whoever signs with the job's key reaches them, and nothing else.
 *
 * One listener on loopback serves all jobs, opened when the first one comes; which job a request
 * belongs to is told by its key. Nobody gets in without one: user code may look for ports, but not
 * for 122 random bits.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/id.h"
#include "base/log.h"
#include "pfs/upload.h"
#include "s3/gate.h"

struct S3Gate {
    Ctx ctx; /* keeps what follows */
    Id key;
    ControlBucket *buckets;
    size_t n;
    int64_t opened_ns;
    S3Request *inside; /* requests that run; guarded by the lock, like next */
    S3Gate *next;
};

/* --- requests --------------------------------------------------------------------------------- */

static S3Gate *find_gate(const S3 *s3, Str key)
{
    for (S3Gate *gate = s3->gates; gate; gate = gate->next) {
        if (sign_equal(str(gate->key.text), key))
            return gate;
    }
    return NULL;
}

bool s3_gate_enter(S3Request *request, Str key)
{
    S3 *s3 = request->s3;
    LOCKED(&s3->lock);
    request->gate = find_gate(s3, key);
    if (!request->gate)
        return false;
    request->next_inside = request->gate->inside;
    request->gate->inside = request;
    return true;
}

void s3_gate_leave(S3Request *request)
{
    S3 *s3 = request->s3;
    if (!request->gate)
        return;
    LOCKED(&s3->lock);
    S3Request **at = &request->gate->inside;
    while (*at != request)
        at = &(*at)->next_inside;
    *at = request->next_inside;
    request->gate = NULL;
    pthread_cond_broadcast(&s3->left);
}

/* --- buckets ---------------------------------------------------------------------------------- */

static Status each_bucket(S3Request *request, S3BucketFn fn, void *arg)
{
    const S3Gate *gate = request->gate;
    for (size_t i = 0; i < gate->n; i++)
        TRY(fn(arg, request->ctx, gate->buckets[i].name, gate->opened_ns));
    return OK;
}

static Status find_bucket(S3Request *request, const char *name, S3Bucket *out)
{
    const S3Gate *gate = request->gate;
    *out = (S3Bucket){ .version_id = "" };
    for (size_t i = 0; i < gate->n; i++) {
        const ControlBucket *bucket = &gate->buckets[i];
        if (strcmp(bucket->name, name) != 0)
            continue;
        if (bucket->is_output)
            out->target = bucket->commit;
        else
            out->commit = bucket->commit;
        return OK;
    }
    return s3_refuse(request, S3_NO_SUCH_BUCKET);
}

const S3Driver s3_job_buckets = { .each = each_bucket, .find = find_bucket };

/* --- opening ---------------------------------------------------------------------------------- */

static Status start_listener(Ctx *ctx, S3 *s3)
{
    LOCKED(&s3->lock);
    if (s3->gate_wire)
        return OK;
    const WireConfig config = { .listen = "127.0.0.1:0",
                                .handle = s3_refuse_grpc,
                                .http = &s3->gate_handler };
    return wire_server_start(ctx, &config, &s3->gate_wire);
}

static S3Gate *gate_new(const ControlBucket *buckets, size_t n)
{
    S3Gate *gate = calloc(1, sizeof(*gate));
    if (!gate)
        abort();
    ctx_init(&gate->ctx);
    gate->key = id_new();
    gate->opened_ns = clock_wall_ns();
    gate->n = n;
    gate->buckets = arena_must(gate->ctx.arena, n * sizeof(*buckets));
    for (size_t i = 0; i < n; i++) {
        gate->buckets[i] = buckets[i];
        gate->buckets[i].name = arena_strdup(gate->ctx.arena, buckets[i].name);
        gate->buckets[i].commit = PB_CLONE(&gate->ctx, PfsV2__Commit, buckets[i].commit);
    }
    return gate;
}

static void gate_free(S3Gate *gate)
{
    ctx_done(&gate->ctx);
    free(gate);
}

static Status open_gate(void *self, Ctx *ctx, const ControlBucket *buckets, size_t n,
                        const char **out_endpoint, const char **out_key)
{
    S3 *s3 = self;
    TRY(start_listener(ctx, s3));
    S3Gate *gate = gate_new(buckets, n);
    *out_key = arena_strdup(ctx->arena, gate->key.text);
    *out_endpoint = text_printf(ctx->arena, "http://%s", wire_server_address(s3->gate_wire));
    LOCKED(&s3->lock);
    gate->next = s3->gates;
    s3->gates = gate;
    return OK;
}

/* --- closing ---------------------------------------------------------------------------------- */

static S3Gate *take_gate(S3 *s3, const char *key)
{
    S3Gate **at = &s3->gates;
    while (*at && strcmp((*at)->key.text, key) != 0)
        at = &(*at)->next;
    S3Gate *gate = *at;
    if (gate)
        *at = gate->next;
    return gate;
}

/* Nobody waits for what is still inside: the user code has ended. */
static void empty_gate(S3 *s3, S3Gate *gate)
{
    for (S3Request *request = gate->inside; request; request = request->next_inside)
        cancel_set(request->ctx->cancel);
    while (gate->inside)
        pthread_cond_wait(&s3->left, &s3->lock);
}

/* Uploads that nobody completed. */
static void drop_uploads(S3 *s3, S3Gate *gate)
{
    Ctx *ctx = &gate->ctx;
    for (size_t i = 0; i < gate->n; i++) {
        if (!gate->buckets[i].is_output)
            continue;
        const char *place = s3_place_of(ctx, gate->buckets[i].commit);
        Status s = pfs_upload_drop(ctx, s3->config.pfs, place);
        if (!status_ok(s))
            LOG_WARN(ctx, "could not drop uploads of a job", "place=%s reason=%s", place,
                     status_message(s));
    }
}

static void close_gate(void *self, const char *key)
{
    S3 *s3 = self;
    S3Gate *gate;
    {
        LOCKED(&s3->lock);
        gate = take_gate(s3, key);
        if (gate)
            empty_gate(s3, gate);
    }
    if (!gate)
        return;
    drop_uploads(s3, gate);
    gate_free(gate);
}

void s3_gates_init(S3 *s3)
{
    pthread_mutex_init(&s3->lock, NULL);
    pthread_cond_init(&s3->left, NULL);
    s3->gate = (ControlGate){ open_gate, close_gate, s3 };
}

void s3_gates_done(S3 *s3)
{
    assert(!s3->gates);
    s3->gate_wire = wire_server_stop(s3->gate_wire, 0);
    pthread_cond_destroy(&s3->left);
    pthread_mutex_destroy(&s3->lock);
}

const ControlGate *s3_gate(S3 *s3)
{
    return &s3->gate;
}
