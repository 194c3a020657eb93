/* eval_jsonnet.c - a Jsonnet template with text arguments, evaluated to JSON. Imports come over
 * http and https only. */
#include <curl/curl.h>
#include <libjsonnet.h>
#include <stdlib.h>

#include "base/text.h"
#include "cmd/eval.h"
#include "codec/json.h"

#define IMPORT_SECONDS_MAX 10L
#define IMPORT_BYTES_MAX   (4 * MiB)
#define STACK_FRAMES_MAX   500

/* --- imports ---------------------------------------------------------------------------------- */

static size_t keep_body(char *data, size_t one, size_t n, void *arg)
{
    (void)one; /* always 1 */
    Buf *body = arg;
    if (body->size + n > IMPORT_BYTES_MAX)
        return 0;
    buf_add(body, data, n);
    return n;
}

/* Appends what the URL has to *body, or else why not. */
static bool fetch(const char *url, Buf *body)
{
    char problem[CURL_ERROR_SIZE] = "";
    CURL *curl = curl_easy_init();
    if (!curl)
        abort();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, IMPORT_SECONDS_MAX);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, problem);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    if (code == CURLE_OK)
        return true;
    buf_clear(body);
    buf_printf(body, "%s", *problem ? problem : curl_easy_strerror(code));
    return false;
}

static char *copy_for(struct JsonnetVm *vm, Str text)
{
    char *copy = jsonnet_realloc(vm, NULL, text.size + 1);
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return copy;
}

/* Appends the imported text, or why there is none. */
static bool import(const char *name, Buf *out)
{
    if (strncmp(name, "http://", 7) != 0 && strncmp(name, "https://", 8) != 0) {
        buf_printf(out, "import not available %s", name);
        return false;
    }
    return fetch(name, out);
}

#ifdef JSONNET_IMPORT_SIZED /* from 0.19 on a result has a size, and 1 is a failure */
static int import_callback(void *vm, const char *base, const char *name, char **found_here,
                           char **out, size_t *out_size)
{
    (void)base;
    Buf text = { 0 };
    bool found = import(name, &text);
    *found_here = copy_for(vm, str(name));
    *out = copy_for(vm, buf_str(&text));
    *out_size = text.size;
    buf_done(&text);
    return found ? 0 : 1;
}
#else
static char *import_callback(void *vm, const char *base, const char *name, char **found_here,
                             int *success)
{
    (void)base;
    Buf text = { 0 };
    *success = import(name, &text);
    if (*success)
        *found_here = copy_for(vm, str(name));
    buf_add_u8(&text, '\0');
    char *out = copy_for(vm, str((const char *)text.data));
    buf_done(&text);
    return out;
}
#endif

/* --- evaluating ------------------------------------------------------------------------------- */

/* The library's words for an error, and the ones that clients know: a `before` that ends at `until`
 * becomes `after`. */
static const struct {
    const char *before, *until, *after;
} phrases[] = {
    { "couldn't open import \"", "import not available ", "import not available " },
    { "function parameter ", " not bound in call.", "Missing argument: " },
};

static Str reword(Ctx *ctx, const char *error)
{
    for (size_t i = 0; i < ARRAY_LEN(phrases); i++) {
        const char *before = strstr(error, phrases[i].before);
        const char *until = before ? strstr(before, phrases[i].until) : NULL;
        if (!until)
            continue;
        const char *name = before + strlen(phrases[i].before);
        const char *rest = until + strlen(phrases[i].until);
        bool named = i == 1; /* the name stands between the two */
        return str(text_printf(ctx->arena, "%.*s%s%.*s%s", (int)(before - error), error,
                               phrases[i].after, named ? (int)(until - name) : 0, name, rest));
    }
    return str(error);
}

static void give_args(Ctx *ctx, struct JsonnetVm *vm, const JsonValue *args)
{
    for (size_t i = 0; args && i < args->count; i++)
        jsonnet_tla_var(vm, str_z(ctx->arena, args->members[i].name),
                        str_z(ctx->arena, json_text(args->members[i].value)));
}

void eval_jsonnet(Ctx *ctx, void **state, Str question, Buf *answer)
{
    (void)state;
    JsonValue *request;
    Status s = json_parse(ctx, question, &request);
    if (!status_ok(s)) {
        eval_answer(answer, EVAL_FAIL, str(status_message(s)));
        return;
    }
    struct JsonnetVm *vm = jsonnet_make();
    jsonnet_max_stack(vm, STACK_FRAMES_MAX);
    jsonnet_import_callback(vm, import_callback, vm);
    give_args(ctx, vm, json_get(request, "args"));
    int failed;
    char *result = jsonnet_evaluate_snippet(
        vm, "template", str_z(ctx->arena, json_text(json_get(request, "template"))), &failed);
    eval_answer(answer, failed ? EVAL_FAIL : EVAL_YES, failed ? reword(ctx, result) : str(result));
    jsonnet_realloc(vm, result, 0);
    jsonnet_destroy(vm);
}
