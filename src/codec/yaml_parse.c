/* yaml_parse.c - YAML to JSON values: libyaml gives events, this makes values of them. */
#include <yaml.h>

#include "base/text.h"
#include "codec/yaml_priv.h"

typedef struct Anchor {
    Str name;
    JsonValue *value;
    size_t nodes; /* values in it, written out */
    struct Anchor *older;
} Anchor;

typedef struct Composer {
    Ctx *ctx;
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    Anchor *anchors;    /* of this document, newest first */
    size_t nodes;       /* values so far, aliases counted as what they stand for */
    unsigned depth;
} Composer;

static JsonPos pos_of(yaml_mark_t mark)
{
    return (JsonPos){ (uint32_t)mark.line + 1, (uint32_t)mark.column + 1 };
}

PRINTF_LIKE(2, 3) static Status fail_here(Composer *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *message = text_vprintf(c->ctx->arena, format, args);
    va_end(args);
    JsonPos pos = pos_of(c->event.start_mark);
    return FAIL(c->ctx, INVALID_ARGUMENT, "line %u, column %u: %s", pos.line, pos.column, message);
}

static Status fail_parser(Composer *c)
{
    const yaml_parser_t *p = &c->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return STATUS(RESOURCE_EXHAUSTED);
    if (p->error == YAML_READER_ERROR)
        return FAIL(c->ctx, INVALID_ARGUMENT, "byte %zu: %s", p->problem_offset, p->problem);
    JsonPos pos = pos_of(p->problem_mark);
    return FAIL(c->ctx, INVALID_ARGUMENT, "line %u, column %u: %s%s%s", pos.line, pos.column,
                p->problem, p->context ? " " : "", p->context ? p->context : "");
}

static Status next_event(Composer *c)
{
    yaml_event_delete(&c->event); /* and zeroes it */
    return yaml_parser_parse(&c->parser, &c->event) ? OK : fail_parser(c);
}

static Str text_of(const yaml_char_t *text)
{
    return str((const char *)text);
}

/* --- values ----------------------------------------------------------------------------------- */

static Status value_new(Composer *c, JsonType type, JsonValue **out)
{
    if (++c->nodes > YAML_NODES_MAX)
        return fail_here(c, "the text stands for more than %d values", YAML_NODES_MAX);
    *out = ARENA_NEW(c->ctx->arena, JsonValue, 1);
    if (!*out)
        return STATUS(RESOURCE_EXHAUSTED);
    (*out)->type = type;
    (*out)->pos = pos_of(c->event.start_mark);
    return OK;
}

static const struct {
    const char *tag;
    JsonType type; /* of the value; a number may also be .inf or .nan, which are strings */
} tags[] = {
    { YAML_STR_TAG, JSON_STRING }, { YAML_INT_TAG, JSON_NUMBER }, { YAML_FLOAT_TAG, JSON_NUMBER },
    { YAML_BOOL_TAG, JSON_BOOL },  { YAML_NULL_TAG, JSON_NULL },  { "!", JSON_STRING },
};

/* A scalar's type and text: by its tag, else what it looks like when it is plain. */
static Status resolve_scalar(Composer *c, JsonType *out_type, Str *out_text)
{
    Str text = { (const char *)c->event.data.scalar.value, c->event.data.scalar.length };
    *out_type = yaml_resolve(c->ctx, text, out_text);
    if (!c->event.data.scalar.tag) {
        if (c->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
            *out_type = JSON_STRING;
            *out_text = text;
        }
        return OK;
    }
    Str tag = text_of(c->event.data.scalar.tag);
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        if (!str_eq_c(tag, tags[i].tag))
            continue;
        if (tags[i].type == JSON_STRING) {
            *out_type = JSON_STRING;
            *out_text = text;
        }
        if (*out_type == tags[i].type)
            return OK;
    }
    return fail_here(c, "unsupported tag %s on %s", text_quote(c->ctx->arena, tag),
                     text_quote(c->ctx->arena, str_sub(text, 0, 80)));
}

