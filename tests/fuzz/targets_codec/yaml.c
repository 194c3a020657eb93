/* What parses, whether YAML or JSON, is written as YAML that parses to the same again. */
#include "fuzz/fuzz.h"

#include "codec/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    JsonValue **docs, **again;
    size_t count, count_again;
    if (!status_ok(yaml_parse_all(&ctx, bytes_str(bytes(data, size)), "f", &docs, &count)))
        return 0;
    for (size_t i = 0; i < count; i++) {
        CLEANUP(buf_done) Buf text = { 0 };
        PROP(status_ok(yaml_write(&ctx, docs[i], &text)));
        PROP(status_ok(yaml_parse_all(&ctx, buf_str(&text), NULL, &again, &count_again)));
        PROP(count_again == 1 && json_equal(again[0], docs[i]));
    }
    return 0;
}
