/* draw.c - draw pipeline: repos and pipelines as boxes, from what is read at the top to what is
 * made of it below.
 *
 * Boxes stand in rows, each below all that it reads; a line that passes a row has a place there
 * like a box. Within a row they are sorted by where their neighbours stand. */
#include <stdlib.h>

#include "cmd/pcv/verbs_priv.h"

#define WIDTH_MIN  5
#define WIDTH_MAX  200
#define HEIGHT_MIN 1
#define HEIGHT_MAX 100
#define GAP        2 /* columns between boxes */
#define SWEEPS     8 /* of sorting: more changes little */
#define CELLS_MAX  (16 * MiB)

typedef struct Node {
    const char *name; /* NULL: a line that passes the row */
    Color color;
    bool colored;
    size_t row, place; /* in it */
    double wish;       /* where its neighbours stand, on average */
} Node;

typedef struct Edge {
    size_t from, to;
} Edge;

typedef struct Graph {
    Node *nodes;
    Edge *edges;
    size_t node_count, node_room, edge_count, edge_room, row_count;
} Graph;

static void graph_done(Graph *graph)
{
    free(graph->nodes);
    free(graph->edges);
}

static void *grow(void *items, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return items;
    *room = MAX(2 * *room, (size_t)64);
    items = realloc(items, *room * size);
    if (!items)
        abort();
    return items;
}

static size_t add_node(Graph *graph, const char *name)
{
    graph->nodes = grow(graph->nodes, graph->node_count, &graph->node_room, sizeof(*graph->nodes));
    graph->nodes[graph->node_count] = (Node){ .name = name };
    return graph->node_count++;
}

static void add_edge(Graph *graph, size_t from, size_t to)
{
    graph->edges = grow(graph->edges, graph->edge_count, &graph->edge_room, sizeof(*graph->edges));
    graph->edges[graph->edge_count++] = (Edge){ from, to };
}

/* --- what there is ---------------------------------------------------------------------------- */

/* Repos of other projects are named with them. */
static size_t node_of(Cli *cli, Graph *graph, const char *project, const char *name)
{
    if (*project && strcmp(project, cli_project_name(cli)) != 0)
        name = text_printf(cli->ctx->arena, "%s/%s", project, name);
    for (size_t i = 0; i < graph->node_count; i++)
        if (strcmp(graph->nodes[i].name, name) == 0)
            return i;
    return add_node(graph, name);
}

static void add_inputs(Cli *cli, Graph *graph, size_t pipeline, const PpsV2__Input *input)
{
    if (!input)
        return;
    if (input->pfs)
        add_edge(graph, node_of(cli, graph, input->pfs->project, input->pfs->repo), pipeline);
    if (input->cron)
        add_edge(graph, node_of(cli, graph, input->cron->project, input->cron->repo), pipeline);
    const struct {
        PpsV2__Input **items;
        size_t n;
    } below[] = { { input->cross, input->n_cross },
                  { input->join, input->n_join },
                  { input->group, input->n_group },
                  { input->union_, input->n_union_ } };
    for (size_t k = 0; k < ARRAY_LEN(below); k++)
        for (size_t i = 0; i < below[k].n; i++)
            add_inputs(cli, graph, pipeline, below[k].items[i]);
}

static Color state_color(PpsV2__PipelineState state)
{
    bool bad = state == PPS_V2__PIPELINE_STATE__PIPELINE_FAILURE ||
               state == PPS_V2__PIPELINE_STATE__PIPELINE_CRASHING;
    bool good = state == PPS_V2__PIPELINE_STATE__PIPELINE_RUNNING;
    return bad ? COLOR_RED : good ? COLOR_GREEN : COLOR_YELLOW;
}

static void add_pipeline(Cli *cli, Graph *graph, const PpsV2__PipelineInfo *info)
{
    const PpsV2__Pipeline *pipeline = info->pipeline;
    const char *project = pipeline->project ? pipeline->project->name : "";
    size_t node = node_of(cli, graph, project, pipeline->name);
    graph->nodes[node].colored = true;
    graph->nodes[node].color = state_color(info->state);
    if (info->details)
        add_inputs(cli, graph, node, info->details->input);
}

/* --- rows ------------------------------------------------------------------------------------- */

/* Each node one below the lowest that it reads. Commits' provenance has no cycles; were there one,
 * this ends all the same. */
