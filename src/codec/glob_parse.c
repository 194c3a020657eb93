/* glob_parse.c - the text of a pattern to nodes, by recursive descent. */
#include <ctype.h>

#include "codec/glob_priv.h"

typedef struct Parser {
    Ctx *ctx;
    Str in;
    size_t at;
    size_t group_count;
    unsigned nesting;
} Parser;

static int peek(const Parser *p, size_t ahead)
{
    return p->at + ahead < p->in.size ? (uint8_t)p->in.data[p->at + ahead] : -1;
}

/* strchr finds the NUL at the end of its text; a NUL in a pattern is a character like others. */
static bool is_one_of(int c, const char *any)
{
    return c > 0 && strchr(any, c);
}

static Node *node_new(Parser *p, NodeKind kind)
{
    Node *node = ARENA_ONE(p->ctx->arena, Node);
    node->kind = kind;
    return node;
}

static Node *char_node(Parser *p, uint8_t c)
{
    Node *node = node_new(p, NODE_CHAR);
    node->c = c;
    return node;
}

/* --- classes ---------------------------------------------------------------------------------- */

static int is_ascii(int c)
{
    return c < 0x80;
}
static int is_word(int c)
{
    return c < 0x80 && (isalnum(c) || c == '_');
}

static const struct {
    const char *name;
    int (*has)(int c);
} posix_classes[] = {
    { "alnum", isalnum }, { "alpha", isalpha },   { "ascii", is_ascii }, { "blank", isblank },
    { "cntrl", iscntrl }, { "digit", isdigit },   { "graph", isgraph },  { "lower", islower },
    { "print", isprint }, { "punct", ispunct },   { "space", isspace },  { "upper", isupper },
    { "word", is_word },  { "xdigit", isxdigit },
};

/* Takes "[:name:]" or "[:^name:]" at the cursor; false (and takes nothing) for an unknown name. */
static bool take_posix(Parser *p, CharSet *set)
{
    if (peek(p, 0) != '[' || peek(p, 1) != ':')
        return false;
    Str rest = str_sub(p->in, p->at + 2, p->in.size);
    bool negated = rest.size && rest.data[0] == '^';
    rest = str_sub(rest, negated, rest.size);
    for (size_t i = 0; i < ARRAY_LEN(posix_classes); i++) {
        Str name = str(posix_classes[i].name);
        if (!str_starts(rest, name) || !str_starts(str_sub(rest, name.size, rest.size), STR(":]")))
            continue;
        for (int c = 0; c < 256; c++) {
            if ((posix_classes[i].has(c) != 0) != negated)
                char_set_add(set, (uint8_t)c);
        }
        p->at += 2 + negated + name.size + 2;
        return true;
    }
    return false;
}

static Status take_class_char(Parser *p, uint8_t *out)
{
    if (peek(p, 0) == '\\')
        p->at++;
    if (p->at >= p->in.size)
        return FAIL(p->ctx, UNKNOWN, "unexpected end of input");
    *out = (uint8_t)p->in.data[p->at++];
    return OK;
}

/* One character, or a range of them. */
static Status take_class_member(Parser *p, CharSet *set)
{
    uint8_t low = 0;
    TRY(take_class_char(p, &low));
    uint8_t high = low;
    if (peek(p, 0) == '-' && peek(p, 1) != ']' && peek(p, 1) >= 0) {
        p->at++;
        TRY(take_class_char(p, &high));
    }
    if (high < low)
        return FAIL(p->ctx, UNKNOWN,
                    "error parsing regexp: invalid character class range: `%c-%c` in glob '" STR_FMT
                    "'",
                    low, high, STR_ARG(p->in));
    for (unsigned c = low; c <= high; c++)
        char_set_add(set, (uint8_t)c);
    return OK;
}

/* At '['. A negated class also takes '/'. */
static Status parse_class(Parser *p, Node **out)
{
    size_t from = p->at++;
    bool negated = peek(p, 0) == '!' || peek(p, 0) == '^';
    p->at += negated;
    CharSet *set = ARENA_ONE(p->ctx->arena, CharSet);
    size_t members_at = p->at;
    while (peek(p, 0) != ']') {
        if (peek(p, 0) < 0)
            return FAIL(p->ctx, UNKNOWN,
                        "unexpected end of input: unclosed '[' in glob '" STR_FMT "'",
                        STR_ARG(p->in));
        if (!take_posix(p, set))
            TRY(take_class_member(p, set));
    }
    if (p->at == members_at)
        return FAIL(p->ctx, UNKNOWN,
                    "error parsing regexp: missing argument in class `" STR_FMT
                    "` of glob '" STR_FMT "'",
                    STR_ARG(str_sub(p->in, from, p->at + 1)), STR_ARG(p->in));
    p->at++;
    for (size_t i = 0; negated && i < ARRAY_LEN(set->bits); i++)
        set->bits[i] = ~set->bits[i];
    *out = node_new(p, NODE_SET);
    (*out)->set = set;
    return OK;
}

