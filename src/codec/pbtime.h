/* pbtime.h - the well-known times of messages, to and from nanoseconds. */
#pragma once

#include "base/ctx.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"

/* In ctx's arena. 0 gives NULL: a time that is not set. */
Google__Protobuf__Timestamp *pb_timestamp(Ctx *ctx, int64_t ns);
int64_t pb_timestamp_ns(const Google__Protobuf__Timestamp *timestamp); /* NULL: 0; clamped to what int64_t holds */

/* In ctx's arena; never NULL. */
Google__Protobuf__Duration *pb_duration(Ctx *ctx, int64_t ns);
int64_t pb_duration_ns(const Google__Protobuf__Duration *duration); /* NULL: 0; clamped */
