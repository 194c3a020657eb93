/* mime.h - what kind of content a file has, by its name or its first bytes. */
#pragma once

#include "base/bytes.h"

#define MIME_SNIFF_BYTES 512

/* By the extension of a path; NULL when that says nothing. */
const char *mime_of_name(Str path);
/* By the first MIME_SNIFF_BYTES bytes (less, when the file has no more): some signatures, else text
 * or "application/octet-stream". */
const char *mime_of_content(Bytes start);
