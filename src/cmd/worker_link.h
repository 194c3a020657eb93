/* worker_link.h - a worker's stream to the server: orders in, reports out, on a thread of its own.
 *
 * The main thread runs datums; it takes sets and queues reports. The link thread owns the
 * connection. When the connection ends, the work at hand is cancelled and link_take says so: the
 * server has given the lease back already.
 */
#pragma once

#include "base/event.h"
#include "procavia/work/work.pb-c.h"
#include "worker/worker.h"

typedef struct Link Link;

typedef struct LinkConfig {
    const char *address, *worker_id, *token, *sandbox;
    const char *trouble; /* why this worker can run nothing now; "": it can */
} LinkConfig;

/* Connects and says hello. Errors: UNAVAILABLE. */
Status link_open(Ctx *ctx, const LinkConfig *config, Link **out) NODISCARD;
Link *link_close(Link *link); /* sends what is queued; NULL is fine */

/* Waits for the next set; in ctx's arena. *out_cancel is set when the server wants it stopped, or
 * the connection is lost; the link's own, valid until the next take. Errors: UNAVAILABLE when the
 * connection is over, CANCELLED on quit, DEADLINE_EXCEEDED. */
Status link_take(Ctx *ctx, Link *link, Procavia__Work__WorkSet **out,
                 Cancel **out_cancel) NODISCARD;

/* The attempt at work may be ended alone (restart datum): its Cancel while it runs, NULL else. Not
 * owned. */
void link_attempt(Link *link, const char *datum_id, Cancel *attempt);
#define LINK_DATUM_ID_SIZE 80
/* Which datum's attempt runs, and since when (wall clock); false: none. Any thread. */
bool link_running(Link *link, char out_id[LINK_DATUM_ID_SIZE], int64_t *out_started_ns);
/* Ends that datum's attempt; false when it does not run. Any thread. */
bool link_end_attempt(Link *link, const char *datum_id);

#define LINK_ALIVE_MS 1000 /* how often a worker with a lease says that it lives */

/* Queue reports. Lines of log are gathered and go before the next report; link_log waits while very
 * much is gathered, as user code may print faster than the server stores. What is queued goes out
 * together: when LINK_LINGER_MS have passed, when it is much, or at link_flush. */
void link_report(Link *link, const Procavia__Work__WorkReport *report);
void link_log(Link *link, const Procavia__Work__WorkLog *line);
void link_flush(Link *link);
#define LINK_LINGER_MS 10
