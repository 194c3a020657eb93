/* worker_door.c - see worker_door.h. */
#include "cmd/worker_door.h"

#include <stdlib.h>

#include "base/text.h"
#include "base/thread.h"
#include "codec/base64.h"
#include "codec/pb.h"
#include "codec/pbtime.h"
#include "pps/pps.pb-c.h"
#include "wire/wire.h"
#include "worker/worker.pb-c.h"

#define CALLS_MAX 64 /* user code has one at a time; a few more do no harm */

typedef struct Asked {
    WireCall *call;
    const char *said;
} Asked;

struct Door {
    WorkerDoor base;
    const char *worker_id;
    Link *link;
    WireServer *server; /* NULL: closed */
    bool is_for_batch;  /* the server is turned by who runs the batch, and the rest is its own: */
    Asked asked[CALLS_MAX]; /* calls for a datum, the oldest first */
    size_t asked_count;
    pthread_mutex_t lock;
    const Procavia__Work__WorkSet *set; /* at work; NULL none */
};

static Status send(Ctx *ctx, WireCall *call, const ProtobufCMessage *message)
{
    return wire_send(ctx, call, pb_pack_bytes(ctx, message));
}

static Status next_datum(Ctx *ctx, Door *door, WireCall *call, Bytes request)
{
    Pachyderm__Worker__NextDatumRequest *asked;
    if (!door->is_for_batch)
        return FAIL(ctx, UNKNOWN, "datum batching not enabled");
    TRY(PB_UNPACK(ctx, pachyderm__worker__next_datum_request, request, &asked));
    assert(door->asked_count < CALLS_MAX); /* as many as the server lets in */
    door->asked[door->asked_count++] = (Asked){ call, asked->error };
    wire_call_hold(call);
    return OK;
}

static const char *turn(WorkerDoor *base)
{
    Door *door = CONTAINER_OF(base, Door, base);
    wire_server_turn(door->server);
    return door->asked_count ? door->asked[0].said : NULL;
}

static void end_oldest(Door *door, Status status)
{
    wire_call_end(door->asked[0].call, status);
    memmove(door->asked, door->asked + 1, --door->asked_count * sizeof(*door->asked));
}

static bool answer(WorkerDoor *base, const char *const *env)
{
    CLEANUP(ctx_done) Ctx ctx;
    Door *door = CONTAINER_OF(base, Door, base);
    Pachyderm__Worker__NextDatumResponse response;
    pachyderm__worker__next_datum_response__init(&response);
    ctx_init(&ctx);
    while (env[response.n_env])
        response.n_env++;
    response.env = (char **)(uintptr_t)env; /* it is only read */
    bool is_sent = status_ok(send(&ctx, door->asked[0].call, &response.base));
    end_oldest(door, OK);
    return is_sent;
}

/* --- what is at work: with the door's lock held, as the set goes when it is done -------------- */

/* The datum whose process runs; NULL none. *out_started_ns: wall clock. */
static const Procavia__Work__WorkDatum *running_datum(Door *door, int64_t *out_started_ns)
{
    char id[LINK_DATUM_ID_SIZE];
    if (!door->set || !link_running(door->link, id, out_started_ns))
        return NULL;
    for (size_t i = 0; i < door->set->n_datums; i++) {
        if (strcmp(door->set->datums[i]->id, id) == 0)
            return door->set->datums[i];
    }
    return NULL;
}

static PpsV2__InputFile *input_file(Ctx *ctx, const Procavia__Work__WorkInput *input)
{
    PpsV2__InputFile *file = PB_NEW(ctx, pps_v2__input_file, PpsV2__InputFile);
    file->path = arena_strdup(ctx->arena, input->file->path);
    file->hash.data = arena_memdup(ctx->arena, input->hash.data, input->hash.len);
    file->hash.len = input->hash.len;
    return file;
}

static PpsV2__DatumStatus *datum_status(Ctx *ctx, const Procavia__Work__WorkDatum *datum,
                                        int64_t started_ns)
{
    PpsV2__DatumStatus *status = PB_NEW(ctx, pps_v2__datum_status, PpsV2__DatumStatus);
    status->started = pb_timestamp(ctx, started_ns);
    status->data = arena_must(ctx->arena, (datum->n_inputs + 1) * sizeof(*status->data));
    for (size_t i = 0; i < datum->n_inputs; i++)
        status->data[status->n_data++] = input_file(ctx, datum->inputs[i]);
    return status;
}

static Status tell_status(Ctx *ctx, Door *door, WireCall *call, Bytes request)
{
    (void)request;
    PpsV2__WorkerStatus *status = PB_NEW(ctx, pps_v2__worker_status, PpsV2__WorkerStatus);
    status->worker_id = arena_strdup(ctx->arena, door->worker_id);
    {
        LOCKED(&door->lock);
        int64_t started_ns;
        const Procavia__Work__WorkDatum *datum = running_datum(door, &started_ns);
        status->job_id = arena_strdup(ctx->arena, door->set ? door->set->job->id : "");
        if (datum)
            status->datum_status = datum_status(ctx, datum, started_ns);
    }
    return send(ctx, call, &status->base);
}

