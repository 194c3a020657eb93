/* pull.c - images from registries, fetched by skopeo: protocols and mirrors are its business.
 *
 * It copies into a folder named by the image, which stays when a pull breaks off: blobs that are
 * whole are there already the next time. skopeo checks each blob against its digest, the import
 * checks each layer against the config. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/file.h"
#include "base/id.h"
#include "base/text.h"
#include "chunk/chunk.h"
#include "codec/base64.h"
#include "image/image_priv.h"

extern char **environ;

#define SAID_BYTES_MAX (4 * KiB) /* of what skopeo said that goes into an error */
#define RETRY_TIMES    "3"       /* of one request that failed, with growing pauses */
#define LAYOUT_TAG     "pulled"

typedef struct Fetch {
    const ImagePull *pull;
    const char *dir;       /* the layout's */
    const char *auth_file; /* "" : skopeo's own */
    int dir_fd;
    bool insecure;
} Fetch;

/* --- the program ----------------------------------------------------------------------------- */

typedef struct Program {
    pid_t pid;
    int said_fd;
} Program;

static void kill_program(void *arg)
{
    kill(((Program *)arg)->pid, SIGKILL);
}

/* Signatures are checked where the machine has a policy for them. */
static bool has_policy(void)
{
    const char *home = getenv("HOME");
    char path[4096];
    snprintf(path, sizeof(path), "%s/.config/containers/policy.json", home ? home : "");
    return access("/etc/containers/policy.json", R_OK) == 0 || access(path, R_OK) == 0;
}

/* The layout is named by a descriptor, as a path with ':' could not be. */
static char **arguments(Ctx *ctx, const Fetch *fetch)
{
    const char *all[] = {
        "skopeo",
        has_policy() ? "" : "--insecure-policy",
        "copy",
        "--retry-times=" RETRY_TIMES,
        fetch->insecure ? "--src-tls-verify=false" : "",
        *fetch->auth_file ? text_printf(ctx->arena, "--src-authfile=%s", fetch->auth_file) : "",
        text_printf(ctx->arena, "docker://%s", fetch->pull->name),
        text_printf(ctx->arena, "oci:/proc/self/fd/%d:" LAYOUT_TAG, fetch->dir_fd),
    };
    char **argv = arena_must(ctx->arena, (ARRAY_LEN(all) + 1) * sizeof(*argv));
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (*all[i])
            argv[n++] = arena_strdup(ctx->arena, all[i]);
    }
    argv[n] = NULL;
    return argv;
}

