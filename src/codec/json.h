/* json.h - JSON as a tree that keeps what was written: exact numbers, order of keys, where each
 * value stood.
 *
 * Trees live in an arena. Values are shared freely between trees, so a tree that was handed on is
 * not changed; json_set and friends are for trees under construction.
 */
#pragma once

#include "base/ctx.h"

typedef enum JsonType {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
} JsonType;

typedef struct JsonValue JsonValue;

typedef struct JsonPos {
    uint32_t line;   /* from 1; 0: made, not parsed */
    uint32_t column; /* from 1, in characters */
} JsonPos;

typedef struct JsonMember {
    Str name;
    JsonPos pos; /* of the name */
    JsonValue *value;
} JsonMember;

typedef struct JsonIndex JsonIndex; /* private: finds members by name once there are many */

struct JsonValue {
    JsonType type;
    JsonPos pos;
    bool boolean; /* JSON_BOOL */
    size_t count; /* of items or members; else 0 */
    union {
        Str text; /* JSON_STRING: UTF-8, decoded. JSON_NUMBER: as written */
        struct {
            union {
                JsonValue **items;   /* JSON_ARRAY */
                JsonMember *members; /* JSON_OBJECT, in the order written */
            };
            JsonIndex *index;
        };
    };
};

#define JSON_DEPTH_MAX 256 /* arrays and objects within each other */

/* Why a text is not JSON. */
typedef struct JsonError {
    JsonPos pos;
    bool duplicate;      /* a key came twice; else the syntax is wrong */
    const char *message; /* without the position */
} JsonError;

/* Parses one document by RFC 8259, nothing after it but white space. Strings must be UTF-8; keys of
 * one object differ; "\u0000" is kept, pairs of surrogates are joined and lone ones refused.
 * Errors: INVALID_ARGUMENT "line 3, column 7: …"; RESOURCE_EXHAUSTED past the arena's limit. */
Status json_parse(Ctx *ctx, Str text, JsonValue **out) NODISCARD;

/* The same, with the reason apart; *error is set on INVALID_ARGUMENT. */
Status json_parse_explain(Ctx *ctx, Str text, JsonValue **out, JsonError *error) NODISCARD;

/* Parses documents that follow one another, with or without white space between, into
 * (*out)[*out_count]. */
Status json_parse_all(Ctx *ctx, Str text, JsonValue ***out, size_t *out_count) NODISCARD;

/* --- making: these abort past the arena's limit, as what one makes by hand is small ----------- */

JsonValue *json_null(Arena *arena);
JsonValue *json_bool(Arena *arena, bool value);
JsonValue *json_number(Arena *arena, Str text); /* the caller vouches for the text */
JsonValue *json_i64(Arena *arena, int64_t value);
JsonValue *json_string(Arena *arena, Str text); /* copies */
JsonValue *json_array(Arena *arena);
JsonValue *json_object(Arena *arena);

/* Room for one more item or member; false past the arena's limit. For containers whose size others
 * choose. */
bool json_reserve(Arena *arena, JsonValue *container) NODISCARD;

void json_append(Arena *arena, JsonValue *array, JsonValue *item);
/* Replaces the member of that name where it stands, or adds one at the end. */
void json_set(Arena *arena, JsonValue *object, Str name, JsonValue *value);
/* Adds a member that is known not to be there; its name is not copied. */
void json_add(Arena *arena, JsonValue *object, JsonMember member);
bool json_remove(JsonValue *object, Str name); /* was it there? */
void json_sort(JsonValue *object);             /* members by name, bytewise; not what is below */

/* --- looking ---------------------------------------------------------------------------------- */

/* NULL when there is no such member, or when `object` is NULL or no object. */
JsonValue *json_get(const JsonValue *object, const char *name);
JsonValue *json_get_str(const JsonValue *object, Str name);
/* Members of members: json_path(v, "pipeline", "name", NULL). */
JsonValue *json_path(const JsonValue *value, ...) __attribute__((sentinel));
Str json_text(const JsonValue *value);               /* of a string or a number; else "" */
bool json_is(const JsonValue *value, JsonType type); /* NULL is of no type */
/* The same but for the order of keys? Numbers are compared as written. */
bool json_equal(const JsonValue *a, const JsonValue *b);
const char *json_type_name(JsonType type); /* "object" */

/* --- changing and writing --------------------------------------------------------------------- */

/* RFC 7396: `patch` laid over `target`; neither is changed, the result shares their parts. target
 * may be NULL. NULL past the arena's limit. */
JsonValue *json_merge_patch(Arena *arena, JsonValue *target, JsonValue *patch) NODISCARD;

typedef struct JsonStyle {
    unsigned indent; /* blanks for each level; 0: one line without blanks */
    bool sorted;     /* members by name, bytewise */
} JsonStyle;

void json_write(Buf *out, const JsonValue *value, JsonStyle style);
Str json_print(Arena *arena, const JsonValue *value, JsonStyle style); /* ends in NUL */
void json_write_string(Buf *out, Str text); /* quoted; bytes that are not UTF-8 become U+FFFD */

/* Is text a number by RFC 8259? */
bool json_is_number(Str text);
