/* glob_compile.c - nodes to a program for glob.c.
 *
 * Code is emitted from the end of the pattern to its start, so that each instruction knows the one
 * that follows it; only loops are closed afterwards.
 */
#include "codec/glob_priv.h"

/* What comes behind a sequence: the rest of the one that holds it, and so on outward. */
typedef struct Tail {
    const Node *node;
    const struct Tail *outer;
} Tail;

typedef struct Compiler {
    Ctx *ctx;
    Glob *glob;
    size_t inst_capacity;
    size_t look_ahead_capacity;
    bool overflow; /* past GLOB_STATES_MAX: what is emitted no longer counts */
} Compiler;

static uint16_t emit(Compiler *c, Inst inst)
{
    Glob *glob = c->glob;
    if (glob->inst_count == GLOB_STATES_MAX) {
        c->overflow = true;
        return 0;
    }
    if (glob->inst_count == c->inst_capacity) {
        c->inst_capacity = MAX(2 * c->inst_capacity, (size_t)32);
        Inst *more = arena_must(c->ctx->arena, c->inst_capacity * sizeof(Inst));
        if (glob->inst_count)
            memcpy(more, glob->insts, glob->inst_count * sizeof(Inst));
        glob->insts = more;
    }
    glob->insts[glob->inst_count] = inst;
    return (uint16_t)glob->inst_count++;
}

static uint16_t emit_split(Compiler *c, uint16_t next, uint16_t other)
{
    return emit(c, (Inst){ .op = OP_SPLIT, .next = next, .other = other });
}

static uint16_t emit_save(Compiler *c, uint16_t group, bool end, uint16_t next)
{
    if (!group)
        return next;
    return emit(c, (Inst){ .op = OP_SAVE, .arg = (uint16_t)(2 * group + end), .next = next });
}

/* Greedy: another one before what follows. */
static uint16_t emit_run(Compiler *c, Op op, uint16_t next)
{
    uint16_t loop = emit_split(c, 0, next);
    uint16_t one = emit(c, (Inst){ .op = (uint8_t)op, .next = loop });
    c->glob->insts[loop].next = one;
    return loop;
}

static uint16_t emit_sequence(Compiler *c, const Node *node, const Tail *tail, uint16_t next);

static uint16_t emit_alternatives(Compiler *c, const Alternative *first, const Tail *tail,
                                  uint16_t next)
{
    size_t count = 0;
    for (const Alternative *each = first; each; each = each->next)
        count++;
    const Alternative **all = arena_must(c->ctx->arena, count * sizeof(*all));
    for (size_t i = 0; i < count; i++, first = first->next)
        all[i] = first;
    uint16_t start = emit_sequence(c, all[--count]->first, tail, next);
    while (count-- && !c->overflow)
        start = emit_split(c, emit_sequence(c, all[count]->first, tail, next), start);
    return start;
}

/* The node at or behind `node`, wherever it ends; NULL at the end of the pattern. */
static const Node *skip_out(const Node *node, const Tail **tail)
{
    while (!node && *tail) {
        node = (*tail)->node;
        *tail = (*tail)->outer;
    }
    return node;
}

/* The literal characters that follow, then: the end of the path if the pattern ends there, else
 * anything. */
static uint16_t emit_literal_tail(Compiler *c, const Tail *tail)
{
    CLEANUP(buf_done) Buf literal = { 0 };
    const Node *node = skip_out(NULL, &tail);
    for (; node && node->kind == NODE_CHAR; node = skip_out(node->next, &tail))
        buf_add_u8(&literal, node->c);
    uint16_t next = emit(c, (Inst){ .op = node ? OP_MATCH : OP_MATCH_END });
    for (size_t i = literal.size; i-- && !c->overflow;)
        next = emit(c, (Inst){ .op = OP_CHAR, .c = literal.data[i], .next = next });
    return next;
}

