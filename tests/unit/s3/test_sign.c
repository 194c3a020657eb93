/* test_sign.c - signatures, against the examples that AWS publishes for its key
 * AKIAIOSFODNN7EXAMPLE. */
#include "testing.h"

#include "s3/sign.h"

#define KEY_ID "AKIAIOSFODNN7EXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define EMPTY  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

typedef struct Header {
    const char *name, *value;
} Header;

static const char *get_header(void *self, const char *name, size_t nth)
{
    for (const Header *h = self; h->name; h++) {
        if (strcmp(h->name, name) == 0 && nth-- == 0)
            return h->value;
    }
    return NULL;
}

static bool get_header_at(void *self, size_t index, const char **out_name, const char **out_value)
{
    const Header *h = self;
    while (h->name && index--)
        h++;
    *out_name = h->name;
    *out_value = h->value;
    return h->name;
}

typedef struct Case {
    const char *label, *method, *path;
    S3Param query[4];
    Header headers[8];
    const char *authorization, *payload_hash;
} Case;

static SignRequest request_of(Case *c)
{
    SignRequest request = { .method = c->method,
                            .path = str(c->path),
                            .query = { .items = c->query },
                            .header = get_header,
                            .header_at = get_header_at,
                            .self = c->headers };
    while (request.query.n < ARRAY_LEN(c->query) && c->query[request.query.n].name)
        request.query.n++;
    return request;
}

#define CREDENTIAL "AWS4-HMAC-SHA256 Credential=" KEY_ID "/20130524/us-east-1/s3/aws4_request,"
#define HOST                                                                                       \
    {                                                                                              \
        "host", "examplebucket.s3.amazonaws.com"                                                   \
    }
#define DATE                                                                                       \
    {                                                                                              \
        "x-amz-date", "20130524T000000Z"                                                           \
    }

static Case v4_cases[] = {
    { "get a range",
      "GET",
      "/test.txt",
      { { 0 } },
      { HOST, { "range", "bytes=0-9" }, { "x-amz-content-sha256", EMPTY }, DATE },
      CREDENTIAL "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature="
                 "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
      EMPTY },
    { "put, with a '$' in its name",
      "PUT",
      "/test%24file.text",
      { { 0 } },
      { HOST,
        { "date", "Fri, 24 May 2013 00:00:00 GMT" },
        { "x-amz-content-sha256",
          "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072" },
        DATE,
        { "x-amz-storage-class", "REDUCED_REDUNDANCY" } },
      CREDENTIAL
      " SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, Signature="
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
      "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072" },
    { "a parameter without a value",
      "GET",
      "/",
      { { "lifecycle", "" } },
      { HOST, { "x-amz-content-sha256", EMPTY }, DATE },
      CREDENTIAL "SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature="
                 "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
      EMPTY },
    { "parameters",
      "GET",
      "/",
      { { "prefix", "J" }, { "max-keys", "2" } },
      { HOST, { "x-amz-content-sha256", EMPTY }, DATE },
      CREDENTIAL "SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature="
                 "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
      EMPTY },
};

static void v4_signs_as_published(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(v4_cases); i++) {
        CLEANUP(ctx_done) Ctx ctx;
        ctx_init(&ctx);
        Case *c = &v4_cases[i];
        say_case("%s", c->label);
        SignV4 v4;
        S3Signer signer;
        const SignRequest request = request_of(c);
        assert_true(sign_v4_parse(str(c->authorization), &v4));
        assert_true(str_eq_c(v4.access_key, KEY_ID) && str_eq_c(v4.region, "us-east-1"));
        sign_v4(&ctx, &request, &v4, SECRET, "20130524T000000Z", c->payload_hash, &signer);
        assert_true(sign_equal(str(signer.previous), v4.signature));
    }
}

