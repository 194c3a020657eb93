/* auth_rpc.c - what a server without logins says to calls about them: auth_v2.API, identity_v2.API,
 * and the question for a licence that older clients ask. */
#include "api/api_priv.h"

#include "codec/pbtime.h"
#include "enterprise/enterprise.pb-c.h"

/* Services all of whose calls need auth. */
static const char *const services[] = { "auth_v2.API", "identity_v2.API" };

/* 2100-01-01: there is nothing to expire. */
#define LICENCE_EXPIRES_SECONDS INT64_C(4102444800)

Status auth_off(Ctx *ctx)
{
    return FAIL(ctx, UNIMPLEMENTED, "the auth service is not activated");
}

bool auth_serves(Str service)
{
    for (size_t i = 0; i < ARRAY_LEN(services); i++) {
        if (str_eq_c(service, services[i]))
            return true;
    }
    return false;
}

static Status get_state(Call *call, const void *request, void **response)
{
    (void)request;
    EnterpriseV2__GetStateResponse *answer =
        CALL_NEW(call, EnterpriseV2__GetStateResponse, enterprise_v2__get_state_response__init);
    answer->state = ENTERPRISE_V2__STATE__ACTIVE;
    answer->info = CALL_NEW(call, EnterpriseV2__TokenInfo, enterprise_v2__token_info__init);
    answer->info->expires = pb_timestamp(call->ctx, LICENCE_EXPIRES_SECONDS * NS_PER_SEC);
    *response = answer;
    return OK;
}

static const ApiMethod methods[] = {
    { .path = "/enterprise_v2.API/GetState", .unary = get_state },
};

const ApiTable api_auth_table = { methods, ARRAY_LEN(methods) };
