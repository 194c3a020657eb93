/* place_http.c - any web server: what it has can be read. */
#include "courier/http.h"

static Status get(Transfer *transfer)
{
    CLEANUP(http_done)
    Http http = { .transfer = transfer,
                  .method = "GET",
                  .url = transfer->url,
                  .doing = "retrieving content from" };
    return http_get(&http, "If-Range");
}

const PlaceOps place_http = { .get = get };