static void choose_rows(Graph *graph)
{
    bool moved = true;
    for (size_t round = 0; moved && round < graph->node_count; round++) {
        moved = false;
        for (size_t i = 0; i < graph->edge_count; i++) {
            const Node *from = &graph->nodes[graph->edges[i].from];
            Node *to = &graph->nodes[graph->edges[i].to];
            if (to->row <= from->row && from->row + 1 < graph->node_count) {
                to->row = from->row + 1;
                moved = true;
            }
        }
    }
}

static bool is_read_only(const Graph *graph, size_t node)
{
    for (size_t i = 0; i < graph->edge_count; i++)
        if (graph->edges[i].to == node)
            return false;
    return true;
}

/* What nothing is above of goes down to just above who reads it first. */
static void lower_sources(Graph *graph)
{
    for (size_t node = 0; node < graph->node_count; node++) {
        size_t lowest = SIZE_MAX;
        for (size_t i = 0; i < graph->edge_count; i++)
            if (graph->edges[i].from == node)
                lowest = MIN(lowest, graph->nodes[graph->edges[i].to].row);
        if (lowest != SIZE_MAX && lowest && is_read_only(graph, node))
            graph->nodes[node].row = lowest - 1;
    }
}

/* An edge that passes rows gets a node in each of them. */
static void cut_edges(Graph *graph)
{
    for (size_t i = 0; i < graph->edge_count; i++) {
        const Edge edge = graph->edges[i];
        size_t row = graph->nodes[edge.from].row + 1;
        if (row >= graph->nodes[edge.to].row)
            continue;
        size_t passing = add_node(graph, NULL);
        graph->nodes[passing].row = row;
        graph->edges[i].to = passing;
        add_edge(graph, passing, edge.to); /* its turn comes */
    }
}

static void count_rows(Graph *graph)
{
    for (size_t i = 0; i < graph->node_count; i++)
        graph->row_count = MAX(graph->row_count, graph->nodes[i].row + 1);
}

/* --- places in a row -------------------------------------------------------------------------- */

static int by_wish(const void *a, const void *b)
{
    const Node *x = *(Node *const *)a, *y = *(Node *const *)b;
    if (x->wish < y->wish || x->wish > y->wish)
        return x->wish < y->wish ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static size_t members(const Graph *graph, size_t row, Node **out)
{
    size_t n = 0;
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i].row == row)
            out[n++] = &graph->nodes[i];
    return n;
}

/* Where the neighbours above (or below) stand; who has none stays. */
static double wish_of(const Graph *graph, const Node *node, bool above)
{
    size_t index = (size_t)(node - graph->nodes), n = 0;
    double sum = 0;
    for (size_t i = 0; i < graph->edge_count; i++) {
        const Edge *edge = &graph->edges[i];
        if ((above ? edge->to : edge->from) != index)
            continue;
        sum += (double)graph->nodes[above ? edge->from : edge->to].place;
        n++;
    }
    return n ? sum / (double)n : (double)node->place;
}

static void sort_row(const Graph *graph, size_t row, bool above, Node **room)
{
    size_t n = members(graph, row, room);
    for (size_t i = 0; i < n; i++)
        room[i]->wish = wish_of(graph, room[i], above);
    qsort(room, n, sizeof(*room), by_wish);
    for (size_t i = 0; i < n; i++)
        room[i]->place = i;
}

static void choose_places(const Graph *graph, Node **room)
{
    for (size_t row = 0; row < graph->row_count; row++) {
        size_t n = members(graph, row, room);
        for (size_t i = 0; i < n; i++)
            room[i]->place = i;
    }
    for (size_t sweep = 0; sweep < SWEEPS; sweep++)
        for (size_t i = 0; i < graph->row_count; i++) {
            bool down = sweep % 2 == 0;
            sort_row(graph, down ? i : graph->row_count - 1 - i, down, room);
        }
}

/* --- the picture ------------------------------------------------------------------------------ */

enum { UP = 1, DOWN = 2, LEFT = 4, RIGHT = 8 };

/* By the directions that a line goes to from a cell. */
static const char *const lines[16] = { " ", "│", "│", "│", "─", "┘", "┐", "┤",
                                       "─", "└", "┌", "├", "─", "┴", "┬", "┼" };

typedef struct Cell {
    char text; /* 0: a line, or nothing */
    uint8_t line, color;
} Cell;

