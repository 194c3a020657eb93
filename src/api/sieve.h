/* sieve.h - a stream of messages that a jq filter of the client's thins (§26.28). */
#pragma once

#include "api/api_priv.h"
#include "engine/eval.h"

typedef struct Sieve {
    Call *call;
    Eval *filter;     /* NULL: all are sent */
    const char *what; /* "job": what errors call a message */
    int64_t skip;     /* messages to keep to itself first */
    int64_t left;     /* messages that may still be sent; 0: no limit */
    Buf json;
} Sieve;

/* filter  a jq program, or ""; it is compiled here
 * number  how many messages to send at most; 0: all */
Status sieve_begin(Call *call, const char *filter, const char *what, int64_t number, Sieve *out);
/* Does the filter keep the message?
 * Errors: UNKNOWN (the filter fails on it); DEADLINE_EXCEEDED (it does not end) */
Status sieve_keeps(Ctx *ctx, Sieve *sieve, const ProtobufCMessage *message, bool *out);
/* Sends a message that was kept. After the last that is wanted: SIEVE_ENOUGH. */
Status sieve_pass(Sieve *sieve, const ProtobufCMessage *message);
/* Sends the message if the filter keeps it. Errors: those of both. */
Status sieve_send(Ctx *ctx, Sieve *sieve, const ProtobufCMessage *message);
void sieve_done(Sieve *sieve);

/* Ends a walk early; sieve_result makes it OK again. */
#define SIEVE_ENOUGH STATUS(OUT_OF_RANGE)
static inline Status sieve_result(Status s)
{
    return s.code == STATUS_OUT_OF_RANGE && !s.detail ? OK : s;
}
