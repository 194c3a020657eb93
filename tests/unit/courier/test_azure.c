/* A signature against one made by other means (Python's hmac). */
#include "testing.h"

#include "courier/azure.h"

static void signs(void **state)
{
    (void)state;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    assert_string_equal(azure_signature(&ctx, "c2VjcmV0", STR("text")),
                        "L0Q2hVkpAOYZ8vOyNQw8ilc44ueia8miRNM5PDzWq9Y=");
    assert_string_equal(azure_signature(&ctx, "no base64!", STR("text")), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(signs) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
