/* amount.h - sizes as text: what triggers accept, Kubernetes quantities, and what tables show. */
#pragma once

#include "base/ctx.h"

#define AMOUNT_TEXT_SIZE 32

/* "1", "1.5k", "10 MB", "1KiB": decimal multiples whatever the spelling, the fraction of a byte cut
 * off. Errors: UNKNOWN "invalid size: '-1'", "invalid suffix: 'ki'", `strconv.ParseFloat: parsing
 * "x": invalid syntax`. */
Status size_parse(Ctx *ctx, Str s, int64_t *out_bytes) NODISCARD;

/* A Kubernetes quantity: "100M", "1Gi", "1e3", "500m" (rounded up to a whole one).
 * Errors: INVALID_ARGUMENT "invalid quantity 'x'…". */
Status quantity_parse(Ctx *ctx, Str s, int64_t *out) NODISCARD;

/* The same in thousandths, for processors: "500m" and "0.5" are 500. */
Status quantity_parse_milli(Ctx *ctx, Str s, int64_t *out_milli) NODISCARD;

/* Powers of 1024 and four digits: "0B", "1023B", "1.5KiB", "12.35GiB". */
void size_format(uint64_t bytes, char out[AMOUNT_TEXT_SIZE]);
