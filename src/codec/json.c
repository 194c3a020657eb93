/* json.c - JSON values: making them, finding members, laying one over another. */
#include "codec/json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/id.h"

const char *json_type_name(JsonType type)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",     [JSON_BOOL] = "boolean", [JSON_NUMBER] = "number",
        [JSON_STRING] = "string", [JSON_ARRAY] = "array",  [JSON_OBJECT] = "object",
    };
    return names[type];
}

static JsonValue *value_new(Arena *arena, JsonType type)
{
    JsonValue *value = ARENA_ONE(arena, JsonValue);
    value->type = type;
    return value;
}

JsonValue *json_null(Arena *arena)
{
    return value_new(arena, JSON_NULL);
}

JsonValue *json_bool(Arena *arena, bool boolean)
{
    JsonValue *value = value_new(arena, JSON_BOOL);
    value->boolean = boolean;
    return value;
}

static JsonValue *text_value(Arena *arena, JsonType type, Str text)
{
    JsonValue *value = value_new(arena, type);
    value->text = (Str){ str_z(arena, text), text.size };
    return value;
}

JsonValue *json_number(Arena *arena, Str text)
{
    return text_value(arena, JSON_NUMBER, text);
}

JsonValue *json_i64(Arena *arena, int64_t number)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, number);
    return json_number(arena, str(text));
}

JsonValue *json_string(Arena *arena, Str text)
{
    return text_value(arena, JSON_STRING, text);
}

JsonValue *json_array(Arena *arena)
{
    return value_new(arena, JSON_ARRAY);
}

JsonValue *json_object(Arena *arena)
{
    return value_new(arena, JSON_OBJECT);
}

/* --- the index of large objects: open addressing, 0 is free, else the member's number plus one  */

#define INDEX_FROM 16 /* members; below that a plain search is as fast */

struct JsonIndex {
    size_t size;   /* a power of two, at least twice the members */
    uint64_t seed; /* for each object, so that nobody can choose keys that all collide */
    uint32_t slots[];
};

static size_t hash_name(uint64_t seed, Str name)
{
    uint64_t hash = seed ^ name.size;
    while (name.size) {
        uint8_t block[8] = { 0 };
        memcpy(block, name.data, MIN(name.size, sizeof(block)));
        hash = (hash ^ load_le64(block)) * UINT64_C(0x9fb21c651e98df25);
        hash ^= hash >> 29;
        name = str_sub(name, sizeof(block), name.size);
    }
    return (size_t)(hash ^ hash >> 32);
}

/* The slot that holds the member of that name, or the free one where it would go. */
static uint32_t *index_slot(const JsonValue *object, Str name)
{
    JsonIndex *index = object->index;
    for (size_t at = hash_name(index->seed, name);; at++) {
        uint32_t *slot = &index->slots[at & (index->size - 1)];
        if (!*slot || str_eq(object->members[*slot - 1].name, name))
            return slot;
    }
}

static void index_fill(JsonValue *object)
{
    if (!object->index)
        return;
    memset(object->index->slots, 0, object->index->size * sizeof(uint32_t));
    for (size_t i = 0; i < object->count; i++)
        *index_slot(object, object->members[i].name) = (uint32_t)i + 1;
}

/* Keeps the index at most half full with one member more. */
static bool index_reserve(Arena *arena, JsonValue *object)
{
    size_t size = object->index ? object->index->size : 0;
    if (object->count < INDEX_FROM || 2 * (object->count + 1) <= size)
        return true;
    size = size ? 2 * size : 4 * (size_t)INDEX_FROM;
    JsonIndex *index = arena_alloc(arena, sizeof(*index) + size * sizeof(uint32_t));
    if (!index)
        return false;
    index->size = size;
    index->seed = random_u64();
    object->index = index;
    index_fill(object);
    return true;
}

/* --- containers ------------------------------------------------------------------------------- */

/* Arrays have the room of the next power of two, at least of ITEMS_MIN: so the count alone tells
 * when one is full. */
#define ITEMS_MIN 4

static bool is_full(size_t count)
{
    return count == 0 || (count >= ITEMS_MIN && (count & (count - 1)) == 0);
}

bool json_reserve(Arena *arena, JsonValue *container)
{
    bool is_object = container->type == JSON_OBJECT;
    size_t item_size = is_object ? sizeof(JsonMember) : sizeof(JsonValue *);
    size_t count = container->count;
    if (is_full(count)) {
        void *more = arena_alloc_array(arena, item_size, MAX(2 * count, (size_t)ITEMS_MIN));
        if (!more)
            return false;
        if (count)
            memcpy(more, container->items, count * item_size);
        container->items = more;
    }
    return !is_object || index_reserve(arena, container);
}

static void must_reserve(Arena *arena, JsonValue *container)
{
    if (!json_reserve(arena, container))
        abort();
}

void json_append(Arena *arena, JsonValue *array, JsonValue *item)
{
    assert(array->type == JSON_ARRAY && item);
    must_reserve(arena, array);
    array->items[array->count++] = item;
}

