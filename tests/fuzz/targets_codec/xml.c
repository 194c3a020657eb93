/* xml.c - any bytes as XML: a tree within its limits, or an error; and its texts survive being
 * written and read again. */
#include "fuzz/fuzz.h"

#include "codec/xml.h"

static size_t count(const XmlNode *node, size_t depth)
{
    size_t n = 1;
    PROP(depth <= XML_DEPTH_MAX && *node->name);
    PROP(!node->first || !node->text.size);
    for (const XmlNode *child = node->first; child; child = child->next)
        n += count(child, depth + 1);
    return n;
}

static void check_text(Ctx *ctx, Str text)
{
    CLEANUP(buf_done) Buf out = { 0 };
    XmlNode *again;
    xml_begin(&out);
    xml_text(&out, "t", text);
    PROP(status_ok(xml_parse(ctx, buf_bytes(&out), &again)));
    CLEANUP(buf_done) Buf twice = { 0 };
    xml_begin(&twice);
    xml_text(&twice, "t", again->text);
    PROP(bytes_eq(buf_bytes(&out), buf_bytes(&twice))); /* what could not be kept is gone already */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    XmlNode *root = NULL;
    Status s = xml_parse(&ctx, bytes(data, size), &root);
    PROP(status_ok(s) == (root != NULL));
    if (root)
        PROP(count(root, 1) <= XML_NODES_MAX);
    check_text(&ctx, (Str){ (const char *)data, size });
    return 0;
}
