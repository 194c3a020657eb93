/* note.c - what a job's run says in the job's log: lines of the master, not of user code (§25.3). */
#include <stdarg.h>

#include "base/clock.h"
#include "base/text.h"
#include "control/control_priv.h"

void job_note(const JobRun *run, const char *format, ...)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    va_list args;
    va_start(args, format);
    const char *text = text_vprintf(ctx.arena, format, args);
    va_end(args);
    const PpsLogLine line = { .pipeline = run->job.pipeline_id,
                              .job = run->job.id,
                              .datum_id = "",
                              .worker_id = "",
                              .ts_ns = clock_wall_ns(),
                              .master = true,
                              .message = str(text) };
    pps_log(&ctx, run->control->pps, &line, 1);
}