static JsonMember *find_member(const JsonValue *object, Str name)
{
    if (object->index) {
        uint32_t number = *index_slot(object, name);
        return number ? &object->members[number - 1] : NULL;
    }
    for (size_t i = 0; i < object->count; i++) {
        if (str_eq(object->members[i].name, name))
            return &object->members[i];
    }
    return NULL;
}

/* --- members ---------------------------------------------------------------------------------- */

void json_add(Arena *arena, JsonValue *object, JsonMember member)
{
    assert(object->type == JSON_OBJECT && member.value);
    must_reserve(arena, object);
    object->members[object->count++] = member;
    if (object->index)
        *index_slot(object, member.name) = (uint32_t)object->count;
}

void json_set(Arena *arena, JsonValue *object, Str name, JsonValue *value)
{
    assert(object->type == JSON_OBJECT && value);
    JsonMember *old = find_member(object, name);
    if (old)
        old->value = value;
    else
        json_add(arena, object,
                 (JsonMember){ .name = { str_z(arena, name), name.size }, .value = value });
}

bool json_remove(JsonValue *object, Str name)
{
    JsonMember *member = find_member(object, name);
    if (!member)
        return false;
    size_t at = (size_t)(member - object->members);
    object->count--;
    memmove(member, member + 1, (object->count - at) * sizeof(*member));
    index_fill(object);
    return true;
}

static int order_members(const void *a, const void *b)
{
    return str_cmp(((const JsonMember *)a)->name, ((const JsonMember *)b)->name);
}

void json_sort(JsonValue *object)
{
    assert(object->type == JSON_OBJECT);
    if (object->count > 1)
        qsort(object->members, object->count, sizeof(*object->members), order_members);
    index_fill(object);
}

JsonValue *json_get_str(const JsonValue *object, Str name)
{
    if (!json_is(object, JSON_OBJECT))
        return NULL;
    JsonMember *member = find_member(object, name);
    return member ? member->value : NULL;
}

JsonValue *json_get(const JsonValue *object, const char *name)
{
    return json_get_str(object, str(name));
}

JsonValue *json_path(const JsonValue *value, ...)
{
    va_list names;
    va_start(names, value);
    JsonValue *found = NULL;
    for (const char *name; (name = va_arg(names, const char *)); value = found)
        found = json_get(value, name);
    va_end(names);
    return found;
}

Str json_text(const JsonValue *value)
{
    return json_is(value, JSON_STRING) || json_is(value, JSON_NUMBER) ? value->text : STR("");
}

bool json_is(const JsonValue *value, JsonType type)
{
    return value && value->type == type;
}

static bool equal_members(const JsonValue *a, const JsonValue *b)
{
    for (size_t i = 0; i < a->count; i++) {
        const JsonMember *other = find_member(b, a->members[i].name);
        if (!other || !json_equal(a->members[i].value, other->value))
            return false;
    }
    return true;
}

bool json_equal(const JsonValue *a, const JsonValue *b)
{
    if (a == b)
        return true;
    if (!a || !b || a->type != b->type || a->count != b->count)
        return false;
    if (a->type == JSON_OBJECT)
        return equal_members(a, b);
    for (size_t i = 0; i < a->count; i++) {
        if (!json_equal(a->items[i], b->items[i]))
            return false;
    }
    return a->boolean == b->boolean && str_eq(json_text(a), json_text(b));
}

static JsonValue *merge_objects(Arena *arena, const JsonValue *target, JsonValue *patch);

JsonValue *json_merge_patch(Arena *arena, JsonValue *target, JsonValue *patch)
{
    if (patch->type != JSON_OBJECT)
        return patch;
    static const JsonValue empty = { .type = JSON_OBJECT };
    return merge_objects(arena, json_is(target, JSON_OBJECT) ? target : &empty, patch);
}

/* One member of the result: what `patch` says where it says something, else as it was. False past
 * the limit. */
static bool merge_member(Arena *arena, JsonValue *merged, JsonMember old, const JsonMember *patch)
{
    if (patch && patch->value->type == JSON_NULL)
        return true;
    if (patch)
        old.value = json_merge_patch(arena, old.value, patch->value);
    if (!old.value || !json_reserve(arena, merged))
        return false;
    json_add(arena, merged, old);
    return true;
}

static JsonValue *merge_objects(Arena *arena, const JsonValue *target, JsonValue *patch)
{
    JsonValue *merged = ARENA_NEW(arena, JsonValue, 1);
    if (!merged)
        return NULL;
    merged->type = JSON_OBJECT;
    merged->pos = patch->pos;
    for (size_t i = 0; i < target->count; i++) {
        const JsonMember *old = &target->members[i];
        if (!merge_member(arena, merged, *old, find_member(patch, old->name)))
            return NULL;
    }
    for (size_t i = 0; i < patch->count; i++) {
        const JsonMember *new = &patch->members[i];
        if (!find_member(target, new->name) &&
            !merge_member(arena, merged, (JsonMember){ new->name, new->pos, NULL }, new))
            return NULL;
    }
    return merged;
}
