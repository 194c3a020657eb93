/* azure.h - what the tests of azure.c look at. */
#pragma once

#include "base/ctx.h"

/* HMAC-SHA256 of text by a key in base64, in base64; "" when the key is none. In ctx's arena. */
const char *azure_signature(Ctx *ctx, const char *key, Str text);
