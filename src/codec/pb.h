/* pb.h - protobuf messages in an arena: nothing to free, and nothing trusted before it was checked.
 *
 * protobuf-c neither limits nesting nor looks at strings; pb_unpack does both before it lets it
 * run.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/ctx.h"

#define PB_DEPTH_MAX 100 /* messages within messages, as every protobuf library has it */

/* A message of this type with default values. Typed use: PfsV2__Repo *repo = PB_NEW(ctx,
 * pfs_v2__repo, PfsV2__Repo); */
ProtobufCMessage *pb_new(Ctx *ctx, const ProtobufCMessageDescriptor *type);
#define PB_NEW(ctx, c_name, Type) ((Type *)(void *)pb_new((ctx), &c_name##__descriptor))

/* Errors: INVALID_ARGUMENT (malformed, nested too deep, a string that is not UTF-8 or holds a NUL;
 * names the field); RESOURCE_EXHAUSTED past the arena's limit. */
Status pb_unpack(Ctx *ctx, const ProtobufCMessageDescriptor *type, Bytes data,
                 ProtobufCMessage **out) NODISCARD;
#define PB_UNPACK(ctx, c_name, data, out)                                                          \
    pb_unpack((ctx), &c_name##__descriptor, (data), (ProtobufCMessage **)(void *)(out))

/* Appends the encoding. */
void pb_pack(const ProtobufCMessage *message, Buf *out);
Bytes pb_pack_bytes(Ctx *ctx, const ProtobufCMessage *message); /* into ctx's arena */

/* A deep copy in ctx's arena; NULL gives NULL. */
ProtobufCMessage *pb_clone(Ctx *ctx, const ProtobufCMessage *message);
#define PB_CLONE(ctx, Type, message)                                                               \
    ((Type *)(void *)pb_clone((ctx), (const ProtobufCMessage *)(const void *)(message)))

/* Do both hold the same values (encode alike)? NULL equals NULL only. */
bool pb_equal(const ProtobufCMessage *a, const ProtobufCMessage *b);
