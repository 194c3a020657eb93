/* user.c - see user.h. */
#include "worker/user.h"

#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"

#define FIELDS_MAX 7 /* name:password:uid:gid:comment:home:shell */

typedef struct Row {
    Str fields[FIELDS_MAX];
} Row;

static bool next_row(Str *text, Row *out)
{
    if (text->size == 0)
        return false;
    Str line = str_cut(text, '\n');
    for (size_t i = 0; i < FIELDS_MAX; i++)
        out->fields[i] = str_cut(&line, ':');
    return true;
}

/* The first row whose name or, when by_id, number is `key`. */
static bool find_row(Str text, Str key, bool by_id, Row *out)
{
    while (next_row(&text, out)) {
        if (str_eq(out->fields[0], key) || (by_id && str_eq(out->fields[2], key)))
            return true;
    }
    return false;
}

static bool parse_id(Str text, uint32_t *out)
{
    int64_t value;
    if (!str_to_i64(text, &value) || value < 0 || value >= UINT32_MAX)
        return false;
    *out = (uint32_t)value;
    return true;
}

/* After a number the group is a number; after a name it is looked up, and a number that nobody has
 * is taken as it is. */
static Status resolve_group(Ctx *ctx, Str file, Str group, bool by_id, uint32_t *out)
{
    Row row;
    if (by_id && parse_id(group, out))
        return OK;
    if (find_row(file, group, true, &row) && parse_id(row.fields[2], out))
        return OK;
    if (parse_id(group, out))
        return OK;
    return FAIL(ctx, NOT_FOUND, "guess gid from transform user: group " STR_FMT " not found",
                STR_ARG(group));
}

Status user_resolve(Ctx *ctx, const UserFiles *files, const char *user, UserIds *out)
{
    *out = (UserIds){ .home = "/" };
    Str group = str(user);
    Str name = str_cut(&group, ':');
    Row row;
    bool is_number = parse_id(name, &out->uid);
    if (find_row(files->passwd, name.size ? name : STR("0"), true, &row)) {
        if (!parse_id(row.fields[2], &out->uid) || !parse_id(row.fields[3], &out->gid))
            return FAIL(ctx, NOT_FOUND,
                        "guess uid from transform user by reading /etc/passwd: bad row of user %s",
                        user);
        out->home = row.fields[5].size ? str_z(ctx->arena, row.fields[5]) : "/";
    } else if (name.size && !is_number) {
        return files->has_passwd
                   ? FAIL(ctx, NOT_FOUND,
                          "guess uid from transform user by reading /etc/passwd: user %s not found",
                          user)
                   : OK;
    }
    return group.size ? resolve_group(ctx, files->group, group, is_number, &out->gid) : OK;
}

static bool read_inside(Ctx *ctx, int root_fd, const char *path, Str *out)
{
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                            .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
    AUTO_FD fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
    CLEANUP(buf_done) Buf text = { 0 };
    *out = STR("");
    if (fd < 0 || !status_ok(file_read_all(ctx, fd, &text)))
        return false;
    *out = str(str_z(ctx->arena, buf_str(&text)));
    return true;
}

void user_files_read(Ctx *ctx, const char *root_dir, UserFiles *out)
{
    AUTO_FD root = open(root_dir && *root_dir ? root_dir : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    out->has_passwd = read_inside(ctx, root, "etc/passwd", &out->passwd);
    read_inside(ctx, root, "etc/group", &out->group);
}
