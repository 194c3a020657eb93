/* xml.h - the little XML that S3 speaks: elements with text, no attributes to speak of. */
#pragma once

#include "base/ctx.h"

/* --- writing: appends to out ------------------------------------------------------------------ */

void xml_begin(Buf *out); /* the declaration, and a line break */
/* attributes may be NULL, else as they stand in the tag: "xmlns=\"…\"". */
void xml_open(Buf *out, const char *name, const char *attributes);
void xml_close(Buf *out, const char *name);
/* <name>text</name>, whatever bytes the text has: what XML cannot hold becomes U+FFFD. */
void xml_text(Buf *out, const char *name, Str text);
void xml_number(Buf *out, const char *name, int64_t number);

/* --- reading ---------------------------------------------------------------------------------- */

/* Elements nest at most this deep, and are at most so many in a document. */
#define XML_DEPTH_MAX 16
#define XML_NODES_MAX 200000

typedef struct XmlNode {
    const char *name; /* without its prefix */
    Str text;         /* of an element that has no elements; else "" */
    struct XmlNode *first, *next;
} XmlNode;

/* The whole of text as a tree in ctx's arena; comments, attributes and namespaces are dropped. A
 * document type is refused: with it go entities that grow. Errors: INVALID_ARGUMENT, naming line
 * and fault; RESOURCE_EXHAUSTED past the limits. */
Status xml_parse(Ctx *ctx, Bytes text, XmlNode **out) NODISCARD;
const XmlNode *xml_child(const XmlNode *node, const char *name); /* the first so named, or NULL */
Str xml_child_text(const XmlNode *node, const char *name);       /* "" when there is none */
