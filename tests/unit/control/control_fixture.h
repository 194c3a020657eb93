/* control_fixture.h - the real controller over a scratch folder, what users do to it, and the
 * worker that a test plays: it takes orders and reports. */
#pragma once

#include "floors.h"

#include "base/clock.h"
#include "codec/pb.h"
#include "control/control.h"
#include "pfs/view.h"
#include "pfs/write.h"

typedef struct Fixture {
    Ctx ctx;
    char *dir;
    Floors floors;
    Control *control;
    ControlSession *session;
} Fixture;

#define PATIENCE_NS (20 * NS_PER_SEC)

static inline Status resolve(void *self, Ctx *ctx, const char *image, const char **out_digest)
{
    (void)self;
    if (strcmp(image, "missing") == 0)
        return FAIL(ctx, NOT_FOUND, "image \"missing\" is not in the image store");
    *out_digest = "host:test";
    return OK;
}

static inline void open_all(Fixture *fx)
{
    floors_open(&fx->ctx, fx->dir, resolve, &fx->floors);
    assert_ok(pfs_start(&fx->ctx, fx->floors.pfs));
    const ControlConfig control = { .pps = fx->floors.pps };
    assert_ok(control_start(&fx->ctx, &control, &fx->control));
}

static inline void close_all(Fixture *fx)
{
    fx->session = control_leave(fx->session);
    fx->control = control_stop(fx->control);
    floors_close(&fx->floors);
}

static inline int setup(void **state)
{
    Fixture *fx = test_calloc(1, sizeof(*fx));
    ctx_init(&fx->ctx);
    fx->ctx.deadline_ns = clock_mono_ns() + PATIENCE_NS;
    fx->dir = scratch_dir(&fx->ctx);
    open_all(fx);
    *state = fx;
    return 0;
}

static inline int teardown(void **state)
{
    Fixture *fx = *state;
    close_all(fx);
    assert_ok(file_remove_tree(&fx->ctx, fx->dir));
    ctx_done(&fx->ctx);
    test_free(fx);
    return 0;
}

/* --- what users do ---------------------------------------------------------------------------- */

static inline void make_repo(Fixture *fx, const char *name)
{
    PfsTx *tx = NULL;
    PfsV2__CreateRepoRequest request;
    pfs_v2__create_repo_request__init(&request);
    request.repo = pfs_repo_ref(&fx->ctx, "default", name, "user");
    assert_ok(pfs_begin_write(&fx->ctx, fx->floors.pfs, NULL, &tx));
    assert_ok(pfs_create_repo(&fx->ctx, tx, &request));
    assert_ok(pfs_commit(&fx->ctx, tx));
}

static inline void put(Fixture *fx, const char *repo, const char *path, const char *content)
{
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(fx->floors.pfs);
    PfsV2__Commit *target = pfs_commit_ref(&fx->ctx, "default", repo, "");
    target->branch = pfs_branch_ref(&fx->ctx, "default", repo, "master");
    assert_ok(pfs_writer_target(&fx->ctx, writer, target));
    assert_ok(pfs_writer_put(&fx->ctx, writer, str(path), STR(""), str_bytes(str(content))));
    assert_ok(pfs_writer_commit(&fx->ctx, writer));
}

static inline void create_in(Fixture *fx, PfsTx *tx, const char *spec, bool update)
{
    PpsV2__CreatePipelineV2Request request;
    pps_v2__create_pipeline_v2_request__init(&request);
    request.create_pipeline_request_json = arena_strdup(fx->ctx.arena, spec);
    request.update = update;
    PpsV2__CreatePipelineTransaction *prepared;
    assert_ok(pps_prepare(&fx->ctx, tx, &request, &prepared));
    assert_ok(pps_create_pipeline(&fx->ctx, tx, fx->floors.pps, prepared));
}

/* The commit may fail, and nothing before it. */
static inline Status try_create(Fixture *fx, const char *spec, bool update)
{
    PfsTx *tx = NULL;
    assert_ok(pfs_begin_write(&fx->ctx, fx->floors.pfs, NULL, &tx));
    create_in(fx, tx, spec, update);
    return pfs_commit(&fx->ctx, tx);
}

static inline void create(Fixture *fx, const char *spec, bool update)
{
    assert_ok(try_create(fx, spec, update));
}

#define PIPELINE(name, from, glob, extra)                                                          \
    "{\"pipeline\":{\"name\":\"" name "\"},\"input\":{\"pfs\":{\"repo\":\"" from                   \
    "\",\"glob\":\"" glob "\"}},\"transform\":{\"cmd\":[\"run\"]" extra "}}"

typedef struct Newest {
    char id[33];
} Newest;

static inline Status keep_newest(void *arg, Ctx *ctx, const PpsV2__JobInfo *info)
{
    (void)ctx;
    Newest *newest = arg;
    if (!newest->id[0])
        snprintf(newest->id, sizeof(newest->id), "%s", info->job->id);
    return OK;
}

/* The newest job of a pipeline, when it is over. */
static inline Status try_finished_job(Fixture *fx, const char *pipeline, PpsV2__JobInfo **out)
{
    Newest newest = { 0 };
    PfsTx *tx = NULL;
    PpsV2__ListJobRequest list;
    pps_v2__list_job_request__init(&list);
    PpsV2__InspectJobRequest inspect;
    pps_v2__inspect_job_request__init(&inspect);
    inspect.job = PB_NEW(&fx->ctx, pps_v2__job, PpsV2__Job);
    inspect.job->pipeline = list.pipeline = PB_NEW(&fx->ctx, pps_v2__pipeline, PpsV2__Pipeline);
    list.pipeline->name = arena_strdup(fx->ctx.arena, pipeline);
    assert_ok(pfs_begin_read(&fx->ctx, fx->floors.pfs, &tx));
    assert_ok(pps_list_job(&fx->ctx, tx, &list, keep_newest, &newest));
    pfs_rollback(tx);
    inspect.job->id = newest.id;
    inspect.wait = true;
    return pps_inspect_job(&fx->ctx, fx->floors.pps, &inspect, out);
}

