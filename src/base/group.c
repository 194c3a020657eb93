/* group.c - see group.h. */
#include "base/group.h"

#include <stdlib.h>

void group_init(Group *group)
{
    *group = (Group){ 0 };
    pthread_mutex_init(&group->lock, NULL);
    pthread_cond_init(&group->turn, NULL);
}

void group_done(Group *group)
{
    assert(!group->running);
    pthread_cond_destroy(&group->turn);
    pthread_mutex_destroy(&group->lock);
    free(group->failure);
    group->failure = NULL;
}

static void remember_failure(Group *group, Status why)
{
    if (group->failed != STATUS_OK)
        return;
    group->failed = why.code;
    group->failure = strdup(status_message(why));
    if (!group->failure)
        abort();
}

/* The failure in ctx's memory; it outlives the ctx of whoever met it. */
static Status failure_of(Ctx *ctx, const Group *group)
{
    return group->failed == STATUS_OK ? OK : status_new(ctx, group->failed, "%s", group->failure);
}

/* Runs the work with the lock released. */
static void run(Ctx *ctx, Group *group, GroupWork work, void *self)
{
    group->running = true;
    pthread_mutex_unlock(&group->lock);
    uint64_t covered = 0;
    Status s = work(self, ctx, &covered);
    pthread_mutex_lock(&group->lock);
    group->running = false;
    group->runs++;
    if (status_ok(s))
        group->covered = MAX(group->covered, covered);
    else
        remember_failure(group, s);
    pthread_cond_broadcast(&group->turn);
}

Status group_reach(Ctx *ctx, Group *group, uint64_t target, GroupWork work, void *self)
{
    LOCKED(&group->lock);
    while (group->covered < target && group->failed == STATUS_OK) {
        if (group->running)
            pthread_cond_wait(&group->turn, &group->lock);
        else
            run(ctx, group, work, self);
    }
    return group->covered >= target ? OK : failure_of(ctx, group);
}

Status group_health(Ctx *ctx, Group *group)
{
    LOCKED(&group->lock);
    return failure_of(ctx, group);
}

void group_poison(Group *group, Status why)
{
    LOCKED(&group->lock);
    remember_failure(group, why);
    pthread_cond_broadcast(&group->turn);
}

uint64_t group_runs(Group *group)
{
    LOCKED(&group->lock);
    return group->runs;
}
