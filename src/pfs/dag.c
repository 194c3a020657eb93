/* dag.c - the structural rule of §8.1: in a connected part of the branches' graph each repo has one
 * branch at most, so that a set of commits made there has one commit of each repo.
 *
 * Only new edges can break it. Without the edges that lead up from the rewired branches the graph
 * falls into pieces, and each keeps the rule, as all its edges are older. So of two branches that
 * break it, one is in a piece that is not the last of these walks to end: all pieces are walked
 * side by side, a page of neighbours each in turn, until one is left. That costs what the others
 * have, while the one that is left may have every pipeline there is. When no repo of the others has
 * another branch, the rule holds; otherwise all that is connected is walked.
 */
#include "base/text.h"
#include "pfs/pfs_priv.h"

#include <stdlib.h>

#define PAGE_MAX 32 /* neighbours of a branch that are read at once */

/* --- all that is connected -------------------------------------------------------------------- */

/* All branches that are connected with those in `seen`, whichever way. */
static Status component(Ctx *ctx, PfsTx *tx, Ids *seen)
{
    for (size_t i = 0; i < seen->n; i++) {
        TRY(graph_neighbours(ctx, tx, BRANCH_UP, seen->items[i], seen));
        TRY(graph_neighbours(ctx, tx, BRANCH_DOWN, seen->items[i], seen));
    }
    return OK;
}

static Status check_component(Ctx *ctx, PfsTx *tx, int64_t branch_id)
{
    CLEANUP(ids_done) Ids branches = { 0 };
    CLEANUP(ids_done) Ids repos = { 0 };
    ids_add(&branches, branch_id);
    TRY(component(ctx, tx, &branches));
    ArenaMark mark = arena_mark(ctx->arena);
    for (size_t i = 0; i < branches.n; i++, arena_rewind(ctx->arena, mark)) {
        BranchRow row;
        TRY(branch_get(ctx, tx, branches.items[i], &row));
        if (ids_add(&repos, row.repo_id))
            continue;
        PfsV2__Repo *repo = repo_ref(ctx, row.project, row.repo, row.type);
        return FAIL(ctx, UNKNOWN,
                    "validate DAG at end of transaction: multiple branches from the same repo, "
                    "\"%s\", cannot participate in a DAG",
                    pfs_repo_text(ctx, repo));
    }
    return OK;
}

/* --- pieces ----------------------------------------------------------------------------------- */

/* Walks a piece from one of its branches. */
typedef struct Walker {
    Ids branches;  /* that it was the first to see, in the order of its walk */
    size_t at;     /* the branch whose neighbours are read */
    Edges edges;   /* those of them that are read: up, then down */
    int64_t after; /* the last neighbour that was */
    size_t piece;  /* another walker of the same piece, or itself: see piece_of */
} Walker;

typedef struct Pieces {
    const Ids *rewired;
    Walker *walkers; /* [n] */
    size_t n;
    Ids seen;   /* by any of them */
    Buf owners; /* size_t: of each in seen, its walker */
} Pieces;

static void pieces_done(Pieces *pieces)
{
    for (size_t i = 0; i < pieces->n; i++)
        ids_done(&pieces->walkers[i].branches);
    free(pieces->walkers);
    ids_done(&pieces->seen);
    buf_done(&pieces->owners);
}

/* The walker that stands for all that met in a piece. */
static size_t piece_of(Pieces *pieces, size_t walker)
{
    Walker *walkers = pieces->walkers;
    while (walkers[walker].piece != walker) {
        walkers[walker].piece = walkers[walkers[walker].piece].piece;
        walker = walkers[walker].piece;
    }
    return walker;
}

static void meet(Pieces *pieces, size_t walker, int64_t branch)
{
    size_t index = ids_find(&pieces->seen, branch), owner;
    if (index == IDS_NONE) {
        ids_add(&pieces->seen, branch);
        buf_add(&pieces->owners, &walker, sizeof(walker));
        ids_add(&pieces->walkers[walker].branches, branch);
        return;
    }
    memcpy(&owner, pieces->owners.data + index * sizeof(owner), sizeof(owner));
    pieces->walkers[piece_of(pieces, walker)].piece = piece_of(pieces, owner);
}

/* A walker from each rewired branch, and from each that it now is derived from. */
static Status pieces_open(Ctx *ctx, PfsTx *tx, const Ids *rewired, Pieces *out)
{
    CLEANUP(ids_done) Ids starts = { 0 };
    for (size_t i = 0; i < rewired->n; i++) {
        ids_add(&starts, rewired->items[i]);
        TRY(graph_neighbours(ctx, tx, BRANCH_UP, rewired->items[i], &starts));
    }
    out->rewired = rewired;
    out->walkers = calloc(MAX(starts.n, (size_t)1), sizeof(*out->walkers));
    if (!out->walkers)
        abort();
    out->n = starts.n;
    for (size_t i = 0; i < starts.n; i++) {
        out->walkers[i] = (Walker){ .edges = BRANCH_UP, .piece = i };
        meet(out, i, starts.items[i]);
    }
    return OK;
}

