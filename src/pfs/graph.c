/* graph.c - walks over provenance, of branches and of commits: nearest first, each row visited
 * once. */
#include <stdlib.h>

#include "pfs/pfs_priv.h"

static const char *const neighbours_sql[] = {
    [BRANCH_UP] = "SELECT up_id FROM pfs_branch_prov WHERE down_id = ? ORDER BY up_id",
    [BRANCH_DOWN] = "SELECT down_id FROM pfs_branch_prov WHERE up_id = ? ORDER BY down_id",
    [BRANCH_FLOW] =
        "SELECT down_id FROM pfs_branch_prov WHERE up_id = ? AND never = 0 ORDER BY down_id",
    [COMMIT_UP] = "SELECT up_id FROM pfs_commit_prov WHERE down_id = ? ORDER BY up_id",
    [COMMIT_DOWN] = "SELECT down_id FROM pfs_commit_prov WHERE up_id = ? ORDER BY down_id",
};

Status graph_neighbours(Ctx *ctx, PfsTx *tx, Edges edges, int64_t id, Ids *out)
{
    return ids_query(ctx, tx, neighbours_sql[edges], id, out);
}

Status graph_closure(Ctx *ctx, PfsTx *tx, Edges edges, size_t items_max, size_t depth_max,
                     Ids *seen)
{
    size_t done = 0;
    for (size_t depth = 0; done < seen->n && (!depth_max || depth < depth_max); depth++)
        for (size_t level_end = seen->n; done < level_end; done++) {
            if (items_max && seen->n >= items_max)
                return OK;
            TRY(graph_neighbours(ctx, tx, edges, seen->items[done], seen));
        }
    return OK;
}

/* --- order ------------------------------------------------------------------------------------ */

/* Depth first with a stack of its own: chains of thousands must not end the thread's. */
typedef struct Visit {
    Ids neighbours;
    size_t at;
    int64_t id;
} Visit;

typedef struct Visits {
    Visit *items;
    size_t n, capacity;
} Visits;

static void visits_done(Visits *visits)
{
    for (size_t i = 0; i < visits->n; i++)
        ids_done(&visits->items[i].neighbours);
    free(visits->items);
}

static Status visits_push(Ctx *ctx, PfsTx *tx, Edges edges, int64_t id, Visits *visits)
{
    if (visits->n == visits->capacity) {
        visits->capacity = visits->capacity ? visits->capacity * 2 : 16;
        visits->items = realloc(visits->items, visits->capacity * sizeof(*visits->items));
        if (!visits->items)
            abort();
    }
    Visit *visit = &visits->items[visits->n++];
    *visit = (Visit){ .id = id };
    return graph_neighbours(ctx, tx, edges, id, &visit->neighbours);
}

/* The next neighbour of the top visit that is wanted and new; 0 when it has no more. */
static int64_t visit_next(Visit *visit, const Ids *wanted, Ids *entered)
{
    while (visit->at < visit->neighbours.n) {
        int64_t id = visit->neighbours.items[visit->at++];
        if (ids_has(wanted, id) && ids_add(entered, id))
            return id;
    }
    return 0;
}

static Status order_from(Ctx *ctx, PfsTx *tx, Edges edges, const Ids *wanted, int64_t id,
                         Ids *entered, Ids *out)
{
    CLEANUP(visits_done) Visits visits = { 0 };
    TRY(visits_push(ctx, tx, edges, id, &visits));
    while (visits.n) {
        Visit *top = &visits.items[visits.n - 1];
        int64_t next = visit_next(top, wanted, entered);
        if (next) {
            TRY(visits_push(ctx, tx, edges, next, &visits));
            continue;
        }
        ids_add(out, top->id);
        ids_done(&top->neighbours);
        visits.n--;
    }
    return OK;
}

Status graph_order(Ctx *ctx, PfsTx *tx, Edges edges, const Ids *ids, Ids *out)
{
    CLEANUP(ids_done) Ids entered = { 0 };
    for (size_t i = 0; i < ids->n; i++)
        if (ids_add(&entered, ids->items[i]))
            TRY(order_from(ctx, tx, edges, ids, ids->items[i], &entered, out));
    return OK;
}