typedef struct Picture {
    Cli *cli;
    const Graph *graph;
    size_t box_width, edge_height, columns, rows; /* columns, rows: of cells */
    size_t widest;                                /* nodes of a row */
    size_t *tops;                                 /* of each row of nodes: [row_count + 1] */
    Cell *cells;
} Picture;

static Cell *cell(const Picture *picture, size_t x, size_t y)
{
    return &picture->cells[y * picture->columns + x];
}

static size_t text_lines(const Picture *picture, const Node *node)
{
    size_t inside = picture->box_width - 2;
    return node->name ? (strlen(node->name) + inside - 1) / inside : 1;
}

static size_t row_size(const Graph *graph, size_t row)
{
    size_t n = 0;
    for (size_t i = 0; i < graph->node_count; i++)
        n += graph->nodes[i].row == row;
    return n;
}

/* The middle of a node; rows are centred. */
static size_t middle(const Picture *picture, const Node *node)
{
    size_t pitch = picture->box_width + GAP;
    size_t indent = (picture->widest - row_size(picture->graph, node->row)) * pitch / 2;
    return indent + node->place * pitch + picture->box_width / 2;
}

static void draw_down(const Picture *picture, size_t x, size_t from, size_t to)
{
    for (size_t y = from; y < to; y++) {
        cell(picture, x, y)->line |= DOWN;
        cell(picture, x, y + 1)->line |= UP;
    }
}

static void draw_across(const Picture *picture, size_t a, size_t b, size_t y)
{
    for (size_t x = MIN(a, b); x < MAX(a, b); x++) {
        cell(picture, x, y)->line |= RIGHT;
        cell(picture, x + 1, y)->line |= LEFT;
    }
}

static void draw_name(const Picture *picture, const Node *node, size_t x, size_t y)
{
    size_t inside = picture->box_width - 2;
    for (Str rest = str(node->name); rest.size; y++) {
        Str part = str_sub(rest, 0, MIN(inside, rest.size));
        size_t at = x + (inside - part.size) / 2;
        for (size_t i = 0; i < part.size; i++)
            *cell(picture, at + i, y) =
                (Cell){ .text = part.data[i], .color = (uint8_t)(node->colored ? node->color : 0) };
        rest = str_sub(rest, part.size, rest.size);
    }
}

static void draw_node(const Picture *picture, const Node *node)
{
    size_t top = picture->tops[node->row];
    size_t end = picture->tops[node->row + 1] - picture->edge_height - 1; /* the row's last line */
    if (!node->name) {
        draw_down(picture, middle(picture, node), top, end);
        return;
    }
    size_t left = middle(picture, node) - picture->box_width / 2;
    size_t right = left + picture->box_width - 1, bottom = top + text_lines(picture, node) + 1;
    draw_across(picture, left, right, top);
    draw_across(picture, left, right, bottom);
    draw_down(picture, left, top, bottom);
    draw_down(picture, right, top, bottom);
    draw_name(picture, node, left + 1, top + 1);
}

/* Where a node's lines begin: at the last line of its box, which may be a small one of its row. */
static size_t bottom_of(const Picture *picture, const Node *node)
{
    return node->name ? picture->tops[node->row] + text_lines(picture, node) + 1
                      : picture->tops[node->row + 1] - picture->edge_height - 1;
}

static void draw_edge(const Picture *picture, const Edge *edge)
{
    const Node *from = &picture->graph->nodes[edge->from], *to = &picture->graph->nodes[edge->to];
    size_t top = bottom_of(picture, from), bottom = picture->tops[to->row];
    size_t x = middle(picture, from), target = middle(picture, to);
    /* Lines of nodes beside each other turn at different heights where there is room. */
    size_t room = MAX(picture->edge_height, (size_t)2) - 1;
    size_t turn = bottom - 1 - from->place % room;
    draw_down(picture, x, top, turn);
    draw_across(picture, x, target, turn);
    draw_down(picture, target, turn, bottom);
}

static void measure(Picture *picture)
{
    const Graph *graph = picture->graph;
    for (size_t row = 0; row < graph->row_count; row++) {
        size_t height = 0;
        for (size_t i = 0; i < graph->node_count; i++)
            if (graph->nodes[i].row == row)
                height = MAX(height, text_lines(picture, &graph->nodes[i]) + 2);
        picture->tops[row + 1] = picture->tops[row] + height + picture->edge_height;
        picture->widest = MAX(picture->widest, row_size(graph, row));
    }
    picture->rows = picture->tops[graph->row_count] - picture->edge_height;
    picture->columns = picture->widest * (picture->box_width + GAP);
}