static int spawn(char *const *argv, int said_fd, int dir_fd, pid_t *out)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, said_fd, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, said_fd, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, dir_fd, dir_fd); /* which keeps it open */
    posix_spawnattr_t attr;
    posix_spawnattr_init(&attr);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    int error = posix_spawnp(out, argv[0], &actions, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Reads to the end, keeps the last part. */
static void read_said(Ctx *ctx, const Program *program, Buf *out)
{
    char piece[1024];
    struct pollfd fd = { .fd = program->said_fd, .events = POLLIN };
    for (;;) {
        int64_t left_ms = ctx->deadline_ns == DEADLINE_NONE
                              ? -1
                              : (ctx->deadline_ns - clock_mono_ns()) / NS_PER_MS;
        if (poll(&fd, 1, left_ms < 0 ? -1 : (int)MIN(left_ms, INT64_C(1000000))) == 0) {
            kill(program->pid, SIGKILL);
            return;
        }
        ssize_t got = read(program->said_fd, piece, sizeof(piece));
        if (got <= 0)
            return;
        buf_add(out, piece, (size_t)got);
        if (out->size > SAID_BYTES_MAX)
            buf_drop_front(out, out->size - SAID_BYTES_MAX);
    }
}

/* Its wait status, and what it said. */
static int wait_for(Ctx *ctx, Program *program, Buf *said)
{
    CancelHook hook = { .fn = kill_program, .arg = program };
    if (ctx->cancel)
        cancel_hook(ctx->cancel, &hook);
    read_said(ctx, program, said);
    int status = 0;
    siginfo_t info;
    /* It stays a zombie, so that the hook kills nobody else. */
    while (waitid(P_PID, (id_t)program->pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        continue;
    if (ctx->cancel)
        cancel_unhook(ctx->cancel, &hook);
    while (waitpid(program->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

/* The last line, which is the error; what is before is progress. */
static Str last_line(Str said)
{
    while (said.size && said.data[said.size - 1] == '\n')
        said.size--;
    size_t from = said.size;
    while (from && said.data[from - 1] != '\n')
        from--;
    return str_sub(said, from, said.size);
}

static Status run_skopeo(Ctx *ctx, const Fetch *fetch)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return status_errno(ctx, errno, "could not make a pipe");
    AUTO_FD read_end = fds[0];
    AUTO_FD write_end = fds[1];
    Program program = { .said_fd = read_end };
    int error = spawn(arguments(ctx, fetch), write_end, fetch->dir_fd, &program.pid);
    fd_closep(&write_end);
    if (error == ENOENT)
        return status_with_hint(
            ctx,
            FAIL(ctx, FAILED_PRECONDITION, "could not pull image '%s': skopeo is not installed",
                 fetch->pull->name),
            "Install skopeo on the server, or import the image from an archive.");
    if (error)
        return status_errno(ctx, error, "could not start skopeo");
    CLEANUP(buf_done) Buf said = { 0 };
    int status = wait_for(ctx, &program, &said);
    TRY(ctx_check(ctx));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return OK;
    return FAIL(ctx, UNAVAILABLE, "could not pull image '%s': " STR_FMT, fetch->pull->name,
                STR_ARG(last_line(buf_str(&said))));
}

/* --- registries ------------------------------------------------------------------------------ */

Str pull_host(Str name)
{
    if (str_starts(name, STR("docker://")))
        name = str_sub(name, strlen("docker://"), name.size);
    size_t slash = str_find(name, '/');
    Str host = str_sub(name, 0, slash);
    bool is_host =
        slash < name.size && (str_eq_c(host, "localhost") || str_find(host, '.') < host.size ||
                              str_find(host, ':') < host.size);
    return is_host ? host : STR("");
}

static bool is_listed(const char *hosts, Str host)
{
    for (Str rest = str(hosts); rest.size && host.size;) {
        Str one = str_sub(rest, 0, str_find(rest, ','));
        rest = str_sub(rest, one.size + 1, rest.size);
        if (str_eq(one, host))
            return true;
    }
    return false;
}

/* Logins are given in a file of this pull alone, as arguments are seen by everyone on the
 * machine. */
static Status write_password(Ctx *ctx, const Fetch *fetch, const char *path)
{
    const ImagePull *pull = fetch->pull;
    Str host = pull_host(str(pull->name));
    if (!host.size)
        return FAIL(ctx, INVALID_ARGUMENT,
                    "a login needs the registry in the image's name: HOST/%s", pull->name);
    CLEANUP(buf_done) Buf login = { 0 };
    CLEANUP(buf_done) Buf text = { 0 };
    Str pair = str(text_printf(ctx->arena, "%s:%s", pull->username, pull->password));
    base64_encode(str_bytes(pair), &login);
    buf_printf(&text, "{\"auths\":{");
    json_write_string(&text, host);
    buf_printf(&text, ":{\"auth\":\"" STR_FMT "\"}}}", STR_ARG(buf_str(&login)));
    return file_replace(ctx, path, buf_bytes(&text), 0600);
}

/* skopeo reads "auth" alone; what makes such files by hand may write the two apart. */
static const JsonValue *whole_login(Ctx *ctx, const JsonValue *login)
{
    Str user = json_text(json_get(login, "username"));
    if (!user.size || json_text(json_get(login, "auth")).size)
        return login;
    CLEANUP(buf_done) Buf text = { 0 };
    Str pair = str(text_printf(ctx->arena, STR_FMT ":" STR_FMT, STR_ARG(user),
                               STR_ARG(json_text(json_get(login, "password")))));
    base64_encode(str_bytes(pair), &text);
    JsonValue *made = json_object(ctx->arena);
    json_set(ctx->arena, made, STR("auth"), json_string(ctx->arena, buf_str(&text)));
    return made;
}

/* Adds the logins of a file's text for which there is none yet. */
static Status add_logins(Ctx *ctx, Str text, JsonValue *auths)
{
    JsonValue *file;
    TRY(json_parse(ctx, text, &file));
    const JsonValue *more = json_get(file, "auths");
    for (size_t i = 0; json_is(more, JSON_OBJECT) && i < more->count; i++) {
        Str host = more->members[i].name;
        if (!json_get_str(auths, host))
            json_set(ctx->arena, auths, host,
                     (JsonValue *)(uintptr_t)whole_login(ctx, more->members[i].value));
    }
    return OK;
}

/* Those of the pull, then those of the server. */
static Status write_logins(Ctx *ctx, const Fetch *fetch, const char *path)
{
    CLEANUP(buf_done) Buf servers = { 0 };
    JsonValue *file = json_object(ctx->arena), *auths = json_object(ctx->arena);
    TRY_WRAP(ctx, add_logins(ctx, str(fetch->pull->logins), auths), "the logins are malformed");
    if (*fetch->auth_file) {
        TRY(file_read_path(ctx, fetch->auth_file, &servers));
        TRY_WRAP(ctx, add_logins(ctx, buf_str(&servers), auths), "file '%s' is malformed",
                 fetch->auth_file);
    }
    json_set(ctx->arena, file, STR("auths"), auths);
    Str text = json_print(ctx->arena, file, (JsonStyle){ 0 });
    return file_replace(ctx, path, str_bytes(text), 0600);
}

/* --- the folder ------------------------------------------------------------------------------ */

/* Whoever pulls the same image at the same time gets a folder of its own. */
static Status open_layout(Ctx *ctx, ImageStore *store, const char *name, Fetch *fetch)
{
    char hex[HASH_HEX_SIZE];
    Hash hash = hash_of(str_bytes(str(name)));
    fetch->dir =
        text_printf(ctx->arena, "%s/" PULL_PREFIX "%.32s", store->dir, hash_hex(&hash, hex));
    if (mkdir(fetch->dir, 0700) < 0 && errno != EEXIST)
        return status_errno(ctx, errno, "could not make folder '%s'", fetch->dir);
    fetch->dir_fd = open(fetch->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fetch->dir_fd >= 0 && flock(fetch->dir_fd, LOCK_EX | LOCK_NB) == 0)
        return OK;
    fd_closep(&fetch->dir_fd);
    TRY(image_work_dir(ctx, store, &fetch->dir));
    fetch->dir_fd = open(fetch->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fetch->dir_fd < 0 ? status_errno(ctx, errno, "could not open '%s'", fetch->dir) : OK;
}

static Status fetch_image(Ctx *ctx, ImageStore *store, Fetch *fetch)
{
    const ImagePull *pull = fetch->pull;
    if (!*pull->username && !*pull->logins)
        return run_skopeo(ctx, fetch);
    Id id = id_new();
    const char *login = text_printf(ctx->arena, "%s/work-%s.login", store->dir, id.text);
    TRY(*pull->username ? write_password(ctx, fetch, login) : write_logins(ctx, fetch, login));
    fetch->auth_file = login;
    Status s = run_skopeo(ctx, fetch);
    unlink(login);
    return s;
}

Status image_pull(Ctx *ctx, ImageStore *store, const ImagePull *pull, ImageRow *out)
{
    const char *name = image_name_canonical(ctx->arena, str(pull->name));
    if (!name)
        return FAIL(ctx, INVALID_ARGUMENT, "%s cannot be the name of an image",
                    text_quote(ctx->arena, str(pull->name)));
    ImagePull full = *pull;
    if (str_starts(str(full.name), STR("docker://")))
        full.name += strlen("docker://");
    Fetch fetch = { .pull = &full,
                    .auth_file = store->config.auth_file ? store->config.auth_file : "",
                    .dir_fd = -1 };
    fetch.insecure =
        pull->insecure || is_listed(store->config.insecure_hosts, pull_host(str(pull->name)));
    TRY(open_layout(ctx, store, name, &fetch));
    Status s = fetch_image(ctx, store, &fetch);
    if (status_ok(s)) {
        s = image_import(ctx, store, name, "oci-layout", fetch.dir, out);
        Status removed = file_remove_tree(ctx, fetch.dir);
        s = status_ok(s) ? removed : s;
    }
    fd_closep(&fetch.dir_fd);
    return s;
}
