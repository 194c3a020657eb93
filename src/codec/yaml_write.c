/* yaml_write.c - JSON values to YAML in block style. */
#include <yaml.h>

#include "codec/yaml_priv.h"

typedef struct Writer {
    Ctx *ctx;
    yaml_emitter_t emitter;
} Writer;

static int append_output(void *data, unsigned char *text, size_t size)
{
    buf_add(data, text, size);
    return 1;
}

static Status emit(Writer *w, yaml_event_t *event, int initialized)
{
    if (!initialized)
        return STATUS(RESOURCE_EXHAUSTED);
    if (!yaml_emitter_emit(&w->emitter, event))
        return FAIL(w->ctx, INVALID_ARGUMENT, "could not write YAML: %s", w->emitter.problem);
    return OK;
}

/* libyaml takes text as if it might change it. */
static Status emit_scalar(Writer *w, Str text, yaml_scalar_style_t style)
{
    CLEANUP(buf_done) Buf copy = { 0 };
    buf_add_str(&copy, text);
    buf_add_u8(&copy, '\0');
    yaml_event_t event;
    return emit(
        w, &event,
        yaml_scalar_event_initialize(&event, NULL, NULL, copy.data, (int)text.size, 1, 1, style));
}

/* Words that YAML 1.1 readers take for booleans, or for more than text. */
static bool is_old_word(Str text)
{
    static const char *const words[] = { "y", "n", "yes", "no", "on", "off", "<<", "=" };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (text.size == strlen(words[i]) && strncasecmp(text.data, words[i], text.size) == 0)
            return true;
    }
    return false;
}

static Status write_text(Writer *w, Str text)
{
    Str resolved;
    yaml_scalar_style_t style = YAML_ANY_SCALAR_STYLE;
    if (is_old_word(text) || yaml_resolve(w->ctx, text, &resolved) != JSON_STRING ||
        !str_eq(resolved, text))
        style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    else if (str_find(text, '\n') < text.size)
        style = YAML_LITERAL_SCALAR_STYLE;
    return emit_scalar(w, text, style);
}

static Status write_value(Writer *w, const JsonValue *value);

static Status write_array(Writer *w, const JsonValue *array)
{
    yaml_event_t event;
    TRY(emit(
        w, &event,
        yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE)));
    for (size_t i = 0; i < array->count; i++)
        TRY(write_value(w, array->items[i]));
    return emit(w, &event, yaml_sequence_end_event_initialize(&event));
}

static Status write_object(Writer *w, const JsonValue *object)
{
    yaml_event_t event;
    TRY(emit(w, &event,
             yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE)));
    for (size_t i = 0; i < object->count; i++) {
        TRY(write_text(w, object->members[i].name));
        TRY(write_value(w, object->members[i].value));
    }
    return emit(w, &event, yaml_mapping_end_event_initialize(&event));
}

static Status write_value(Writer *w, const JsonValue *value)
{
    switch (value->type) {
    case JSON_NULL:
        return emit_scalar(w, STR("null"), YAML_PLAIN_SCALAR_STYLE);
    case JSON_BOOL:
        return emit_scalar(w, value->boolean ? STR("true") : STR("false"), YAML_PLAIN_SCALAR_STYLE);
    case JSON_NUMBER:
        return emit_scalar(w, value->text, YAML_PLAIN_SCALAR_STYLE);
    case JSON_STRING:
        return write_text(w, value->text);
    case JSON_ARRAY:
        return write_array(w, value);
    case JSON_OBJECT:
        return write_object(w, value);
    }
    assert(false); /* every type is above */
    return OK;
}

static Status write_document(Writer *w, const JsonValue *value)
{
    yaml_event_t event;
    TRY(emit(w, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING)));
    TRY(emit(w, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1)));
    TRY(write_value(w, value));
    TRY(emit(w, &event, yaml_document_end_event_initialize(&event, 1)));
    return emit(w, &event, yaml_stream_end_event_initialize(&event));
}

Status yaml_write(Ctx *ctx, const JsonValue *value, Buf *out)
{
    Writer w = { .ctx = ctx };
    if (!yaml_emitter_initialize(&w.emitter))
        return STATUS(RESOURCE_EXHAUSTED);
    yaml_emitter_set_output(&w.emitter, append_output, out);
    yaml_emitter_set_unicode(&w.emitter, 1);
    yaml_emitter_set_width(&w.emitter, -1);
    Status s = write_document(&w, value);
    yaml_emitter_delete(&w.emitter);
    return s;
}
