/* pbtime.c - see pbtime.h. */
#include "codec/pbtime.h"

/* Seconds and nanos of a negative time are both at most zero for durations; a timestamp's nanos count upwards. */
static int64_t to_ns(int64_t seconds, int32_t nanos)
{
    int64_t ns;
    if (__builtin_mul_overflow(seconds, NS_PER_SEC, &ns) || __builtin_add_overflow(ns, (int64_t)nanos, &ns))
        return seconds < 0 ? INT64_MIN : INT64_MAX;
    return ns;
}

Google__Protobuf__Timestamp *pb_timestamp(Ctx *ctx, int64_t ns)
{
    if (ns == 0)
        return NULL;
    Google__Protobuf__Timestamp *timestamp = ARENA_ONE(ctx->arena, Google__Protobuf__Timestamp);
    google__protobuf__timestamp__init(timestamp);
    int64_t nanos = ns % NS_PER_SEC;
    timestamp->seconds = ns / NS_PER_SEC - (nanos < 0);
    timestamp->nanos = (int32_t)(nanos < 0 ? nanos + NS_PER_SEC : nanos);
    return timestamp;
}

int64_t pb_timestamp_ns(const Google__Protobuf__Timestamp *timestamp)
{
    return timestamp ? to_ns(timestamp->seconds, timestamp->nanos) : 0;
}

Google__Protobuf__Duration *pb_duration(Ctx *ctx, int64_t ns)
{
    Google__Protobuf__Duration *duration = ARENA_ONE(ctx->arena, Google__Protobuf__Duration);
    google__protobuf__duration__init(duration);
    duration->seconds = ns / NS_PER_SEC;
    duration->nanos = (int32_t)(ns % NS_PER_SEC);
    return duration;
}

int64_t pb_duration_ns(const Google__Protobuf__Duration *duration)
{
    return duration ? to_ns(duration->seconds, duration->nanos) : 0;
}