static bool walker_is_done(const Walker *walker)
{
    return walker->at == walker->branches.n;
}

static Status read_page(Ctx *ctx, PfsTx *tx, const Walker *walker, Ids *out)
{
    static const char *const pages[] = {
        [BRANCH_UP] = "SELECT up_id FROM pfs_branch_prov WHERE down_id = ? AND up_id > ? "
                      "ORDER BY up_id LIMIT ?",
        [BRANCH_DOWN] = "SELECT down_id FROM pfs_branch_prov WHERE up_id = ? AND down_id > ? "
                        "ORDER BY down_id LIMIT ?",
    };
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx->db, &rows, pages[walker->edges], "iii",
                 walker->branches.items[walker->at], walker->after, (int64_t)PAGE_MAX));
    DB_EACH (ctx, &rows)
        ids_add(out, db_int(&rows, 0));
    return OK;
}

/* Edges up from rewired branches hold no piece together. */
static bool is_cut(const Pieces *pieces, const Walker *walker, int64_t neighbour)
{
    int64_t down = walker->edges == BRANCH_UP ? walker->branches.items[walker->at] : neighbour;
    return ids_has(pieces->rewired, down);
}

static Status walk_page(Ctx *ctx, PfsTx *tx, Pieces *pieces, size_t index)
{
    Walker *walker = &pieces->walkers[index];
    CLEANUP(ids_done) Ids page = { 0 };
    TRY(read_page(ctx, tx, walker, &page));
    for (size_t i = 0; i < page.n; i++)
        if (!is_cut(pieces, walker, page.items[i]))
            meet(pieces, index, page.items[i]);
    if (page.n == PAGE_MAX) {
        walker->after = page.items[page.n - 1];
        return OK;
    }
    walker->after = 0;
    walker->at += walker->edges == BRANCH_DOWN;
    walker->edges = walker->edges == BRANCH_UP ? BRANCH_DOWN : BRANCH_UP;
    return OK;
}

/* Pieces whose walk has not ended: 0, 1, or 2 for more. One of them is *out. */
static size_t count_open(Pieces *pieces, size_t *out)
{
    size_t count = 0;
    for (size_t i = 0; i < pieces->n && count < 2; i++) {
        if (walker_is_done(&pieces->walkers[i]))
            continue;
        size_t piece = piece_of(pieces, i);
        count += !count || piece != *out;
        *out = piece;
    }
    return count;
}

static Status walk_until_one_is_left(Ctx *ctx, PfsTx *tx, Pieces *pieces)
{
    size_t any;
    while (count_open(pieces, &any) > 1) {
        TRY(ctx_check(ctx));
        for (size_t i = 0; i < pieces->n; i++)
            if (!walker_is_done(&pieces->walkers[i]))
                TRY(walk_page(ctx, tx, pieces, i));
    }
    return OK;
}

/* Only a branch with edges is connected with anything. */
static Status has_rival(Ctx *ctx, PfsTx *tx, int64_t branch, bool *out)
{
    int64_t ignored;
    Status s = db_query_int(ctx, tx->db, &ignored,
                            "SELECT 1 FROM pfs_branch b JOIN pfs_branch o "
                            "ON o.repo_id = b.repo_id AND o.id <> b.id "
                            "WHERE b.id = ? AND (EXISTS (SELECT 1 FROM pfs_branch_prov e WHERE "
                            "e.down_id = o.id) OR EXISTS (SELECT 1 FROM pfs_branch_prov e WHERE "
                            "e.up_id = o.id)) LIMIT 1",
                            "i", branch);
    *out = status_ok(s);
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

/* Whether a repo of the pieces whose walk ended has another branch that may be connected. */
static Status find_rival(Ctx *ctx, PfsTx *tx, Pieces *pieces, bool *out)
{
    size_t left = pieces->n;
    count_open(pieces, &left);
    *out = false;
    for (size_t i = 0; i < pieces->n && !*out; i++) {
        const Ids *branches = &pieces->walkers[i].branches;
        if (piece_of(pieces, i) == left)
            continue;
        for (size_t k = 0; k < branches->n && !*out; k++)
            TRY(has_rival(ctx, tx, branches->items[k], out));
    }
    return OK;
}

Status dag_check(Ctx *ctx, PfsTx *tx)
{
    if (tx->gone)
        return FAIL(ctx, NOT_FOUND,
                    "validate DAG at end of transaction: loading branch info for \"%s\" during "
                    "validation: branch (id=0, branch=%s) not found",
                    tx->gone, tx->gone);
    CLEANUP(ids_done) Ids rewired = ids_steal(&tx->rewired);
    CLEANUP(pieces_done) Pieces pieces = { 0 };
    bool rival;
    TRY(pieces_open(ctx, tx, &rewired, &pieces));
    TRY(walk_until_one_is_left(ctx, tx, &pieces));
    TRY(find_rival(ctx, tx, &pieces, &rival));
    for (size_t i = 0; rival && i < rewired.n; i++)
        TRY(check_component(ctx, tx, rewired.items[i]));
    return OK;
}
