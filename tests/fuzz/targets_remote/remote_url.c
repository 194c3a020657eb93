/* What a URL is taken apart into holds nothing that could end a request's line, and a bucket, a
 * host and a region nothing that could lead to another place; what is shown of it has no user. */
#include "fuzz/fuzz.h"

#include "remote/url.h"

static void check_name(const char *name, const char *forbidden)
{
    PROP(!strpbrk(name, forbidden));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    const char *text = str_z(ctx.arena, bytes_str(bytes(data, size)));
    RemoteUrl url;
    RemoteDbUrl db;
    if (status_ok(remote_url_parse(&ctx, text, &url))) {
        check_name(url.bucket, "/?#@:% \r\n");
        check_name(url.host, "/?#@% \r\n");
        check_name(url.region, "/?#@:.% \r\n");
        PROP(url.kind == REMOTE_FILE ? url.key[0] == '/' : url.key[0] != '/');
        const char *shown = remote_url_shown(&ctx, text);
        PROP(!strpbrk(shown, "?#"));
        Buf encoded = { 0 };
        remote_encode(&encoded, str(url.key), true);
        PROP(str_find_any(buf_str(&encoded), "?#& \r\n") == encoded.size);
        buf_done(&encoded);
    }
    if (status_ok(remote_db_url_parse(&ctx, text, &db))) {
        PROP(*db.host && *db.name);
        check_name(db.host, "/?#@% ,\r\n");
        Str params = str(db.params);
        for (const char *name, *value; remote_param_next(&ctx, &params, &name, &value);)
            PROP(*name);
    }
    return 0;
}
