/* listing.h - the XML that object stores answer with. */
#pragma once

#include "base/ctx.h"

/* One page of a listing, of S3 and of Azure. Each object goes to fn as it is met. */
typedef struct ListingPage {
    Status (*object)(void *arg, Str key, uint64_t size);
    void *arg;
    const char *next; /* where the next page begins, in ctx's arena; "" when this is the last */
} ListingPage;

/* Errors: INVALID_ARGUMENT when it is no XML; fn's. */
Status listing_read(Ctx *ctx, Bytes xml, ListingPage *page) NODISCARD;

/* "<code>: <message>" of an error's XML; "" when there is none. In ctx's arena. */
const char *listing_error(Ctx *ctx, Bytes xml);

/* The text of an element, wherever it stands first; "" when there is none. In ctx's arena. */
const char *listing_text(Ctx *ctx, Bytes xml, const char *element);