static bool names_input(const char *filter, const Procavia__Work__WorkInput *input)
{
    return strcmp(filter, input->file->path) == 0 ||
           base64_or_hex_is(str(filter), bytes(input->hash.data, input->hash.len));
}

/* Is each filter the path or hash of some input? */
static bool filters_match(const Procavia__Work__WorkDatum *datum, char *const *filters, size_t n)
{
    for (size_t f = 0; f < n; f++) {
        bool found = false;
        for (size_t i = 0; !found && i < datum->n_inputs; i++)
            found = names_input(filters[f], datum->inputs[i]);
        if (!found)
            return false;
    }
    return true;
}

/* Ends the try of the datum at work, when it is of that job and fits the filters. */
static Status cancel(Ctx *ctx, Door *door, WireCall *call, Bytes request)
{
    Pachyderm__Worker__CancelRequest *asked;
    TRY(PB_UNPACK(ctx, pachyderm__worker__cancel_request, request, &asked));
    Pachyderm__Worker__CancelResponse *response =
        PB_NEW(ctx, pachyderm__worker__cancel_response, Pachyderm__Worker__CancelResponse);
    {
        LOCKED(&door->lock);
        int64_t started_ns;
        const Procavia__Work__WorkDatum *datum = running_datum(door, &started_ns);
        response->success = datum && strcmp(asked->job_id, door->set->job->id) == 0 &&
                            filters_match(datum, asked->data_filters, asked->n_data_filters) &&
                            link_end_attempt(door->link, datum->id);
    }
    return send(ctx, call, &response->base);
}

static const struct {
    const char *path;
    Status (*run)(Ctx *ctx, Door *door, WireCall *call, Bytes request);
} methods[] = {
    { "/pachyderm.worker.Worker/NextDatum", next_datum },
    { "/pachyderm.worker.Worker/Status", tell_status },
    { "/pachyderm.worker.Worker/Cancel", cancel },
};

static Status handle(void *self, Ctx *ctx, WireCall *call)
{
    CLEANUP(buf_done) Buf request = { 0 };
    bool end;
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (strcmp(wire_call_path(call), methods[i].path) != 0)
            continue;
        TRY(wire_recv(ctx, call, &request, &end));
        return methods[i].run(ctx, self, call, buf_bytes(&request));
    }
    return FAIL(ctx, UNIMPLEMENTED, "a worker does not serve %s", wire_call_path(call));
}

static Status open_server(Ctx *ctx, Door *door, bool is_for_batch)
{
    const WireConfig config = { .listen = "127.0.0.1:0",
                                .calls_max = CALLS_MAX,
                                .handle = handle,
                                .self = door,
                                .turned = is_for_batch };
    door->is_for_batch = is_for_batch;
    return wire_server_start(ctx, &config, &door->server);
}

Status door_open(Ctx *ctx, Door *door)
{
    return open_server(ctx, door, false);
}

const char *door_port(const Door *door)
{
    const char *colon = door->server ? strrchr(wire_server_address(door->server), ':') : NULL;
    return colon ? colon + 1 : "";
}

static Status open_for_batch(WorkerDoor *base, Ctx *ctx, const char **out_port, int *out_fd)
{
    Door *door = CONTAINER_OF(base, Door, base);
    TRY_WRAP(ctx, open_server(ctx, door, true), "could not let user code ask for datums");
    *out_port = arena_strdup(ctx->arena, door_port(door));
    *out_fd = wire_server_fd(door->server);
    return OK;
}

static void close_door(WorkerDoor *base)
{
    Door *door = CONTAINER_OF(base, Door, base);
    while (door->asked_count)
        end_oldest(door, STATUS(CANCELLED));
    door->server = wire_server_stop(door->server, 0);
}

Door *door_new(const char *worker_id, Link *link)
{
    Door *door = calloc(1, sizeof(*door));
    if (!door)
        abort();
    door->base = (WorkerDoor){ open_for_batch, turn, answer, close_door };
    door->worker_id = worker_id;
    door->link = link;
    pthread_mutex_init(&door->lock, NULL);
    return door;
}

Door *door_free(Door *door)
{
    if (door) {
        close_door(&door->base);
        pthread_mutex_destroy(&door->lock);
        free(door);
    }
    return NULL;
}

WorkerDoor *door_for_batch(Door *door)
{
    return &door->base;
}

void door_set(Door *door, const Procavia__Work__WorkSet *set)
{
    LOCKED(&door->lock);
    door->set = set;
}
