/* url_priv.h - what fetching, exporting and loading share: how much was transferred, told now and
 * then. */
#pragma once

#include "pfs/url.h"

typedef struct UrlMeter {
    const char *what; /* for the log */
    const char *shown;
    int64_t began_ns, told_ns;
    int64_t files, bytes;
} UrlMeter;

void url_meter_init(Ctx *ctx, UrlMeter *meter, const char *what, const char *url);
void url_meter_add(Ctx *ctx, UrlMeter *meter, size_t bytes); /* logs every few seconds */
void url_meter_end(Ctx *ctx, UrlMeter *meter);