static Status copy_text(Composer *c, Str text, Str *out)
{
    char *copy = arena_alloc(c->ctx->arena, text.size + 1);
    if (!copy)
        return STATUS(RESOURCE_EXHAUSTED);
    if (text.size)
        memcpy(copy, text.data, text.size);
    *out = (Str){ copy, text.size };
    return OK;
}

static Status compose_scalar(Composer *c, JsonValue *value)
{
    Str text;
    TRY(resolve_scalar(c, &value->type, &text));
    value->boolean = value->type == JSON_BOOL && str_eq_c(text, "true");
    return value->type == JSON_STRING || value->type == JSON_NUMBER
               ? copy_text(c, text, &value->text)
               : OK;
}

static Status compose_node(Composer *c, JsonValue **out);

static Status compose_sequence(Composer *c, JsonValue *array)
{
    TRY(next_event(c));
    while (c->event.type != YAML_SEQUENCE_END_EVENT) {
        JsonValue *item;
        TRY(compose_node(c, &item));
        if (!json_reserve(c->ctx->arena, array))
            return STATUS(RESOURCE_EXHAUSTED);
        json_append(c->ctx->arena, array, item);
        TRY(next_event(c));
    }
    return OK;
}

static Status compose_key(Composer *c, const JsonValue *object, JsonMember *out)
{
    if (c->event.type != YAML_SCALAR_EVENT)
        return fail_here(c, "a key must be plain text");
    Str key = { (const char *)c->event.data.scalar.value, c->event.data.scalar.length };
    if (json_get_str(object, key))
        return fail_here(c, "duplicate field %s", text_quote(c->ctx->arena, str_sub(key, 0, 200)));
    out->pos = pos_of(c->event.start_mark);
    return copy_text(c, key, &out->name);
}

static Status compose_mapping(Composer *c, JsonValue *object)
{
    TRY(next_event(c));
    while (c->event.type != YAML_MAPPING_END_EVENT) {
        JsonMember member;
        TRY(compose_key(c, object, &member));
        TRY(next_event(c));
        TRY(compose_node(c, &member.value));
        if (!json_reserve(c->ctx->arena, object))
            return STATUS(RESOURCE_EXHAUSTED);
        json_add(c->ctx->arena, object, member);
        TRY(next_event(c));
    }
    return OK;
}

/* --- anchors ---------------------------------------------------------------------------------- */

/* An anchor is known only once its value is whole: so no value can hold itself. */
static void add_anchor(Composer *c, const char *name, JsonValue *value, size_t nodes)
{
    Anchor *anchor = ARENA_ONE(c->ctx->arena, Anchor);
    *anchor = (Anchor){ .name = str(name), .value = value, .nodes = nodes, .older = c->anchors };
    c->anchors = anchor;
}

static Status compose_alias(Composer *c, JsonValue **out)
{
    Str name = text_of(c->event.data.alias.anchor);
    for (const Anchor *anchor = c->anchors; anchor; anchor = anchor->older) {
        if (!str_eq(anchor->name, name))
            continue;
        c->nodes += anchor->nodes;
        if (c->nodes > YAML_NODES_MAX)
            return fail_here(c, "aliases stand for more than %d values", YAML_NODES_MAX);
        *out = anchor->value;
        return OK;
    }
    return fail_here(c, "undefined alias %s", text_quote(c->ctx->arena, name));
}

static const char *anchor_of(Composer *c)
{
    const yaml_event_t *e = &c->event;
    const yaml_char_t *name = e->type == YAML_SCALAR_EVENT           ? e->data.scalar.anchor
                              : e->type == YAML_SEQUENCE_START_EVENT ? e->data.sequence_start.anchor
                                                                     : e->data.mapping_start.anchor;
    return name ? arena_strdup(c->ctx->arena, (const char *)name) : NULL;
}