static void print_row(const Picture *picture, size_t y)
{
    Cli *cli = picture->cli;
    size_t end = picture->columns;
    while (end && !cell(picture, end - 1, y)->text && !cell(picture, end - 1, y)->line)
        end--;
    for (size_t x = 0; x < end; x++) {
        const Cell *at = cell(picture, x, y);
        const char letter[] = { at->text, '\0' };
        const char *text = at->text ? letter : lines[at->line];
        ArenaMark mark = arena_mark(cli->ctx->arena);
        cli_print(cli, "%s", at->color ? cli_paint(cli, (Color)at->color, text) : text);
        arena_rewind(cli->ctx->arena, mark);
    }
    cli_print(cli, "\n");
}

static Status draw_picture(Picture *picture)
{
    const Graph *graph = picture->graph;
    Ctx *ctx = picture->cli->ctx;
    picture->tops = ARENA_NEW(ctx->arena, size_t, graph->row_count + 1);
    if (!picture->tops)
        return STATUS(RESOURCE_EXHAUSTED);
    measure(picture);
    if (picture->columns > CELLS_MAX / sizeof(Cell) / picture->rows)
        return FAIL(ctx, RESOURCE_EXHAUSTED, "the picture would be too large");
    picture->cells = calloc(picture->rows * picture->columns, sizeof(Cell));
    if (!picture->cells)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < graph->edge_count; i++)
        draw_edge(picture, &graph->edges[i]);
    for (size_t i = 0; i < graph->node_count; i++)
        draw_node(picture, &graph->nodes[i]);
    for (size_t y = 0; y < picture->rows; y++)
        print_row(picture, y);
    free(picture->cells);
    return OK;
}

/* --- the verb --------------------------------------------------------------------------------- */

static Status number_within(Cli *cli, OptionId id, int64_t min, int64_t max, size_t *out)
{
    int64_t number = cli->opt[id].number;
    *out = (size_t)number;
    return number >= min && number <= max
               ? OK
               : FAIL(cli->ctx, INVALID_ARGUMENT, "--%s must be from %lld to %lld",
                      pcv_options[id].name, (long long)min, (long long)max);
}

static Status collect(Cli *cli, CliMessages *out)
{
    PpsV2__ListPipelineRequest *request =
        PB_NEW(cli->ctx, pps_v2__list_pipeline_request, PpsV2__ListPipelineRequest);
    PfsV2__CommitSet *set = PB_NEW(cli->ctx, pfs_v2__commit_set, PfsV2__CommitSet);
    PfsV2__Project *project = cli_project(cli);
    set->id = cli_text(cli, OPT_COMMIT_SET);
    request->commit_set = set;
    request->projects = &project;
    request->n_projects = 1;
    return cli_collect(cli, "/pps_v2.API/ListPipeline", request, out);
}

static Status draw_pipeline(Cli *cli)
{
    CLEANUP(graph_done) Graph graph = { 0 };
    Picture picture = { .cli = cli, .graph = &graph };
    CliMessages found;
    TRY(number_within(cli, OPT_BOX_WIDTH, WIDTH_MIN, WIDTH_MAX, &picture.box_width));
    TRY(number_within(cli, OPT_EDGE_HEIGHT, HEIGHT_MIN, HEIGHT_MAX, &picture.edge_height));
    TRY(collect(cli, &found));
    for (size_t i = found.count; i-- > 0;) /* the oldest first */
        add_pipeline(cli, &graph, found.items[i]);
    if (!graph.node_count)
        return OK;
    choose_rows(&graph);
    lower_sources(&graph);
    cut_edges(&graph);
    count_rows(&graph);
    Node **room = ARENA_NEW(cli->ctx->arena, Node *, graph.node_count);
    if (!room)
        return STATUS(RESOURCE_EXHAUSTED);
    choose_places(&graph, room);
    return draw_picture(&picture);
}

/* clang-format off */
static const Command rows[] = {
    { .words = "draw pipeline", .args = "", .run = draw_pipeline,
      .summary = "draw the pipelines and what they read",
      .options = { OPT_COMMIT_SET, OPT_BOX_WIDTH, OPT_EDGE_HEIGHT, OPT_PROJECT } },
};
/* clang-format on */

const CommandTable draw_commands = { rows, ARRAY_LEN(rows) };
