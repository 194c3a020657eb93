/* dag.c - what a load test goes through: lines "name:" for a source, "name: in, in" for a pipeline.
 * Empty lines and what follows a '#' say nothing. */
#include "base/text.h"
#include "load/load_priv.h"

#define NODES_MAX  1000
#define INPUTS_MAX 64

static const char preset[] = "default-load-test-source:\n"
                             "default-load-test-pipeline: default-load-test-source\n";

/* Cuts off what is before the first `end`. */
static Str next_part(Str *rest, char end)
{
    Str part = str_sub(*rest, 0, str_find(*rest, end));
    *rest = str_sub(*rest, MIN(part.size + 1, rest->size), rest->size);
    return str_trim(part, " \t\r");
}

static bool is_known(const LoadNodes *nodes, const char *name)
{
    for (size_t i = 0; i < nodes->n; i++)
        if (strcmp(nodes->items[i].name, name) == 0)
            return true;
    return false;
}

static Status read_inputs(Ctx *ctx, Str rest, const char *suffix, const LoadNodes *nodes,
                          LoadNode *node)
{
    node->inputs = ARENA_NEW(ctx->arena, const char *, INPUTS_MAX);
    if (!node->inputs)
        return STATUS(RESOURCE_EXHAUSTED);
    while (str_trim(rest, " \t\r").size) {
        Str input = next_part(&rest, ',');
        const char *name = text_printf(ctx->arena, STR_FMT "-%s", STR_ARG(input), suffix);
        if (!is_known(nodes, name))
            return FAIL(ctx, INVALID_ARGUMENT, "input '" STR_FMT "' is not defined above it",
                        STR_ARG(input));
        if (node->n == INPUTS_MAX)
            return FAIL(ctx, INVALID_ARGUMENT, "a pipeline can have %d inputs", INPUTS_MAX);
        node->inputs[node->n++] = name;
    }
    return OK;
}

static Status read_line(Ctx *ctx, Str line, const char *suffix, LoadNodes *nodes)
{
    line = next_part(&line, '#');
    if (!line.size)
        return OK;
    if (str_find(line, ':') == line.size)
        return FAIL(ctx, INVALID_ARGUMENT, "it is no 'name:' or 'name: input, input'");
    Str name = next_part(&line, ':');
    LoadNode node = { .name = text_printf(ctx->arena, STR_FMT "-%s", STR_ARG(name), suffix) };
    if (is_known(nodes, node.name))
        return FAIL(ctx, INVALID_ARGUMENT, "'" STR_FMT "' is defined twice", STR_ARG(name));
    TRY(read_inputs(ctx, line, suffix, nodes, &node));
    if (nodes->n == NODES_MAX)
        return FAIL(ctx, INVALID_ARGUMENT, "there can be %d lines", NODES_MAX);
    nodes->items[nodes->n++] = node;
    return OK;
}

Status load_dag_read(Ctx *ctx, const char *text, const char *suffix, LoadNodes *out)
{
    Str rest = str(*text ? text : preset);
    *out = (LoadNodes){ .items = ARENA_NEW(ctx->arena, LoadNode, NODES_MAX) };
    if (!out->items)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t number = 1; rest.size; number++)
        TRY_WRAP(ctx, read_line(ctx, next_part(&rest, '\n'), suffix, out), "line %zu of the DAG",
                 number);
    return out->n ? OK : FAIL(ctx, INVALID_ARGUMENT, "the DAG is empty");
}