static Node *question_node(Parser *p)
{
    CharSet *set = ARENA_ONE(p->ctx->arena, CharSet);
    memset(set, 0xff, sizeof(*set));
    set->bits['/' >> 6] &= ~(UINT64_C(1) << ('/' & 63));
    Node *node = node_new(p, NODE_SET);
    node->set = set;
    p->at++;
    return node;
}

/* --- sequences and groups --------------------------------------------------------------------- */

static Status parse_sequence(Parser *p, const char *stops, Node **out);

/* Behind the opening bracket. An unclosed one is closed by the end of the pattern. */
static Status parse_alternatives(Parser *p, char separator, char closer, Alternative **out)
{
    const char stops[] = { separator, closer, '\0' };
    if (++p->nesting > GLOB_NESTING_MAX)
        return FAIL(p->ctx, INVALID_ARGUMENT, "glob '" STR_FMT "' nests more than %d groups",
                    STR_ARG(p->in), GLOB_NESTING_MAX);
    int c;
    do {
        *out = ARENA_ONE(p->ctx->arena, Alternative);
        TRY(parse_sequence(p, stops, &(*out)->first));
        out = &(*out)->next;
        c = peek(p, 0);
        p->at += c >= 0;
    } while (c == separator);
    p->nesting--;
    return OK;
}

/* At "(" or at a quantifier before one. */
static Status parse_group(Parser *p, char quantifier, Node **out)
{
    if (quantifier == '^')
        return FAIL(p->ctx, UNKNOWN, "unimplemented quatifier ^ in glob '" STR_FMT "'",
                    STR_ARG(p->in));
    size_t from = p->at;
    p->at += peek(p, 0) == '(' ? 1 : 2;
    Node *node = *out = node_new(p, NODE_GROUP);
    node->quantifier = quantifier;
    node->group = (uint16_t)++p->group_count;
    TRY(parse_alternatives(p, '|', ')', &node->alternatives));
    node->span = (GroupSpan){ from, p->at };
    return OK;
}

static Status parse_braces(Parser *p, Node **out)
{
    p->at++;
    *out = node_new(p, NODE_GROUP);
    (*out)->quantifier = '@';
    return parse_alternatives(p, ',', '}', &(*out)->alternatives);
}

/* "**(" is a star and a group "*(". */
static Node *star_node(Parser *p)
{
    bool deep = peek(p, 1) == '*' && peek(p, 2) != '(';
    p->at += deep ? 2 : 1;
    return node_new(p, deep ? NODE_DEEP : NODE_STAR);
}

static Node *escaped_node(Parser *p)
{
    p->at += p->at + 1 < p->in.size; /* at the very end a backslash is itself */
    return char_node(p, (uint8_t)p->in.data[p->at++]);
}

static Status parse_node(Parser *p, Node **out)
{
    int c = peek(p, 0);
    if (c == '(')
        return parse_group(p, '@', out);
    if (is_one_of(c, "@*+?!^") && peek(p, 1) == '(')
        return parse_group(p, (char)c, out);
    if (c == '{')
        return parse_braces(p, out);
    if (c == '[')
        return parse_class(p, out);
    *out = c == '*'    ? star_node(p)
           : c == '?'  ? question_node(p)
           : c == '\\' ? escaped_node(p)
                       : char_node(p, (uint8_t)p->in.data[p->at++]);
    return OK;
}

static Status parse_sequence(Parser *p, const char *stops, Node **out)
{
    *out = NULL;
    while (p->at < p->in.size && !is_one_of(peek(p, 0), stops)) {
        TRY(parse_node(p, out));
        out = &(*out)->next;
    }
    return OK;
}

Status glob_parse(Ctx *ctx, Str pattern, GlobSyntax *out)
{
    Parser p = { .ctx = ctx, .in = pattern };
    TRY(parse_sequence(&p, "", &out->first));
    out->group_count = p.group_count;
    return OK;
}
