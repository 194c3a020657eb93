/* xml_read.c - expat's events to a tree. */
#include <expat.h>
#include <limits.h>

#include "codec/xml.h"

typedef struct Reader {
    Ctx *ctx;
    XML_Parser parser;
    XmlNode *root;
    XmlNode *open[XML_DEPTH_MAX]; /* from the root to where we are */
    XmlNode *last[XML_DEPTH_MAX]; /* of each one's elements */
    size_t depth, nodes;
    Buf text;            /* since the newest tag */
    const char *refused; /* why we stopped expat; NULL: we did not */
} Reader;

static void reader_done(Reader *reader)
{
    if (reader->parser)
        XML_ParserFree(reader->parser);
    buf_done(&reader->text);
}

static void refuse(Reader *reader, const char *why)
{
    reader->refused = why;
    XML_StopParser(reader->parser, XML_FALSE);
}

static void link_node(Reader *reader, XmlNode *node)
{
    if (!reader->depth) {
        reader->root = node;
        return;
    }
    size_t parent = reader->depth - 1;
    if (reader->last[parent])
        reader->last[parent]->next = node;
    else
        reader->open[parent]->first = node;
    reader->last[parent] = node;
}

static void XMLCALL start_element(void *self, const XML_Char *name, const XML_Char **attributes)
{
    Reader *reader = self;
    (void)attributes;
    if (reader->refused)
        return;
    if (reader->depth == XML_DEPTH_MAX || reader->nodes == XML_NODES_MAX) {
        refuse(reader, reader->depth == XML_DEPTH_MAX ? "elements are nested too deep"
                                                      : "there are too many elements");
        return;
    }
    const char *colon = strchr(name, ':');
    XmlNode *node = ARENA_ONE(reader->ctx->arena, XmlNode);
    node->name = arena_strdup(reader->ctx->arena, colon ? colon + 1 : name);
    node->text = STR("");
    link_node(reader, node);
    reader->nodes++;
    reader->open[reader->depth] = node;
    reader->last[reader->depth++] = NULL;
    buf_clear(&reader->text);
}

static void XMLCALL end_element(void *self, const XML_Char *name)
{
    Reader *reader = self;
    (void)name;
    if (reader->refused)
        return;
    XmlNode *node = reader->open[--reader->depth];
    if (!node->first && reader->text.size)
        node->text = str(str_z(reader->ctx->arena, buf_str(&reader->text)));
    buf_clear(&reader->text);
}

static void XMLCALL add_text(void *self, const XML_Char *text, int size)
{
    Reader *reader = self;
    buf_add(&reader->text, text, (size_t)size);
}

static void XMLCALL start_doctype(void *self, const XML_Char *name, const XML_Char *system_id,
                                  const XML_Char *public_id, int has_internal)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_internal;
    refuse(self, "a document type is not allowed");
}

static Status fault(const Reader *reader)
{
    const char *why =
        reader->refused ? reader->refused : XML_ErrorString(XML_GetErrorCode(reader->parser));
    return FAIL(reader->ctx, INVALID_ARGUMENT, "malformed XML, line %lu: %s",
                XML_GetCurrentLineNumber(reader->parser), why);
}

Status xml_parse(Ctx *ctx, Bytes text, XmlNode **out)
{
    CLEANUP(reader_done) Reader reader = { .ctx = ctx, .parser = XML_ParserCreate(NULL) };
    if (!reader.parser || text.size > INT_MAX)
        return FAIL(ctx, RESOURCE_EXHAUSTED, "XML document is too large");
    XML_SetUserData(reader.parser, &reader);
    XML_SetElementHandler(reader.parser, start_element, end_element);
    XML_SetCharacterDataHandler(reader.parser, add_text);
    XML_SetStartDoctypeDeclHandler(reader.parser, start_doctype);
    if (XML_Parse(reader.parser, (const char *)text.data, (int)text.size, XML_TRUE) !=
        XML_STATUS_OK)
        return fault(&reader);
    *out = reader.root;
    return OK;
}

const XmlNode *xml_child(const XmlNode *node, const char *name)
{
    for (const XmlNode *child = node->first; child; child = child->next) {
        if (strcmp(child->name, name) == 0)
            return child;
    }
    return NULL;
}

Str xml_child_text(const XmlNode *node, const char *name)
{
    const XmlNode *child = xml_child(node, name);
    return child ? child->text : STR("");
}
