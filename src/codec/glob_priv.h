/* glob_priv.h - the three steps of a glob: text to nodes (glob_parse.c), nodes to a program
 * (glob_compile.c), running it (glob.c). */
#pragma once

#include "codec/glob.h"

typedef struct CharSet {
    uint64_t bits[4];
} CharSet;

static inline bool char_set_has(const CharSet *set, uint8_t c)
{
    return set->bits[c >> 6] >> (c & 63) & 1;
}
static inline void char_set_add(CharSet *set, uint8_t c)
{
    set->bits[c >> 6] |= UINT64_C(1) << (c & 63);
}

/* --- nodes ------------------------------------------------------------------------------------ */

typedef enum NodeKind {
    NODE_CHAR,
    NODE_SET,  /* '?' and [class] */
    NODE_STAR, /* any run without '/' */
    NODE_DEEP, /* any run */
    NODE_GROUP,
} NodeKind;

typedef struct Node Node;

/* Where a group stands in the pattern, brackets and all. */
typedef struct GroupSpan {
    size_t from, to;
} GroupSpan;

typedef struct Alternative {
    Node *first; /* NULL: empty */
    struct Alternative *next;
} Alternative;

struct Node {
    NodeKind kind;
    uint8_t c;          /* NODE_CHAR */
    char quantifier;    /* NODE_GROUP: '@' (once), '*', '+', '?' or '!' */
    uint16_t group;     /* NODE_GROUP: its number from 1, or 0 for braces */
    const CharSet *set; /* NODE_SET */
    GroupSpan span;     /* NODE_GROUP */
    Alternative *alternatives;
    Node *next;
};

typedef struct GlobSyntax {
    Node *first;
    size_t group_count;
} GlobSyntax;

Status glob_parse(Ctx *ctx, Str pattern, GlobSyntax *out) NODISCARD;

/* --- program ---------------------------------------------------------------------------------- */

typedef enum Op {
    OP_CHAR,
    OP_SET,
    OP_ANY,       /* one byte but '/' */
    OP_ALL,       /* one byte */
    OP_SPLIT,     /* first `next`, then `other` */
    OP_SAVE,      /* position into slot `arg` */
    OP_NOT,       /* goes on where look-ahead `arg` does not match */
    OP_MATCH_END, /* at the end of the path */
    OP_MATCH,     /* anywhere: only in look-aheads */
} Op;

typedef struct Inst {
    uint8_t op;
    uint8_t c;    /* OP_CHAR */
    uint16_t arg; /* OP_SAVE: slot; OP_NOT: look-ahead */
    uint16_t next;
    uint16_t other; /* OP_SPLIT */
    const CharSet *set;
} Inst;

/* A '!(' tests at each position whether insts[low, high), begun at start, match from there. */
typedef struct LookAhead {
    uint16_t low, high, start;
} LookAhead;

struct Glob {
    Str pattern; /* cleaned */
    Str prefix;
    bool is_literal;
    bool is_level;
    size_t depth;
    size_t group_count;
    const GroupSpan *once; /* [group_count]: of those that each path goes through once; else empty */
    Inst *insts;
    size_t inst_count;
    uint16_t start;
    LookAhead *look_aheads; /* inner ones before those that hold them */
    size_t look_ahead_count;
};

/* A reference at the start of `s`, which is behind a '$': its group and how much of s it takes; 0
 * when it is none. */
size_t glob_reference(const Glob *glob, Str s, size_t *out_size);

Status glob_emit(Ctx *ctx, const GlobSyntax *syntax, Glob *out) NODISCARD;
