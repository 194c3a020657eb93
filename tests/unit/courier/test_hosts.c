/* Which addresses may be reached. */
#include "testing.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "courier/courier_priv.h"

static bool allows(const char *hosts, const char *name, const char *address)
{
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
        return host_allowed(hosts, name, (const struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
    return host_allowed(hosts, name, (const struct sockaddr *)&v6);
}

static void rules(void **state)
{
    (void)state;
    static const struct {
        const char *hosts, *name, *address;
        bool allowed;
    } cases[] = {
        { "", "a", "10.0.0.1", true },
        { "", "a", "127.0.0.1", true },
        { "", "a", "169.254.169.254", false },
        { "", "a", "::ffff:169.254.169.254", false },
        { "", "a", "fe80::1", false },
        { "", "a", "fd00:ec2::254", false },
        { "", "a", "2001:db8::1", true },
        { "*", "a", "169.254.169.254", true },
        { "10.0.0.0/8", "a", "10.1.2.3", true },
        { "10.0.0.0/8", "a", "11.1.2.3", false },
        { "10.0.0.0/8", "a", "::ffff:10.1.2.3", true },
        { "0.0.0.0/0", "a", "8.8.8.8", true },
        { "0.0.0.0/0", "a", "2001:db8::1", false },
        { "10.1.2.3", "a", "10.1.2.3", true },
        { "2001:db8::/32", "a", "2001:db8:1::1", true },
        { "2001:db8::/32", "a", "2001:db9::1", false },
        { "a.example", "A.Example", "1.2.3.4", true },
        { "a.example", "b.a.example", "1.2.3.4", false },
        { "*.example", "b.a.example", "1.2.3.4", true },
        { "*.example", "example", "1.2.3.4", false },
        { "*.example", "badexample", "1.2.3.4", false },
        { "x, 10.0.0.0/8 ,a", "a", "1.2.3.4", true },
        { "x, 10.0.0.0/8 ,a", "b", "1.2.3.4", false },
        { "10.0.0.0/x", "a", "10.0.0.0", false },
        { "10.0.0.0/-1", "a", "11.0.0.0", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("'%s' %s %s", cases[i].hosts, cases[i].name, cases[i].address);
        assert_int_equal(allows(cases[i].hosts, cases[i].name, cases[i].address), cases[i].allowed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(rules) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