static uint16_t add_look_ahead(Compiler *c, LookAhead look)
{
    Glob *glob = c->glob;
    if (glob->look_ahead_count == c->look_ahead_capacity) {
        c->look_ahead_capacity = MAX(2 * c->look_ahead_capacity, (size_t)4);
        LookAhead *more = arena_must(c->ctx->arena, c->look_ahead_capacity * sizeof(LookAhead));
        if (glob->look_ahead_count)
            memcpy(more, glob->look_aheads, glob->look_ahead_count * sizeof(LookAhead));
        glob->look_aheads = more;
    }
    glob->look_aheads[glob->look_ahead_count] = look;
    return (uint16_t)glob->look_ahead_count++;
}

/* "!(a|b)x" is: not at "ax" or "bx", then any run without '/'. */
static uint16_t emit_not(Compiler *c, const Node *node, const Tail *tail, uint16_t next)
{
    uint16_t run = emit_run(c, OP_ANY, next);
    uint16_t low = (uint16_t)c->glob->inst_count;
    const Tail behind = { node->next, tail };
    uint16_t start =
        emit_alternatives(c, node->alternatives, &behind, emit_literal_tail(c, &behind));
    LookAhead look = { .low = low, .high = (uint16_t)c->glob->inst_count, .start = start };
    return emit(c, (Inst){ .op = OP_NOT, .arg = add_look_ahead(c, look), .next = run });
}

static uint16_t emit_loop(Compiler *c, const Node *node, const Tail *tail, uint16_t next)
{
    uint16_t loop = emit_split(c, 0, next);
    uint16_t body = emit_alternatives(c, node->alternatives, tail, loop);
    c->glob->insts[loop].next = body;
    return node->quantifier == '+' ? body : loop;
}

static uint16_t emit_group(Compiler *c, const Node *node, const Tail *tail, uint16_t next)
{
    const Tail behind = { node->next, tail };
    uint16_t end = emit_save(c, node->group, true, next);
    uint16_t start;
    switch (node->quantifier) {
    case '*':
    case '+':
        start = emit_loop(c, node, &behind, end);
        break;
    case '?':
        start = emit_split(c, emit_alternatives(c, node->alternatives, &behind, end), end);
        break;
    case '!':
        start = emit_not(c, node, tail, end);
        break;
    default:
        start = emit_alternatives(c, node->alternatives, &behind, end);
        break;
    }
    return emit_save(c, node->group, false, start);
}

static uint16_t emit_node(Compiler *c, const Node *node, const Tail *tail, uint16_t next)
{
    switch (node->kind) {
    case NODE_CHAR:
        return emit(c, (Inst){ .op = OP_CHAR, .c = node->c, .next = next });
    case NODE_SET:
        return emit(c, (Inst){ .op = OP_SET, .set = node->set, .next = next });
    case NODE_STAR:
        return emit_run(c, OP_ANY, next);
    case NODE_DEEP:
        return emit_run(c, OP_ALL, next);
    case NODE_GROUP:
        return emit_group(c, node, tail, next);
    }
    assert(false); /* every kind is above */
    return next;
}

static uint16_t emit_sequence(Compiler *c, const Node *node, const Tail *tail, uint16_t next)
{
    size_t count = 0;
    for (const Node *each = node; each; each = each->next)
        count++;
    const Node **nodes = arena_must(c->ctx->arena, (count + 1) * sizeof(*nodes));
    for (size_t i = 0; i < count; i++, node = node->next)
        nodes[i] = node;
    while (count-- && !c->overflow)
        next = emit_node(c, nodes[count], tail, next);
    return next;
}

Status glob_emit(Ctx *ctx, const GlobSyntax *syntax, Glob *out)
{
    Compiler c = { .ctx = ctx, .glob = out };
    uint16_t end = emit(&c, (Inst){ .op = OP_MATCH_END });
    out->start = emit_sequence(&c, syntax->first, NULL, end);
    if (c.overflow)
        return FAIL(ctx, INVALID_ARGUMENT, "glob '" STR_FMT "' is too complex",
                    STR_ARG(out->pattern));
    return OK;
}
