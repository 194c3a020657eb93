/* listing.c - see listing.h. */
#include "courier/listing.h"

#include "base/text.h"
#include "codec/xml.h"

/* The first element of this name, at any depth; recursion ends with the parser's limit on it. */
static const XmlNode *find(const XmlNode *node, const char *name)
{
    if (strcmp(node->name, name) == 0)
        return node;
    for (const XmlNode *child = node->first; child; child = child->next) {
        const XmlNode *found = find(child, name);
        if (found)
            return found;
    }
    return NULL;
}

static Str text_of(const XmlNode *root, const char *name)
{
    const XmlNode *found = find(root, name);
    return found ? found->text : STR("");
}

/* S3: Contents have Key and Size. Azure: Blobs have Blobs with Name and a length among Properties. */
static Status give(const XmlNode *object, const ListingPage *page)
{
    bool is_s3 = strcmp(object->name, "Contents") == 0;
    int64_t size = 0;
    str_to_i64(text_of(object, is_s3 ? "Size" : "Content-Length"), &size);
    return page->object(page->arg, xml_child_text(object, is_s3 ? "Key" : "Name"),
                        (uint64_t)MAX(size, 0));
}

Status listing_read(Ctx *ctx, Bytes xml, ListingPage *page)
{
    XmlNode *root;
    page->next = "";
    TRY(xml_parse(ctx, xml, &root));
    const XmlNode *blobs = xml_child(root, "Blobs");
    for (const XmlNode *at = (blobs ? blobs : root)->first; at; at = at->next)
        if (strcmp(at->name, blobs ? "Blob" : "Contents") == 0)
            TRY(give(at, page));
    Str next = xml_child_text(root, blobs ? "NextMarker" : "NextContinuationToken");
    page->next = str_z(ctx->arena, next);
    return OK;
}

const char *listing_text(Ctx *ctx, Bytes xml, const char *element)
{
    XmlNode *root;
    Status s = xml_parse(ctx, xml, &root);
    return status_ok(s) ? str_z(ctx->arena, text_of(root, element)) : "";
}

const char *listing_error(Ctx *ctx, Bytes xml)
{
    XmlNode *root;
    Status s = xml_parse(ctx, xml, &root); /* what is no XML says nothing that we know */
    if (!status_ok(s) || strcmp(root->name, "Error") != 0)
        return "";
    Str code = xml_child_text(root, "Code"), message = xml_child_text(root, "Message");
    if (!code.size)
        return "";
    return text_printf(ctx->arena, STR_FMT "%s" STR_FMT, STR_ARG(code), message.size ? ": " : "",
                       STR_ARG(message));
}
