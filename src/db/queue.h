/* queue.h - the writer's turn: a lock that is given in the order it was asked for. */
#pragma once

#include "base/thread.h"

typedef struct DbQueueEntry DbQueueEntry;

typedef struct DbQueue {
    pthread_mutex_t lock; /* guards the rest; held for moments only */
    DbQueueEntry *head, *tail;
    pthread_t owner; /* valid while taken */
    bool taken;
} DbQueue;

void db_queue_init(DbQueue *queue);
void db_queue_done(DbQueue *queue);

/* Waits for the turn. Errors: CANCELLED, DEADLINE_EXCEEDED. The thread must not have the turn
 * already. */
Status db_queue_enter(Ctx *ctx, DbQueue *queue) NODISCARD;
void db_queue_leave(DbQueue *queue);
