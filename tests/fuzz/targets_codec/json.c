/* What parses is written and parses to the same again, in either style; the position of an error is
 * inside. */
#include "fuzz/fuzz.h"

#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    JsonValue *value, *again;
    JsonError error;
    if (!status_ok(json_parse_explain(&ctx, bytes_str(bytes(data, size)), &value, &error))) {
        PROP(error.message && error.pos.line >= 1 && error.pos.line <= size + 1 &&
             error.pos.column <= size + 1);
        return 0;
    }
    PROP(status_ok(json_parse(&ctx, json_print(ctx.arena, value, (JsonStyle){ 0 }), &again)));
    PROP(json_equal(value, again));
    PROP(status_ok(json_parse(&ctx, json_print(ctx.arena, value, (JsonStyle){ 2, true }), &again)));
    PROP(json_equal(value, again));
    JsonValue *merged = json_merge_patch(ctx.arena, value, again);
    PROP(merged && (json_is(merged, JSON_OBJECT) || json_equal(merged, value)));
    return 0;
}