static Status compose_container(Composer *c, JsonValue *value)
{
    if (++c->depth > JSON_DEPTH_MAX)
        return fail_here(c, "more than %d lists and mappings within each other", JSON_DEPTH_MAX);
    TRY(value->type == JSON_ARRAY ? compose_sequence(c, value) : compose_mapping(c, value));
    c->depth--;
    return OK;
}

/* At the first event of a node; leaves at its last one. */
static Status compose_node(Composer *c, JsonValue **out)
{
    yaml_event_type_t type = c->event.type;
    if (type == YAML_ALIAS_EVENT)
        return compose_alias(c, out);
    size_t before = c->nodes;
    const char *anchor = anchor_of(c);
    TRY(value_new(c, type == YAML_SEQUENCE_START_EVENT ? JSON_ARRAY : JSON_OBJECT, out));
    TRY(type == YAML_SCALAR_EVENT ? compose_scalar(c, *out) : compose_container(c, *out));
    if (anchor)
        add_anchor(c, anchor, *out, c->nodes - before);
    return OK;
}

/* --- documents -------------------------------------------------------------------------------- */

/* Behind the document's start. A document of nothing gives *out NULL. */
static Status compose_document(Composer *c, JsonValue **out)
{
    TRY(next_event(c));
    c->anchors = NULL;
    bool empty = c->event.type == YAML_SCALAR_EVENT && c->event.data.scalar.length == 0 &&
                 c->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !c->event.data.scalar.tag;
    TRY(compose_node(c, out));
    if (empty)
        *out = NULL;
    return next_event(c); /* the document's end */
}

static Status compose_all(Composer *c, JsonValue *documents)
{
    TRY(next_event(c)); /* the stream's start */
    TRY(next_event(c));
    while (c->event.type != YAML_STREAM_END_EVENT) {
        JsonValue *document;
        TRY(compose_document(c, &document));
        if (document)
            json_append(c->ctx->arena, documents, document);
        TRY(next_event(c));
    }
    return OK;
}

static Status parse_yaml(Ctx *ctx, Str text, JsonValue *documents)
{
    Composer c = { .ctx = ctx };
    if (!yaml_parser_initialize(&c.parser))
        return STATUS(RESOURCE_EXHAUSTED);
    yaml_parser_set_encoding(&c.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&c.parser, (const unsigned char *)text.data, text.size);
    Status s = compose_all(&c, documents);
    yaml_event_delete(&c.event);
    yaml_parser_delete(&c.parser);
    return s;
}

static bool looks_like_json(Str text)
{
    size_t at = 0;
    while (at < text.size && (text.data[at] == ' ' || text.data[at] == '\t' ||
                              text.data[at] == '\n' || text.data[at] == '\r'))
        at++;
    return at < text.size && (text.data[at] == '{' || text.data[at] == '[');
}

static Status parse_any(Ctx *ctx, Str text, JsonValue ***out, size_t *out_count)
{
    Status json = OK;
    if (looks_like_json(text)) {
        json = json_parse_all(ctx, text, out, out_count);
        if (json.code != STATUS_INVALID_ARGUMENT)
            return json;
    }
    JsonValue *documents = json_array(ctx->arena);
    Status yaml = parse_yaml(ctx, text, documents);
    if (!status_ok(yaml))
        return status_ok(json) ? yaml
                               : json; /* what looks like JSON was most likely meant to be it */
    *out = documents->items;
    *out_count = documents->count;
    return OK;
}

Status yaml_parse_all(Ctx *ctx, Str text, const char *file_name, JsonValue ***out,
                      size_t *out_count)
{
    if (!file_name || !*file_name)
        return parse_any(ctx, text, out, out_count);
    TRY_WRAP(ctx, parse_any(ctx, text, out, out_count), "%s", file_name);
    return OK;
}