/* 66,560 bytes of 'a' in chunks of 64 KiB. */
static void chunks_sign_as_published(void **state)
{
    (void)state;
    static uint8_t data[65536];
    char hash[SIGN_HEX_SIZE];
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    static Case c = {
        NULL,
        "PUT",
        "/examplebucket/chunkObject.txt",
        { { 0 } },
        { { "content-encoding", "aws-chunked" },
          { "content-length", "66824" },
          { "host", "s3.amazonaws.com" },
          { "x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" },
          DATE,
          { "x-amz-decoded-content-length", "66560" },
          { "x-amz-storage-class", "REDUCED_REDUNDANCY" } },
        CREDENTIAL
        "SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
        "x-amz-decoded-content-length;x-amz-storage-class,Signature="
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    };
    static const struct {
        size_t size;
        const char *signature;
    } chunks[] = {
        { 65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648" },
        { 1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497" },
        { 0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9" },
    };
    SignV4 v4;
    S3Signer signer;
    const SignRequest request = request_of(&c);
    memset(data, 'a', sizeof(data));
    assert_true(sign_v4_parse(str(c.authorization), &v4));
    sign_v4(&ctx, &request, &v4, SECRET, "20130524T000000Z", c.payload_hash, &signer);
    assert_true(sign_equal(str(signer.previous), v4.signature));
    for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
        sign_sha256_hex(bytes(data, chunks[i].size), hash);
        sign_v4_chunk(&ctx, &signer, hash);
        assert_string_equal(signer.previous, chunks[i].signature);
    }
}

static void v4_in_a_query(void **state)
{
    (void)state;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    S3Param params[] = {
        { "X-Amz-Algorithm", "AWS4-HMAC-SHA256" },
        { "X-Amz-Credential", KEY_ID "/20130524/us-east-1/s3/aws4_request" },
        { "X-Amz-Date", "20130524T000000Z" },
        { "X-Amz-Expires", "86400" },
        { "X-Amz-SignedHeaders", "host" },
        { "X-Amz-Signature", "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404" },
    };
    Header headers[] = { HOST, { 0 } };
    const SignRequest request = { .method = "GET",
                                  .path = STR("/test.txt"),
                                  .query = { params, ARRAY_LEN(params) },
                                  .header = get_header,
                                  .header_at = get_header_at,
                                  .self = headers };
    SignV4 v4;
    S3Signer signer;
    assert_true(sign_v4_parse_query(&request.query, &v4));
    sign_v4(&ctx, &request, &v4, SECRET, "20130524T000000Z", "UNSIGNED-PAYLOAD", &signer);
    assert_true(sign_equal(str(signer.previous), v4.signature));
}

static void malformed_v4_is_refused(void **state)
{
    (void)state;
#define REST ", SignedHeaders=host, Signature=" EMPTY
    static const char *const cases[] = {
        "",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 ",
        "AWS4-HMAC-SHA256 Credential=" REST,
        "AWS4-HMAC-SHA256 Credential=k/20130524/r/s3" REST,
        "AWS4-HMAC-SHA256 Credential=/20130524/r/s3/aws4_request" REST,
        "AWS4-HMAC-SHA256 Credential=k/2013/r/s3/aws4_request" REST,
        "AWS4-HMAC-SHA256 Credential=k/20130524/r/s3/aws4" REST,
        "AWS4-HMAC-SHA256 Credential=k/20130524/r/s3/aws4_request" REST "00",
        "AWS4-HMAC-SHA256 Credential=k/20130524/r/s3/aws4_request, SignedHeaders=host",
        "AWS4-HMAC-SHA256 Credential=k/20130524/r/s3/aws4_request" REST ", more=1",
    };
    SignV4 v4;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i]);
        assert_false(sign_v4_parse(str(cases[i]), &v4));
    }
    assert_true(
        sign_v4_parse(str("AWS4-HMAC-SHA256 Credential=a/b/20130524/r/s3/aws4_request" REST), &v4));
    assert_true(str_eq_c(v4.access_key, "a/b"));
}

/* The example of the REST authentication guide. */
static void v2_signs_as_published(void **state)
{
    (void)state;
    static Case c = { .method = "GET",
                      .path = "/awsexamplebucket1/photos/puppy.jpg",
                      .headers = { { "host", "awsexamplebucket1.us-west-1.s3.amazonaws.com" },
                                   { "date", "Tue, 27 Mar 2007 19:36:42 +0000" } },
                      .authorization = "AWS " KEY_ID ":qgk2+6Sv9/oM7G3qLEjTH1a1l1g=" };
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Str key, signature;
    const SignRequest request = request_of(&c);
    assert_true(sign_v2_parse(str(c.authorization), &key, &signature));
    assert_true(str_eq_c(key, KEY_ID));
    assert_string_equal(sign_v2(&ctx, &request, SECRET, NULL), signature.data);
    assert_false(sign_v2_parse(STR("AWS key"), &key, &signature));
    assert_false(sign_v2_parse(STR("AWS :signature"), &key, &signature));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v4_signs_as_published), cmocka_unit_test(chunks_sign_as_published),
        cmocka_unit_test(v4_in_a_query),         cmocka_unit_test(malformed_v4_is_refused),
        cmocka_unit_test(v2_signs_as_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
