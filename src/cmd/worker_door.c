/* worker_door.c - see worker_door.h. */
#include "cmd/worker_door.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/thread.h"
#include "codec/pb.h"
#include "pps/pps.pb-c.h"
#include "wire/wire.h"
#include "worker/worker.pb-c.h"

#define JOB_ID_SIZE 64
#define CALLS_MAX   64 /* user code has one at a time; a few more do no harm */

struct Door {
    WorkerDoor base;
    const char *worker_id;
    WireServer *server; /* NULL: closed */
    WorkerBatch *batch; /* NULL: none */
    pthread_mutex_t lock;
    char job_id[JOB_ID_SIZE];
};

static Status send(Ctx *ctx, WireCall *call, const ProtobufCMessage *message)
{
    return wire_send(ctx, call, pb_pack_bytes(ctx, message));
}

static Status next_datum(Ctx *ctx, Door *door, WireCall *call, Bytes request)
{
    Pachyderm__Worker__NextDatumRequest *asked;
    const char *const *env;
    if (!door->batch)
        return FAIL(ctx, UNKNOWN, "datum batching not enabled");
    TRY(PB_UNPACK(ctx, pachyderm__worker__next_datum_request, request, &asked));
    TRY(worker_batch_next(ctx, door->batch, asked->error, &env));
    Pachyderm__Worker__NextDatumResponse *response =
        PB_NEW(ctx, pachyderm__worker__next_datum_response, Pachyderm__Worker__NextDatumResponse);
    while (env[response->n_env])
        response->n_env++;
    response->env = ARENA_NEW(ctx->arena, char *, response->n_env + 1);
    if (!response->env)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < response->n_env; i++)
        response->env[i] = arena_strdup(ctx->arena, env[i]);
    return send(ctx, call, &response->base);
}

static Status tell_status(Ctx *ctx, Door *door, WireCall *call, Bytes request)
{
    (void)request;
    PpsV2__WorkerStatus *status = PB_NEW(ctx, pps_v2__worker_status, PpsV2__WorkerStatus);
    status->worker_id = arena_strdup(ctx->arena, door->worker_id);
    {
        LOCKED(&door->lock);
        status->job_id = arena_strdup(ctx->arena, door->job_id);
    }
    return send(ctx, call, &status->base);
}

static const struct {
    const char *path;
    Status (*run)(Ctx *ctx, Door *door, WireCall *call, Bytes request);
} methods[] = {
    { "/pachyderm.worker.Worker/NextDatum", next_datum },
    { "/pachyderm.worker.Worker/Status", tell_status },
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

Status door_open(Ctx *ctx, Door *door)
{
    const WireConfig config = {
        .listen = "127.0.0.1:0", .calls_max = CALLS_MAX, .handle = handle, .self = door
    };
    return wire_server_start(ctx, &config, &door->server);
}

const char *door_port(const Door *door)
{
    const char *colon = door->server ? strrchr(wire_server_address(door->server), ':') : NULL;
    return colon ? colon + 1 : "";
}

static Status open_for_batch(WorkerDoor *base, Ctx *ctx, WorkerBatch *batch, const char **out_port)
{
    Door *door = CONTAINER_OF(base, Door, base);
    door->batch = batch;
    TRY_WRAP(ctx, door_open(ctx, door), "could not let user code ask for datums");
    *out_port = arena_strdup(ctx->arena, door_port(door));
    return OK;
}

static void close_door(WorkerDoor *base)
{
    Door *door = CONTAINER_OF(base, Door, base);
    door->server = wire_server_stop(door->server, 0);
    door->batch = NULL;
}

Door *door_new(const char *worker_id)
{
    Door *door = calloc(1, sizeof(*door));
    if (!door)
        abort();
    door->base = (WorkerDoor){ open_for_batch, close_door };
    door->worker_id = worker_id;
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

void door_set_job(Door *door, const char *job_id)
{
    LOCKED(&door->lock);
    snprintf(door->job_id, sizeof(door->job_id), "%s", job_id);
}
