/* Schedules, times, durations and sizes: whatever parses is written and reads back as the same. */
#include "fuzz/fuzz.h"

#include "codec/amount.h"
#include "codec/cron.h"
#include "codec/moment.h"

static void check_moment(Str text)
{
    int64_t seconds, seconds_again;
    int32_t nanos, nanos_again;
    char out[MOMENT_TEXT_SIZE];
    if (!moment_parse(text, &seconds, &nanos))
        return;
    PROP(moment_format(seconds, nanos, out));
    PROP(moment_parse(str(out), &seconds_again, &nanos_again));
    PROP(seconds == seconds_again && nanos == nanos_again);
}

static void check_duration(Ctx *ctx, Str text)
{
    int64_t ns, again;
    char out[DURATION_TEXT_SIZE];
    if (!status_ok(duration_parse(ctx, text, &ns)))
        return;
    duration_format(ns, out);
    PROP(status_ok(duration_parse(ctx, str(out), &again)) && again == ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Str text = bytes_str(bytes(data, size));
    Cron cron;
    int64_t next = 0, number;
    if (status_ok(cron_parse(&ctx, text, &cron)) &&
        cron_next(&cron, 1714557600 * NS_PER_SEC, &next))
        PROP(next > 1714557600 * NS_PER_SEC && next % NS_PER_SEC == 0);
    check_moment(text);
    check_duration(&ctx, text);
    PROP(!status_ok(size_parse(&ctx, text, &number)) || number >= 0);
    PROP(!status_ok(quantity_parse(&ctx, text, &number)) ||
         status_ok(quantity_parse_milli(&ctx, text, &number)));
    return 0;
}
