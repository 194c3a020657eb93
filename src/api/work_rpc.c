/* work_rpc.c - procavia.work.Work: a worker's stream. Its call thread takes reports; a second
 * thread sends orders. */
#include <pthread.h>

#include "api/api_priv.h"
#include "base/log.h"
#include "base/thread.h"
#include "codec/pb.h"
#include "procavia/work/work.pb-c.h"

typedef struct Orders {
    const Call *call;
    ControlSession *session;
    Cancel *cancel;
} Orders;

#define PART_BYTES (1 * MiB)

/* A set in its parts: a datum may have more inputs than a message holds. */
static Status send_set(Call *call, const Procavia__Work__WorkSet *set)
{
    Bytes packed = pb_pack_bytes(call->ctx, &set->base);
    Procavia__Work__WorkOrder order;
    Procavia__Work__WorkOrder__Part part;
    procavia__work__work_order__init(&order);
    procavia__work__work_order__part__init(&part);
    order.body_case = PROCAVIA__WORK__WORK_ORDER__BODY_PART;
    order.part = &part;
    part.lease = set->lease;
    for (size_t at = 0; !part.last;) {
        size_t size = MIN(packed.size - at, PART_BYTES);
        part.packed = (ProtobufCBinaryData){ size, (uint8_t *)(uintptr_t)packed.data + at };
        at += size;
        part.last = at == packed.size;
        TRY(call_send(call, &order.base));
    }
    return OK;
}

static Status send_order(Call *call, const Procavia__Work__WorkOrder *order)
{
    return order->body_case == PROCAVIA__WORK__WORK_ORDER__BODY_RUN ? send_set(call, order->run)
                                                                    : call_send(call, &order->base);
}

/* Has a ctx and a buffer of its own: the call's belong to the thread that receives. */
static void *send_orders(void *arg)
{
    const Orders *orders = arg;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    ctx.cancel = orders->cancel;
    Call sender = *orders->call;
    sender.ctx = &ctx;
    sender.buf = (Buf){ 0 };
    Status s = OK;
    while (status_ok(s)) {
        ArenaMark mark = arena_mark(ctx.arena);
        Procavia__Work__WorkOrder *order;
        s = control_next_order(&ctx, orders->session, &order);
        if (status_ok(s))
            s = send_order(&sender, order);
        arena_rewind(ctx.arena, mark);
    }
    buf_done(&sender.buf);
    return NULL;
}

static Status take_reports(Call *call, ControlSession *session)
{
    for (;;) {
        ArenaMark mark = arena_mark(call->ctx->arena);
        void *report;
        TRY(call_recv(call, &report));
        if (!report)
            return OK;
        TRY(control_report(call->ctx, session, report));
        arena_rewind(call->ctx->arena, mark);
    }
}

static Status serve_session(Call *call, ControlSession *session)
{
    Orders orders = { call, session, cancel_new() };
    pthread_t thread;
    Status s = thread_start(call->ctx, "orders", send_orders, &orders, &thread);
    if (status_ok(s)) {
        s = take_reports(call, session);
        cancel_set(orders.cancel);
        pthread_join(thread, NULL);
    }
    cancel_unref(orders.cancel);
    return s;
}

static Status serve(Call *call)
{
    void *first;
    TRY(call_recv(call, &first));
    const Procavia__Work__WorkReport *report = first;
    if (!report || report->body_case != PROCAVIA__WORK__WORK_REPORT__BODY_HELLO)
        return FAIL(call->ctx, INVALID_ARGUMENT, "a worker's first message is its hello");
    ControlSession *session;
    TRY(control_join(call->ctx, call->api->config.control, report->hello, &session));
    Status s = serve_session(call, session);
    control_leave(session);
    return s;
}

static const ApiMethod methods[] = {
    { .path = "/procavia.work.Work/Serve", .bidi = serve },
};

const ApiTable api_work_table = { methods, ARRAY_LEN(methods) };
