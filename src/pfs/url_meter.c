/* url_meter.c - see url_priv.h. */
#include "base/clock.h"
#include "base/log.h"
#include "pfs/url_priv.h"

#define TELL_EVERY_NS (10 * NS_PER_SEC)

void url_meter_init(Ctx *ctx, UrlMeter *meter, const char *what, const char *url)
{
    int64_t now_ns = clock_mono_ns();
    *meter = (UrlMeter){
        .what = what, .shown = remote_url_shown(ctx, url), .began_ns = now_ns, .told_ns = now_ns
    };
}

static void tell(Ctx *ctx, UrlMeter *meter, const char *message)
{
    meter->told_ns = clock_mono_ns();
    LOG_INFO(ctx, message, "what=%s url=%s files=%lld bytes=%lld ms=%lld", meter->what,
             meter->shown, (long long)meter->files, (long long)meter->bytes,
             (long long)((meter->told_ns - meter->began_ns) / NS_PER_MS));
}

void url_meter_add(Ctx *ctx, UrlMeter *meter, size_t bytes)
{
    meter->bytes += (int64_t)bytes;
    if (clock_mono_ns() - meter->told_ns > TELL_EVERY_NS)
        tell(ctx, meter, "a transfer goes on");
}

void url_meter_end(Ctx *ctx, UrlMeter *meter)
{
    tell(ctx, meter, "a transfer is done");
}
