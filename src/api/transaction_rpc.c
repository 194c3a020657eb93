/* transaction_rpc.c - transaction_v2.API: requests gathered under an id, run together or not at
 * all. */
#include "api/api_priv.h"

Status transaction_append(Call *call, const char *id, const void *request, void **response)
{
    (void)request;
    (void)response;
    return FAIL(call->ctx, NOT_FOUND, "transactions %s not found", id);
}

const ApiTable api_transaction_table = { NULL, 0 };