static inline PpsV2__JobInfo *finished_job(Fixture *fx, const char *pipeline)
{
    PpsV2__JobInfo *info = NULL;
    assert_ok(try_finished_job(fx, pipeline, &info));
    return info;
}

typedef struct Gathered {
    Buf buf;
} Gathered;

static inline Status gather(void *arg, Ctx *ctx, Bytes piece)
{
    (void)ctx;
    buf_add_bytes(&((Gathered *)arg)->buf, piece);
    return OK;
}

static inline void assert_file(Fixture *fx, const char *repo, const char *path, const char *content)
{
    PfsV2__GetFileRequest request;
    pfs_v2__get_file_request__init(&request);
    request.file = PB_NEW(&fx->ctx, pfs_v2__file, PfsV2__File);
    request.file->commit = pfs_commit_ref(&fx->ctx, "default", repo, "");
    request.file->commit->branch = pfs_branch_ref(&fx->ctx, "default", repo, "master");
    request.file->path = arena_strdup(fx->ctx.arena, path);
    Gathered got = { 0 };
    Status s = pfs_get_file(&fx->ctx, fx->floors.pfs, &request, gather, &got);
    char *text = str_z(fx->ctx.arena, buf_str(&got.buf));
    buf_done(&got.buf);
    if (!content) {
        assert_int_equal(s.code, STATUS_NOT_FOUND);
        return;
    }
    assert_ok(s);
    assert_string_equal(text, content);
}

/* --- what a worker does ----------------------------------------------------------------------- */

static inline void join(Fixture *fx)
{
    Procavia__Work__WorkReport__Hello hello;
    procavia__work__work_report__hello__init(&hello);
    assert_ok(control_join(&fx->ctx, fx->control, &hello, &fx->session));
}

static inline Procavia__Work__WorkSet *next_set(Fixture *fx)
{
    Procavia__Work__WorkOrder *order;
    assert_ok(control_next_order(&fx->ctx, fx->session, &order));
    assert_int_equal(order->body_case, PROCAVIA__WORK__WORK_ORDER__BODY_RUN);
    return order->run;
}

/* A file of the datum's first input's name, with the contents of all its inputs. */
static inline Procavia__Work__WorkOutputFile *output_of(Fixture *fx,
                                                        const Procavia__Work__WorkDatum *datum)
{
    Procavia__Work__WorkOutputFile *file =
        PB_NEW(&fx->ctx, procavia__work__work_output_file, Procavia__Work__WorkOutputFile);
    Buf content = { 0 };
    for (size_t i = 0; i < datum->n_inputs; i++)
        buf_add(&content, datum->inputs[i]->content.data, datum->inputs[i]->content.len);
    file->path = datum->inputs[0]->file->path;
    file->content.data = arena_memdup(fx->ctx.arena, content.data, content.size);
    file->content.len = content.size;
    buf_done(&content);
    return file;
}

static inline Status try_report(Fixture *fx, const Procavia__Work__WorkSet *set, size_t i,
                                Procavia__Work__WorkResult__State state)
{
    Procavia__Work__WorkReport report;
    procavia__work__work_report__init(&report);
    Procavia__Work__WorkResult result;
    procavia__work__work_result__init(&result);
    report.body_case = PROCAVIA__WORK__WORK_REPORT__BODY_RESULT;
    report.result = &result;
    Procavia__Work__WorkOutputFile *file = output_of(fx, set->datums[i]);
    result.lease = set->lease;
    result.datum_id = set->datums[i]->id;
    result.index = set->datums[i]->index;
    result.state = state;
    if (state == PROCAVIA__WORK__WORK_RESULT__STATE__PROCESSED) {
        result.files = &file;
        result.n_files = 1;
    }
    return control_report(&fx->ctx, fx->session, &report);
}

static inline void report(Fixture *fx, const Procavia__Work__WorkSet *set, size_t i,
                          Procavia__Work__WorkResult__State state)
{
    assert_ok(try_report(fx, set, i, state));
}

static inline Status try_done(Fixture *fx, const Procavia__Work__WorkSet *set)
{
    Procavia__Work__WorkReport report;
    procavia__work__work_report__init(&report);
    Procavia__Work__WorkReport__SetDone over;
    procavia__work__work_report__set_done__init(&over);
    report.body_case = PROCAVIA__WORK__WORK_REPORT__BODY_DONE;
    report.done = &over;
    over.lease = set->lease;
    return control_report(&fx->ctx, fx->session, &report);
}

static inline void done(Fixture *fx, const Procavia__Work__WorkSet *set)
{
    assert_ok(try_done(fx, set));
}

/* Runs sets until n datums were run. */
static inline void run_datums(Fixture *fx, size_t n)
{
    while (n) {
        Procavia__Work__WorkSet *set = next_set(fx);
        assert_true(set->n_datums <= n);
        for (size_t i = 0; i < set->n_datums; i++)
            report(fx, set, i, PROCAVIA__WORK__WORK_RESULT__STATE__PROCESSED);
        n -= set->n_datums;
        done(fx, set);
    }
}
