/* url.c - see url.h. */
#include "pfs/url.h"

static Status refuse(Ctx *ctx, const char *url, const char *what)
{
    static const char *const known[] = { "http",   "https", "s3",    "gs",  "gcs",
                                         "azblob", "wasb",  "minio", "file" };
    const char *end = strstr(url, "://");
    Str scheme = { url, end ? (size_t)(end - url) : 0 };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq_c(scheme, known[i]))
            return FAIL(ctx, UNIMPLEMENTED, "%s '%s://' URLs is not enabled on this server", what,
                        known[i]);
    return FAIL(ctx, UNKNOWN, "unrecognized object store: " STR_FMT, STR_ARG(scheme));
}

Status pfs_url_fetch(Ctx *ctx, PfsWriter *writer, const PfsV2__AddFile *add)
{
    (void)writer;
    return refuse(ctx, add->url->url, "fetching");
}

Status pfs_url_export(Ctx *ctx, const char *url)
{
    return refuse(ctx, url, "exporting to");
}
